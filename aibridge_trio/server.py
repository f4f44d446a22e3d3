"""Sockets, TLS, connections, and their end; the connections themselves are hypercorn's.

A `Server` is opened (the port is taken, or a Mistake raised), run in a nursery, and stopped: the listener
closes, connections may finish within a grace period, the rest is cut.
"""

from __future__ import annotations

import errno
import logging
import math
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from aibridge_trio.asgi import Application, Receive, Scope, Send
from aibridge_trio.connection import Connection
from aibridge_trio.errors import Mistake

# Connections that the kernel completes before the bridge accepts them: room for a flash crowd.
_BACKLOG = 1024
# How long (seconds) a connection may idle: longer than the callers' pools keep it (httpx 5, undici 4), so
# that it is they who close, and no request meets a closing connection.
_KEEP_ALIVE = 75
# A caller whose kernel acknowledges nothing for this long (milliseconds) is dropped: hypercorn's writes have
# no deadline of their own.
_STALLED_READER_MS = 60_000
# What getaddrinfo says of names; `create_server` passes the number on and not the class.
_UNRESOLVED = {value for name, value in vars(socket).items() if name.startswith("EAI_")}
# What a caller has for its TLS handshake (seconds).
_HANDSHAKE = 10


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many connections are open."""

    connections: int


class Server:
    """One listener that calls one ASGI application.

    `report` is told what went wrong inside one connection; it ends that connection and no more.
    The application can reset its TCP connection by the scope's extension `aibridge.reset`.
    """

    def __init__(
        self,
        app: Application,
        *,
        report: Callable[[BaseException], None],
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
    ) -> None:
        self._app = app
        self._report = report
        self._config = _config(tls_cert, tls_key)
        self._context = WorkerContext(None)
        self._socket: socket.socket | None = None
        self._streams: set[trio.abc.Stream] = set()
        self._stopping = trio.Event()
        self._grace = math.inf
        self._enough = trio.Event()

    def statistics(self) -> Statistics:
        """Return what is open now."""
        return Statistics(connections=len(self._streams))

    def __repr__(self) -> str:
        return f"<Server connections={len(self._streams)} stopping={self._stopping.is_set()}>"

    def open(self, host: str, port: int, *, option: str) -> tuple[str, int]:
        """Take the port and return where it listens; a Mistake names `option` when that can't be done."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except (OSError, OverflowError) as error:
            raise Mistake(f"{option}: cannot listen on {host}:{port}: {_why(error)}") from None
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_READER_MS)
        address: tuple[str, int] = self._socket.getsockname()[:2]
        return address

    def close(self) -> None:
        """Give the port back, where `run` did not come to it."""
        if self._socket is not None:
            self._socket.close()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and serve until `stop`, then let connections finish within its grace."""
        async with trio.open_nursery() as reaper:
            async with trio.open_nursery() as connections:
                await self._accept(connections, task_status)
                await self._context.terminated.set()  # idle connections close now, busy ones after their answer
                reaper.start_soon(self._cut, connections.cancel_scope)
            reaper.cancel_scope.cancel()

    async def _accept(self, connections: trio.Nursery, task_status: trio.TaskStatus[None]) -> None:
        """Take connections in until told to stop."""
        accept = partial(
            trio.serve_listeners, self.serve_connection, self._listeners(), handler_nursery=connections
        )
        with _AcceptErrors(self._report).told():
            async with trio.open_nursery() as accepting:
                await accepting.start(accept)
                task_status.started()
                await self._stopping.wait()
                accepting.cancel_scope.cancel()

    def stop(self, grace: float) -> None:
        """Close the listener; connections have `grace` seconds to finish (infinity: as long as they take)."""
        self._grace = grace
        self._stopping.set()

    def cut(self) -> None:
        """End the grace now."""
        self.stop(0)
        self._enough.set()

    async def serve_connection(self, stream: trio.abc.Stream) -> None:
        """Serve one connection; whatever goes wrong in it stays in it."""
        app = _with_reset(self._app, stream)
        state: Any = ConnectionState({})
        connection = Connection(ASGIWrapper(app), self._config, self._context, state, stream)  # type: ignore[arg-type]
        with self._tracked(stream):
            try:
                await connection.run()
            except* Exception as group:  # noqa: BLE001 - one connection's failure is that connection's
                self._report(group)

    @contextmanager
    def _tracked(self, stream: trio.abc.Stream) -> Iterator[None]:
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)

    async def _cut(self, connections: trio.CancelScope) -> None:
        """End what is left when the grace is over; hypercorn shields its writes, so the sockets go too."""
        with trio.move_on_after(self._grace):
            await self._enough.wait()
        connections.cancel()
        for stream in self._streams:
            _reset(stream)

    def _listeners(self) -> list[trio.SocketListener | trio.SSLListener[trio.SocketStream]]:
        assert self._socket is not None
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._socket))
        context = self._config.create_ssl_context()
        return [trio.SSLListener(listener, context, https_compatible=True) if context else listener]


class _AcceptErrors(logging.Handler):
    """Tells, once a second, what trio would log ten times a second with tracebacks: descriptors used up."""

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        super().__init__()
        self._report_error = report
        self._quiet_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the exception on."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and trio.current_time() >= self._quiet_until:
            self._quiet_until = trio.current_time() + 1
            self._report_error(error)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Listen to trio's logger for so long."""
        logger = logging.getLogger("trio.serve_listeners")
        logger.propagate = False
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)


def _config(tls_cert: Path | None, tls_key: Path | None) -> Config:
    config = Config()
    config.certfile = str(tls_cert) if tls_cert else None
    config.keyfile = str(tls_key) if tls_key else None
    config.alpn_protocols = ["http/1.1"]
    config.include_server_header = False
    config.include_date_header = False  # the provider's own goes through; rejects bring theirs
    config.errorlog = None
    config.keep_alive_timeout = _KEEP_ALIVE
    config.ssl_handshake_timeout = _HANDSHAKE
    return config


def _why(error: OSError | OverflowError) -> str:
    match error:
        case OverflowError():
            return "a port is between 0 and 65535"
        case OSError(errno=errno.EADDRINUSE):
            return "the port is in use; stop the program that holds it or choose another port"
        case OSError(errno=errno.EACCES):
            return "not permitted; choose a port above 1023"
        case OSError(errno=errno.EADDRNOTAVAIL):
            return "this machine has no such address"
        case OSError(errno=code) if code in _UNRESOLVED:
            return "the host name cannot be resolved; write an address of this machine"
    return str(error.strerror or error)


def _reset(stream: Any) -> None:
    """Drop a connection at once; the peer sees a reset."""
    while hasattr(stream, "transport_stream"):
        stream = stream.transport_stream
    with suppress(OSError):  # it may have closed by itself
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()


def _with_reset(app: Application, stream: trio.abc.Stream) -> Application:
    async def resettable(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"]["aibridge.reset"] = partial(_reset, stream)
        await app(scope, receive, send)

    return resettable
