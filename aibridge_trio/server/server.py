"""Connections from their beginning to their end.

A `Server` is opened (ports are taken, or a UsageError raised), run in a nursery, and stopped: its listeners
close, connections may finish within a grace period, the rest is cut. The configuration, TLS and lifespan are
hypercorn's; its worker has no place for a connection of somebody else's, so the loop that accepts is here.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.lifespan import Lifespan

from aibridge_trio.http.response_writer import error_response
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.poller import Poller, new_poller
from aibridge_trio.net.stream import SHORTAGE_ERRNOS, ServerStream
from aibridge_trio.server.asgi import Application
from aibridge_trio.server.connection import Connection
from aibridge_trio.server.connection_bounds import KEEP_ALIVE, HeadBudget
from aibridge_trio.server.connection_limit import Cause, ConnectionLimit, ConnectionStats, Reserve
from aibridge_trio.server.dispatch import service_for
from aibridge_trio.server.listener import Listener, SocketListener, take
from aibridge_trio.server.unix_listener import UnixListener
from aibridge_trio.server.writer import Flusher

# With nothing left to accept with, how long to wait for connections to end (seconds).
_SHORTAGE_PAUSE = 0.1
_UNAVAILABLE = 503
# What answers of the last moment have to go out (seconds).
_LAST_WORDS = 0.05
# Where no poller tells, how often to check_caller whether callers have left (seconds).
_LOOK = 0.5


class Server:
    """Listeners that call one ASGI application.

    `report` is told what went wrong inside one connection; it ends that connection and no more. `connections`
    counts and limits them; by default there is no limit. If it `evicts`, the one that idles longest, or else
    is the slowest to send a head, makes room for another. With no descriptor left, `reserve` of them are there to
    accept with; the last is for turning away. It lets one idle for `keep_alive` seconds. A `poller`, which
    somebody else runs, tells what there is to read.
    The application can reset its TCP connection by the scope's extension `aibridge.reset`.
    """

    def __init__(
        self,
        app: Application,
        *,
        report: Callable[[BaseException], None],
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
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
        self._config = _config(tls_cert, tls_key)
        self._context = self._config.create_ssl_context()
        self._limit = connections or ConnectionLimit("callers", lambda text: report(RuntimeWarning(text)))
        self._reserve = Reserve(reserve)
        self._evicts = evicts
        self._heads = HeadBudget()
        self._listeners: list[Listener] = []
        self._flusher = Flusher(report)
        self._idleness = Deadline(keep_alive)
        self._state: dict[str, Any] = {}
        self._service = service_for(app, self._state)
        self._connections: set[Connection] = set()
        self._closing_after_responses = False
        self._not_listening, self._stopping = trio.Event(), trio.Event()
        self._grace = math.inf
        self._last_call: Callable[[], bool] = lambda: False
        self._grace_over = trio.Event()

    def statistics(self) -> ConnectionStats:
        """Return what is open now."""
        return self._limit.statistics()

    def __repr__(self) -> str:
        return f"<Server connections={len(self._connections)} stopping={self._stopping.is_set()}>"

    def open(self, host: str, port: int, *, option: str, dual: bool = True) -> tuple[str, int]:
        """Listen on a port too, and return where; a UsageError names `option` when that can't be done."""
        sock = take(host, port, option=option, dual=dual)
        self._listeners.append(SocketListener(sock, self._context, self._poller))
        address: tuple[str, int] = sock.getsockname()[:2]
        return address

    def open_unix(self, path: str, mode: int, *, option: str) -> None:
        """Listen on a unix socket too, its file made with this mode. Raises UsageError likewise."""
        self._listeners.append(UnixListener(path, mode, self._context, self._poller, option=option))

    def close(self) -> None:
        """Give ports and sockets back."""
        for listener in self._listeners:
            listener.close()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and serve until `stop`, then let connections finish within its grace."""
        self._reserve.refill()
        try:
            async with self._lifespan(), trio.open_nursery() as background:
                for service in (self._flusher.run, self._idleness.run, self._limit.run, self._watch_callers):
                    background.start_soon(service)
                async with trio.open_nursery() as connections:
                    await self._accept(connections, task_status)
                    for connection in self._connections:
                        connection.stop()
                    background.start_soon(self._end_after_grace, connections.cancel_scope)
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
            await trio.sleep(_LOOK)
            for connection in self._connections:
                connection.check_caller()

    def close_after_responses(self) -> None:
        """Serve on; every answer that begins from now on is the last of its connection, and says so."""
        self._closing_after_responses = True
        for connection in self._connections:
            connection.close_after_response()

    def stop_listening(self) -> None:
        """Close the listeners, so that another process can have their addresses; open connections stay."""
        self._not_listening.set()

    def stop(self, grace: float, last_call: Callable[[], bool] = lambda: False) -> None:
        """Close the listeners; connections have `grace` seconds to finish (infinity: as long as they take).

        Then `last_call` is called. If it is true, answers of that moment have a little time to go out.
        """
        self._grace, self._last_call = grace, last_call
        self._not_listening.set()
        self._stopping.set()

    def cut(self) -> None:
        """EndOfRequest the grace now."""
        self.stop(0)
        self._grace_over.set()

    async def _accept(self, connections: trio.Nursery, task_status: trio.TaskStatus[None]) -> None:
        """Take connections in until the listeners close; return when it is time to end those that are open."""
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
        """Return why a connection is to be turned away. The last descriptor of the reserve is for doing so."""
        if self._reserve.spent_last:
            return "descriptors"
        cause = self._limit.cause(_host(stream))
        if cause == "limit" and self._evicts and (self._idleness.expire_oldest() or self._heads.drop_oldest()):
            return None
        return cause

    def _admit(self, stream: ServerStream) -> Connection:
        connection = Connection(
            stream,
            self._service,
            flusher=self._flusher,
            idleness=self._idleness,
            heads=self._heads,
            report=self._report,
        )
        if self._closing_after_responses:
            connection.close_after_response()
        self._connections.add(connection)
        self._limit.enter(_host(stream))
        return connection

    async def _serve(self, connection: Connection, stream: ServerStream) -> None:
        """Serve one connection; whatever goes wrong in it stays in it."""
        try:
            await connection.run()
        except* Exception as group:  # noqa: BLE001 - one connection's failure is that connection's
            self._report(group)
        finally:
            self._connections.discard(connection)
            self._limit.leave(_host(stream))
            self._reserve.refill()

    def _reject(self, stream: ServerStream, cause: Cause) -> None:
        """Say why, as far as that goes without waiting: to wait for the one too many would be to let it in."""
        self._limit.refuse(cause)
        if not stream.secure:
            with suppress(OSError):
                stream.push(error_response(_UNAVAILABLE, "too many connections are open"))
            stream.send_eof()
        stream.close()
        self._reserve.refill()

    async def _end_after_grace(self, connections: trio.CancelScope) -> None:
        """EndOfRequest what is left when the grace is over."""
        with trio.move_on_after(self._grace) as over:
            await self._grace_over.wait()
        if over.cancelled_caught and self._last_call():
            await trio.sleep(_LAST_WORDS)
        connections.cancel()

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        """Tell the application when serving begins and ends; one that does not listen is served all the same."""
        lifespan = Lifespan(ASGIWrapper(self._app), self._config, self._state)  # type: ignore[arg-type] # its own names for ASGI
        async with trio.open_nursery() as nursery:
            await nursery.start(lifespan.handle_lifespan)
            with suppress(trio.ClosedResourceError):
                await lifespan.wait_for_startup()
            yield
            with suppress(trio.ClosedResourceError):
                await lifespan.wait_for_shutdown()
            nursery.cancel_scope.cancel()


def _host(stream: ServerStream) -> str | None:
    return stream.peer[0] if stream.peer else None


def _config(tls_cert: Path | None, tls_key: Path | None) -> Config:
    config = Config()
    config.certfile = str(tls_cert) if tls_cert else None
    config.keyfile = str(tls_key) if tls_key else None
    config.alpn_protocols = ["http/1.1"]
    config.errorlog = None
    return config
