"""One end of a TCP connection that can be closed or reset after any byte."""

from __future__ import annotations

import socket
import struct

import trio

# What the other side's going looks like.
BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
_READ = 65536
_RESET = struct.pack("ii", 1, 0)  # no lingering: closing is a reset
_LOOPBACK = "127.0.0.1"
# Of which an unread answer fills the two buffers between it and the bridge soon.
_NARROW = 4096
# From Linux's in.h: the port is chosen when it is known where to, so that many connections find one.
_BIND_ADDRESS_NO_PORT = 24


class End:
    """A connected socket."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._sock = sock
        self._stream = trio.SocketStream(sock)

    async def send(self, data: bytes) -> None:
        """Send all of this."""
        if data:
            await self._stream.send_all(data)

    async def hear(self) -> bytes | bytearray:
        """Return what comes next, nothing at the end."""
        return await self._stream.receive_some(_READ)

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break it."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def close(self) -> None:
        """Close it."""
        self._stream.socket.close()


async def connect(port: int, *, address: str = _LOOPBACK, narrow: bool = False) -> End:
    """Connect to a port of this machine, from an address of its own; `narrow` has a small receive buffer."""
    sock = trio.socket.socket()
    try:
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        if narrow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW)
        await sock.bind((address, 0))
        await sock.connect((_LOOPBACK, port))
        return End(sock)
    except BaseException:
        sock.close()
        raise
