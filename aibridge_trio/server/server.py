"""Opens listeners, accepts connections, and stops them gracefully.

A `Server` is opened (it binds its ports, or raises UsageError), run in a nursery, and stopped: its listeners
close, connections may finish within a grace period, the rest is cut. The accept loop
is our own, because hypercorn's worker cannot serve connections of another implementation.
"""

from __future__ import annotations

import math
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from aibridge_trio.http.response_writer import error_response
from aibridge_trio.net.poller import Poller, new_poller
from aibridge_trio.net.stream import SHORTAGE_ERRNOS, ServerStream
from aibridge_trio.net.tls_contexts import server_context
from aibridge_trio.server.asgi import Application
from aibridge_trio.server.connection import Connection
from aibridge_trio.server.connection_limit import Cause, ConnectionLimit, ConnectionStats
from aibridge_trio.server.connection_timeouts import KEEP_ALIVE, HeadBudget
from aibridge_trio.server.descriptors import Reserve
from aibridge_trio.server.dispatch import service_for
from aibridge_trio.server.lifespan import lifespan
from aibridge_trio.server.listener import Listener, SocketListener, keep_alive, take
from aibridge_trio.server.parking import Idle, Parking
from aibridge_trio.server.unix_listener import UnixListener
from aibridge_trio.server.writer import Flusher

# Pause before accepting again (seconds) when no descriptor is left.
_SHORTAGE_PAUSE = 0.1
_UNAVAILABLE = 503
# How long the last responses may take to go out (seconds).
_LAST_RESPONSES = 0.05
# How often to check for callers that have left where there is no poller (seconds).
_CHECK_INTERVAL = 0.5


