"""The bridge asks itself: a request over a real connection to each of its own listeners for callers.

The request's path is a secret of this process, so it is neither limited nor counted, and its answer is this
process's own even where another process accepts connections from the same socket.
"""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable

import trio

from aibridge_trio.http.message import Handler, Reply, Request
from aibridge_trio.net.stream import SHORTAGE_ERRNOS
from aibridge_trio.net.tls_contexts import unchecked_context
from aibridge_trio.server.server import Server

_NO_CONTENT = 204
# How often to ask again where another process answers, and the pause (seconds) after a connection that failed.
_ATTEMPTS = 20
_PAUSE = 0.05
_READ = 4096
# Where a socket is bound to every address, it is reached on loopback.
_REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class SelfTest:
    """Tells whether the listeners of a server answer; its handler has to be wrapped by `answering`.

    `path` is the request's; without one it is a new one.
    """

    def __init__(self, path: bytes = b"") -> None:
        self.path = path or f"/self-test/{secrets.token_hex(16)}".encode()
        self._answered = 0

    def answering(self, handler: Handler) -> Handler:
        """Return the handler, with an answer of its own for the test's requests."""

        def handle(request: Request, reply: Reply) -> Awaitable[None]:
            return self._answer(reply) if request.path == self.path else handler(request, reply)

        return handle

    async def failure(self, server: Server, within: float) -> str | None:
        """Return why the callers' listeners do not work; None if each answers within so many seconds.

        A connection that is closed because there are too many is an answer. A listener that this process may not
        connect to is not tested, and neither is any while there are no descriptors left.
        """

        def answers() -> int:
            return self._answered + server.statistics().refused

        return await self._failure(server.sockets(), within, answers, secure=server.secure)

    async def _failure(
        self, sockets: Iterable[socket.socket], within: float, answers: Callable[[], int], *, secure: bool
    ) -> str | None:
        """Return why not all sockets answer; `answers` returns how many answers there were so far."""
        found: list[str] = []

        async def test(sock: socket.socket) -> None:
            with trio.move_on_after(within) as limit:
                if why := await self._test(sock, answers, secure=secure):
                    found.append(f"{_shown(sock)}: {why}")
            if limit.cancelled_caught:
                found.append(f"{_shown(sock)}: no answer within {within:.3g} s")

        async with trio.open_nursery() as nursery:
            for sock in sockets:
                nursery.start_soon(test, sock)
        return "; ".join(sorted(found)) or None

    def __repr__(self) -> str:
        return f"<SelfTest answered={self._answered}>"

    async def _answer(self, reply: Reply) -> None:
        self._answered += 1
        await reply.answer(_NO_CONTENT, [], b"")

    async def _test(self, sock: socket.socket, answers: Callable[[], int], *, secure: bool) -> str | None:
        why = "another process answers"
        for _ in range(_ATTEMPTS):
            before = answers()
            try:
                await self._ask(sock, secure=secure)
            except (PermissionError, FileNotFoundError):
                return None  # the file of a unix socket, which belongs to the service manager
            except OSError as error:
                if error.errno in SHORTAGE_ERRNOS:
                    return None
                why = error.strerror or type(error).__name__
                await trio.sleep(_PAUSE)
            except trio.BrokenResourceError as error:
                if isinstance(error.__cause__, ssl.SSLError):
                    return None  # it wants a certificate: it answers
                why = "the connection broke"
            if answers() > before:
                return None
        return why

    async def _ask(self, listening: socket.socket, *, secure: bool) -> bytes:
        """Send a request, and return what was answered first."""
        with trio.socket.socket(listening.family, socket.SOCK_STREAM) as sock:
            await sock.connect(_reached_at(listening))
            stream: trio.abc.Stream = trio.SocketStream(sock)
            if secure:
                stream = trio.SSLStream(stream, unchecked_context(), https_compatible=True)
            await stream.send_all(b"HEAD %b HTTP/1.1\r\nhost: localhost\r\n\r\n" % self.path)
            return bytes(await stream.receive_some(_READ))


def _reached_at(listening: socket.socket) -> object:
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return name
    host, port, *rest = name
    return (_REACHED_AT.get(host, host), port, *rest)


def _shown(sock: socket.socket) -> str:
    name = sock.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else f"unix:{name!r}"
