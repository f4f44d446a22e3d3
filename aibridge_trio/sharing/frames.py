"""Frames between the arbiter and its workers: four bytes of length, then so many bytes; an empty one wakes up."""

from __future__ import annotations

import socket
import struct

import trio

_LENGTH = struct.Struct("!I")
# Bytes of a frame: a worker registers all that it holds in one.
LONGEST = 16 << 20
WAKE_UP = _LENGTH.pack(0)
_READ = 1 << 16


def frame(content: bytes) -> bytes:
    """Return content as a frame."""
    return _LENGTH.pack(len(content)) + content


class FrameReader:
    """Takes bytes as they come, and gives frames. It keeps at most one frame that is not complete."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the contents of the frames that are complete. Raises ValueError for one that is too long."""
        kept = self._kept
        kept += data
        found: list[bytes] = []
        at = 0
        while len(kept) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(kept, at)
            if length > LONGEST:
                raise ValueError("a frame that is too long")
            end = at + _LENGTH.size + length
            if len(kept) < end:
                break
            found.append(bytes(kept[at + _LENGTH.size : end]))
            at = end
        del kept[:at]
        return found

    def __repr__(self) -> str:
        return f"<FrameReader kept={len(self._kept)}>"


class FrameStream:
    """Frames over a connected socket, which it owns."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        self._reader = FrameReader()
        self._rest = bytearray()
        self._drains = False

    async def receive(self) -> list[bytes]:
        """Return the next frames, maybe none yet. Raises OSError at the end, ValueError for what is no frame."""
        await trio.lowlevel.wait_readable(self.socket)
        try:
            data = self.socket.recv(_READ)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError("the connection was closed")
        return self._reader.feed(data)

    def send(self, content: bytes) -> bool:
        """Send frames as far as that is possible at once; return whether nothing is left. Raises OSError."""
        if self._rest:
            self._rest += content
            return False
        try:
            sent = self.socket.send(content)
        except BlockingIOError:
            sent = 0
        self._rest += content[sent:]
        return not self._rest

    async def drain(self) -> None:
        """Send the rest, unless another task does. Raises OSError; a cancelled one must close the stream."""
        if self._drains:
            return
        self._drains = True
        while self._rest:
            await trio.lowlevel.wait_writable(self.socket)
            try:
                del self._rest[: self.socket.send(self._rest)]
            except BlockingIOError:
                continue
        self._drains = False

    @property
    def unsent(self) -> int:
        """How many bytes the other end has yet to take."""
        return len(self._rest)

    def close(self) -> None:
        """Close the socket; waits for it raise trio.ClosedResourceError."""
        trio.lowlevel.notify_closing(self.socket)
        self.socket.close()

    def __repr__(self) -> str:
        return f"<FrameStream unsent={self.unsent}>"
