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

from aibridge_trio.http.response_writer import refusal
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.poller import Poller
from aibridge_trio.net.poller import poller as new_poller
from aibridge_trio.net.stream import SHORTAGES, ServerStream
from aibridge_trio.server.asgi import Application
from aibridge_trio.server.connection import Connection
from aibridge_trio.server.connection_bounds import KEEP_ALIVE, HeadBudget
from aibridge_trio.server.connection_limit import Cause, ConnectionLimit, ConnectionStats, Reserve
from aibridge_trio.server.dispatch import service
from aibridge_trio.server.listener import Listener, SocketListener, take
from aibridge_trio.server.unix_listener import UnixListener
from aibridge_trio.server.writer import Flusher

# With nothing left to accept with, how long to wait for connections to end (seconds).
_SHORTAGE_PAUSE = 0.1
_UNAVAILABLE = 503
# What answers of the last moment have to go out (seconds).
_LAST_WORDS = 0.05
# Where no poller tells, how often to look whether callers have left (seconds).
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
        self._crowd = connections or ConnectionLimit("callers", lambda text: report(RuntimeWarning(text)))
        self._reserve = Reserve(reserve)
        self._evicts = evicts
        self._heads = HeadBudget()
        self._listeners: list[Listener] = []
        self._flusher = Flusher(report)
        self._idleness = Deadline(keep_alive)
        self._state: dict[str, Any] = {}
        self._service = service(app, self._state)
        self._connections: set[Connection] = set()
        self._leaving = False
        self._deaf, self._stopping = trio.Event(), trio.Event()
        self._grace = math.inf
        self._last_call: Callable[[], bool] = lambda: False
        self._enough = trio.Event()

    def statistics(self) -> ConnectionStats:
        """Return what is open now."""
        return self._crowd.statistics()

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
                for service in (self._flusher.run, self._idleness.run, self._crowd.run, self._listen):
                    background.start_soon(service)
                async with trio.open_nursery() as connections:
                    await self._accept(connections, task_status)
                    for connection in self._connections:
                        connection.stop()
                    background.start_soon(self._cut, connections.cancel_scope)
                background.cancel_scope.cancel()
        finally:
            self._reserve.close()
            if self._own_poller:
                self._own_poller.close()

    async def _listen(self) -> None:
        """Hear of the sockets, by a poller of our own if nobody lends one; without any, look for who has left."""
        if self._own_poller:
            await self._own_poller.run()
        while self._poller is None:
            await trio.sleep(_LOOK)
            for connection in self._connections:
                connection.look()

    def say_goodbye(self) -> None:
        """Serve on; every answer that begins from now on is the last of its connection, and says so."""
        self._leaving = True
        for connection in self._connections:
            connection.say_goodbye()

    def deafen(self) -> None:
        """Close the listeners, so that another process can have their addresses; open connections stay."""
        self._deaf.set()

    def stop(self, grace: float, last_call: Callable[[], bool] = lambda: False) -> None:
        """Close the listeners; connections have `grace` seconds to finish (infinity: as long as they take).

        Then `last_call` is called. If it is true, answers of that moment have a little time to go out.
        """
        self._grace, self._last_call = grace, last_call
        self._deaf.set()
        self._stopping.set()

    def cut(self) -> None:
        """End the grace now."""
        self.stop(0)
        self._enough.set()

    async def _accept(self, connections: trio.Nursery, task_status: trio.TaskStatus[None]) -> None:
        """Take connections in until the listeners close; return when it is time to end those that are open."""
        try:
            async with trio.open_nursery() as accepting:
                for listener in self._listeners:
                    accepting.start_soon(self._accept_all, listener, connections)
                task_status.started()
                await self._deaf.wait()
                accepting.cancel_scope.cancel()
        finally:
            self.close()
        await self._stopping.wait()

    async def _accept_all(self, listener: Listener, connections: trio.Nursery) -> None:
        while True:
            try:
                wire = await listener.accept()
            except OSError as error:
                if error.errno not in SHORTAGES:
                    raise
                self._crowd.run_short(error)
                if not self._reserve.spend():
                    await trio.sleep(_SHORTAGE_PAUSE)
                    self._reserve.refill()
                continue
            if cause := self._cause(wire):
                self._turn_away(wire, cause)
            else:
                connections.start_soon(self._serve, self._admit(wire), wire)
            await trio.lowlevel.checkpoint()

    def _cause(self, wire: ServerStream) -> Cause | None:
        """Return why a connection is to be turned away. The last descriptor of the reserve is for doing so."""
        if self._reserve.spent_last:
            return "descriptors"
        cause = self._crowd.cause(_host(wire))
        if cause == "limit" and self._evicts and (self._idleness.hurry() or self._heads.hurry()):
            return None
        return cause

    def _admit(self, wire: ServerStream) -> Connection:
        connection = Connection(
            wire,
            self._service,
            flusher=self._flusher,
            idleness=self._idleness,
            heads=self._heads,
            report=self._report,
        )
        if self._leaving:
            connection.say_goodbye()
        self._connections.add(connection)
        self._crowd.enter(_host(wire))
        return connection

    async def _serve(self, connection: Connection, wire: ServerStream) -> None:
        """Serve one connection; whatever goes wrong in it stays in it."""
        try:
            await connection.run()
        except* Exception as group:  # noqa: BLE001 - one connection's failure is that connection's
            self._report(group)
        finally:
            self._connections.discard(connection)
            self._crowd.leave(_host(wire))
            self._reserve.refill()

    def _turn_away(self, wire: ServerStream, cause: Cause) -> None:
        """Say why, as far as that goes without waiting: to wait for the one too many would be to let it in."""
        self._crowd.refuse(cause)
        if not wire.secure:
            with suppress(OSError):
                wire.push(refusal(_UNAVAILABLE, "too many connections are open"))
            wire.finish()
        wire.close()
        self._reserve.refill()

    async def _cut(self, connections: trio.CancelScope) -> None:
        """End what is left when the grace is over."""
        with trio.move_on_after(self._grace) as over:
            await self._enough.wait()
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


def _host(wire: ServerStream) -> str | None:
    return wire.peer[0] if wire.peer else None


def _config(tls_cert: Path | None, tls_key: Path | None) -> Config:
    config = Config()
    config.certfile = str(tls_cert) if tls_cert else None
    config.keyfile = str(tls_key) if tls_key else None
    config.alpn_protocols = ["http/1.1"]
    config.errorlog = None
    return config