class Server:
    """Serves one ASGI application on any number of listeners.

    `report` gets exceptions of single connections; each ends its connection and no other. `connections` counts and
    limits them; by default there is no limit. With `evicts`, a connection above the limit replaces the one that
    has idled longest, or else the one that has been sending a head for longest. `reserve` descriptors are kept
    back for accepting when no other is left; the last of them is used to reject. A connection may idle for
    `keep_alive` seconds. `poller`, if given, is run by its owner.

    The application can reset its TCP connection with the scope's extension `aibridge.reset`.
    """

    def __init__(
        self,
        app: Application,
        *,
        report: Callable[[BaseException], None],
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        tls_client_ca: Path | None = None,
        connections: ConnectionLimit | None = None,
        reserve: int = 0,
        evicts: bool = False,
        keep_alive: float = KEEP_ALIVE,
        poller: Poller | None = None,
    ) -> None:
        self._app = app
        self._report = report
        self._own_poller = None if poller else new_poller()
        self._poller = poller or self._own_poller
        self._context = server_context(tls_cert, tls_key, tls_client_ca) if tls_cert and tls_key else None
        self._limit = connections or ConnectionLimit("callers", lambda text: report(RuntimeWarning(text)))
        self._reserve = Reserve(reserve)
        self._evicts = evicts
        self._heads = HeadBudget()
        self._listeners: list[Listener] = []
        self._flusher = Flusher(report, self._poller)
        self._parking = Parking(keep_alive, resume=self._resume, closed=self._leave)
        self._nursery: trio.Nursery | None = None  # of the connections
        self._state: dict[str, Any] = {}
        self._service = service_for(app, self._state)
        self._connections: set[Connection] = set()
        self._closing_after_responses = False
        self._not_listening, self._stopping = trio.Event(), trio.Event()
        self._grace = math.inf
        self._last_call: Callable[[], bool] = lambda: False
        self._grace_over = trio.Event()

    def statistics(self) -> ConnectionStats:
        """Return the connections that are open now."""
        return self._limit.statistics()

    @property
    def secure(self) -> bool:
        """Whether connections are encrypted."""
        return self._context is not None

    def sockets(self) -> list[socket.socket]:
        """Return the sockets that listen now."""
        socks = [each.sock for each in self._listeners if isinstance(each, SocketListener)]
        return [sock for sock in socks if sock.fileno() >= 0]

    def __repr__(self) -> str:
        return f"<Server connections={len(self._connections)} stopping={self._stopping.is_set()}>"

    def open(self, host: str, port: int, *, option: str, dual: bool = True) -> tuple[str, int]:
        """Listen on a port, and return its address. Raises UsageError, which names `option`."""
        sock = take(host, port, option=option, dual=dual)
        self._listeners.append(SocketListener(sock, self._context, self._poller))
        address: tuple[str, int] = sock.getsockname()[:2]
        return address

    def open_unix(self, path: str, mode: int, *, option: str) -> None:
        """Listen on a unix socket, its file created with `mode`. Raises UsageError, which names `option`."""
        self._listeners.append(UnixListener(path, mode, self._context, self._poller, option=option))

    def apply(self, context: ssl.SSLContext | None, keep_alive: float) -> None:
        """Use this TLS context for connections that come from now on, and this timeout for all that idle."""
        self._context = context
        for listener in self._listeners:
            if isinstance(listener, SocketListener):
                listener.context = context
        self._parking.apply(keep_alive)

    def adopt(self, sock: socket.socket) -> None:
        """Listen on a socket that listens already; `close` closes it, and leaves the file of a unix socket."""
        if sock.family != socket.AF_UNIX:
            keep_alive(sock)
        self._listeners.append(SocketListener(sock, self._context, self._poller))

    def close(self) -> None:
        """Close all listeners."""
        for listener in self._listeners:
            listener.close()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and serve until `stop`, then let connections finish within its grace."""
        self._reserve.refill()
        try:
            async with lifespan(self._app, self._state), trio.open_nursery() as background:
                for service in (self._flusher.run, self._parking.run, self._limit.run, self._watch_callers):
                    background.start_soon(service)
                async with trio.open_nursery() as self._nursery:
                    try:
                        await self._accept(self._nursery, task_status)
                        self._parking.stop_all()
                    finally:
                        self._parking.close()  # while there is a nursery for what becomes readable
                    for connection in self._connections:
                        connection.stop()
                    background.start_soon(self._end_after_grace, self._nursery.cancel_scope)
                background.cancel_scope.cancel()
        finally:
            self._reserve.close()
            if self._own_poller:
                self._own_poller.close()

    async def _watch_callers(self) -> None:
        """Detect callers that leave: run our own poller, or without epoll check every caller now and then."""
        if self._own_poller:
            await self._own_poller.run()
        while self._poller is None:
            await trio.sleep(_CHECK_INTERVAL)
            for connection in self._connections:
                connection.check_caller()

    def close_after_responses(self) -> None:
        """Go on serving; each response that begins from now on closes its connection, and says so."""
        self._closing_after_responses = True
        for connection in self._connections:
            connection.close_after_response()

    def stop_listening(self) -> None:
        """Close the listeners, so that another process can bind their addresses; open connections stay."""
        self._not_listening.set()

    def stop(self, grace: float, last_call: Callable[[], bool] = lambda: False) -> None:
        """Close the listeners; connections have `grace` seconds to finish (infinity: as long as they take).

        Then `last_call` is called. If it returns True, responses of that moment have a short time to go out.
        """
        self._grace, self._last_call = grace, last_call
        self._not_listening.set()
        self._stopping.set()

    def cut(self) -> None:
        """End the grace period now."""
        self.stop(0)
        self._grace_over.set()

    async def _accept(self, connections: trio.Nursery, task_status: trio.TaskStatus[None]) -> None:
        """Accept connections until the listeners close; return when open connections are to end."""
        try:
            async with trio.open_nursery() as accepting:
                for listener in self._listeners:
                    accepting.start_soon(self._accept_all, listener, connections)
                task_status.started()
                await self._not_listening.wait()
                accepting.cancel_scope.cancel()
        finally:
            self.close()
        await self._stopping.wait()

    async def _accept_all(self, listener: Listener, connections: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in SHORTAGE_ERRNOS:
                    raise
                self._limit.report_shortage(error)
                if not self._reserve.spend():
                    await trio.sleep(_SHORTAGE_PAUSE)
                    self._reserve.refill()
                continue
            if cause := self._cause(stream):
                self._reject(stream, cause)
            else:
                connections.start_soon(self._serve, self._admit(stream), stream)
            await trio.lowlevel.checkpoint()

    def _cause(self, stream: ServerStream) -> Cause | None:
        """Return why to reject a connection, None to admit it. The reserve's last descriptor is for rejecting."""
        if self._reserve.spent_last:
            return "descriptors"
        cause = self._limit.cause(_host(stream))
        if cause == "limit" and self._evicts and (self._parking.evict() or self._heads.drop_oldest()):
            return None
        return cause

    def _admit(self, stream: ServerStream) -> Connection:
        self._limit.enter(_host(stream))
        return self._connection(stream)

    def _connection(self, stream: ServerStream, idle: Idle | None = None) -> Connection:
        connection = Connection(
            stream,
            self._service,
            flusher=self._flusher,
            parking=self._parking,
            heads=self._heads,
            report=self._report,
            idle=idle,
        )
        if self._closing_after_responses:
            connection.close_after_response()
        self._connections.add(connection)
        return connection

    def _resume(self, idle: Idle) -> Connection:
        connection = self._connection(idle.stream, idle)
        assert self._nursery
        self._nursery.start_soon(self._serve, connection, idle.stream)
        return connection

    async def _serve(self, connection: Connection, stream: ServerStream) -> None:
        """Serve one connection; its exceptions end no other."""
        try:
            await connection.run()
        except* Exception as group:  # noqa: BLE001 - a failure ends its own connection, and no other
            self._report(group)
        finally:
            self._connections.discard(connection)
            if connection.parked:
                self._parking.park(connection.parked)
            else:
                self._leave(stream)

    def _leave(self, stream: ServerStream) -> None:
        self._limit.leave(_host(stream))
        self._reserve.refill()

    def _reject(self, stream: ServerStream, cause: Cause) -> None:
        """Send the reason as far as that needs no wait: waiting would keep the connection open after all."""
        self._limit.refuse(cause)
        if not stream.secure:
            with suppress(OSError):
                stream.push(error_response(_UNAVAILABLE, "too many connections are open"))
            stream.send_eof()
        stream.close()
        self._reserve.refill()

    async def _end_after_grace(self, connections: trio.CancelScope) -> None:
        """Cancel the remaining connections when the grace period is over."""
        with trio.move_on_after(self._grace) as over:
            await self._grace_over.wait()
        if over.cancelled_caught and self._last_call():
            await trio.sleep(_LAST_RESPONSES)
        connections.cancel()


def _host(stream: ServerStream) -> str | None:
    return stream.peer[0] if stream.peer else None
