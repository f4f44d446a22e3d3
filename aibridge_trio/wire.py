"""A caller's byte stream, plain or TLS, and what cannot be asked of every stream."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from contextlib import suppress
from typing import Protocol

import trio

Address = tuple[str, int]
Buffer = bytes | bytearray | memoryview

# What one read takes, in bytes.
READ_SIZE = 65536
# What the kernel takes beyond what it has sent, in bytes, so that a caller's slowness is felt early.
_UNSENT = 16 * 1024
# What a caller has for its TLS handshake (seconds).
_HANDSHAKE = 10.0
# Linux tells of an end that stands behind unread bytes; elsewhere only a reset shows.
_LEFT = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
_WAITING = (BlockingIOError, InterruptedError)


# What reads and writes raise on a connection that is no more.
BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class Wire(Protocol):
    """One connection's bytes. Reads and writes raise one of BROKEN when it is."""

    peer: Address | None
    own: Address | None
    secure: bool

    async def open(self) -> None:
        """Do what comes before the first byte, within a deadline."""

    async def receive(self) -> bytes:
        """Wait for bytes; none are the end."""

    def push(self, data: Buffer) -> int:
        """Send what can be sent without waiting; return how many bytes that were."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""

    def left(self) -> bool:
        """Whether the caller has left, though bytes that nobody read may stand before that."""

    def finish(self) -> None:
        """Tell the caller that nothing more will come."""

    def reset(self) -> None:
        """Close it at once, so that the caller sees a break."""

    def close(self) -> None:
        """Close it. Not an await: it is called where nothing may come between."""


class _Socket:
    """What plain and TLS have in common: a connected, non-blocking socket."""

    def __init__(self, sock: socket.socket, peer: Address | None) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        self._sock = sock
        self.peer = peer
        name = sock.getsockname()
        self.own: Address | None = (name[0], name[1])

    def left(self) -> bool:
        """Ask the kernel."""
        poll = select.poll()
        poll.register(self._sock, _LEFT)
        return bool(poll.poll(0))

    def reset(self) -> None:
        """Close without lingering."""
        with suppress(OSError):  # it may have ended by itself
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the socket; who waits for it is woken."""
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()


class Plain(_Socket):
    """TCP. It goes to the socket without a Trio stream between: a stream yields at each read and write."""

    secure = False

    async def open(self) -> None:
        """Nothing comes before."""

    async def receive(self) -> bytes:
        """Wait for bytes."""
        while True:
            self._check()
            await trio.lowlevel.wait_readable(self._sock)
            with suppress(*_WAITING):
                return self._sock.recv(READ_SIZE)

    def push(self, data: Buffer) -> int:
        """Give the kernel what it takes."""
        self._check()
        try:
            return self._sock.send(data)
        except _WAITING:
            return 0

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        with memoryview(data) as rest:
            at = 0
            while at < len(data):
                self._check()
                await trio.lowlevel.wait_writable(self._sock)
                at += self.push(rest[at:])

    def finish(self) -> None:
        """Say so by TCP."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def _check(self) -> None:
        if self._sock.fileno() < 0:
            raise trio.ClosedResourceError


class Secure(_Socket):
    """TLS over TCP."""

    secure = True

    def __init__(self, sock: socket.socket, peer: Address | None, context: ssl.SSLContext) -> None:
        super().__init__(sock, peer)
        transport = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        self._stream = trio.SSLStream(transport, context, server_side=True, https_compatible=True)

    async def open(self) -> None:
        """Shake hands."""
        with trio.move_on_after(_HANDSHAKE) as scope:
            await self._stream.do_handshake()
        if scope.cancelled_caught:
            raise trio.BrokenResourceError

    async def receive(self) -> bytes:
        """Wait for bytes."""
        return bytes(await self._stream.receive_some(READ_SIZE))

    def push(self, data: Buffer) -> int:  # noqa: ARG002
        """Nothing: encryption is Trio's, and that may wait."""
        return 0

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self._stream.send_all(data)

    def finish(self) -> None:
        """Say nothing: TLS cannot be closed one way, and the caller knows by the framing."""
