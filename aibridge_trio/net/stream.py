"""Byte streams without a Trio stream between: TCP, and what cannot be asked of every stream."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import trio

from aibridge_trio.net.poller import Poller

Address = tuple[str, int]
# How a socket for both shows IPv4 addresses (RFC 4291, 2.5.5.2).
_MAPPED = "::ffff:"
Buffer = bytes | bytearray | memoryview

# What one read takes, in bytes.
READ_SIZE = 65536
# What the kernel takes beyond what it has sent, in bytes, so that a caller's slowness is felt early.
_NOTSENT_LOWAT = 16 * 1024
# Linux tells of an end that stands behind unread bytes; elsewhere only a reset shows, and an end that is next.
_PEER_LEFT = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
CHECKPOINT_EVERY = 8
_WAITING = (BlockingIOError, InterruptedError)


# This machine has nothing left to open a connection with: descriptors, memory. It passes when others end.
SHORTAGE_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC})


class Shortage(OSError):
    """Something else is short here, and it is nobody's on the other side; `str()` says what."""


# What reads and writes raise on a connection that is no more.
CONNECTION_ERRORS = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


async def occasional_checkpoint(count: int) -> None:
    """What is done without waiting, so many count by now, lets no other task run; now and then it must."""
    if count % CHECKPOINT_EVERY:
        await trio.lowlevel.checkpoint_if_cancelled()
    else:
        await trio.lowlevel.checkpoint()


def _address(name: object) -> Address | None:
    """A socket's name as host and port, IPv4 out of IPv6 as IPv4; None for a unix socket's."""
    match name:
        case (str(host), int(port), *_):
            return (host.removeprefix(_MAPPED) if "." in host else host), port
    return None


class ByteStream(Protocol):
    """One connection's bytes. Reads and writes raise one of CONNECTION_ERRORS when it is."""

    async def receive(self) -> bytes:
        """Wait for bytes; none are the end."""

    def push(self, data: Buffer) -> int:
        """Send what can be sent without waiting; return how many bytes that were."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""

    def nothing_to_read(self) -> bool:
        """Whether nothing has come that was not read: no bytes, no end."""

    def close(self) -> None:
        """Close it; who waits for it is woken. Not an await: it is called where nothing may come between."""


class ServerStream(ByteStream, Protocol):
    """A caller's connection, and what cannot be asked of every link."""

    peer: Address | None
    local: Address | None
    secure: bool
    on_loopback: bool  # taken by a TCP listener that only programs of this machine reach
    # Called when the caller has left, be it behind bytes that nobody has read.
    on_peer_left: Callable[[], None] | None

    async def handshake(self) -> None:
        """Do what comes before the first byte, within a deadline."""

    def peer_left(self) -> bool:
        """Whether the caller has left, as far as that can be known before all that it sent is read."""

    def send_eof(self) -> None:
        """Tell the caller that nothing more will come."""

    def reset(self) -> None:
        """Close it at once, so that the caller sees a break."""


class TCPStream:
    """TCP, or a unix socket, which has no addresses.

    It goes to the socket without a Trio stream between: a stream yields at each read and write.

    With a poller, that tells when there is something to read; without, Trio is asked each time. One task may wait
    to read.
    """

    secure = False

    def __init__(self, sock: socket.socket, peer: object = None, poller: Poller | None = None) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOTSENT_LOWAT)
        self._sock = sock
        self._closed = False
        self._input_poll: select.poll | None = None
        self.peer = _address(peer)
        self.on_loopback = False
        self._poller = poller
        self.on_peer_left: Callable[[], None] | None = None
        self._readable = False  # as far as is known
        self._ended = False  # the end is behind what can be read
        self._urgent = False  # reads stop short where urgent bytes were
        self._reads = 0
        self._reader: trio.lowlevel.Task | None = None
        if poller:
            poller.watch(sock, self._on_readable)
        self.local = _address(sock.getsockname())

    def nothing_to_read(self) -> bool:
        """Ask the kernel."""
        if self._closed:
            return False
        if self._input_poll is None:
            self._input_poll = select.poll()
            self._input_poll.register(self._sock, select.POLLIN)
        return not self._input_poll.poll(0)

    def peer_left(self) -> bool:
        """Ask the kernel."""
        if self._closed:
            return True
        poll = select.poll()
        poll.register(self._sock, _PEER_LEFT)
        if poll.poll(0):
            return True
        try:
            return not self._sock.recv(1, socket.MSG_PEEK)
        except _WAITING:
            return False
        except OSError:
            return True

    def reset(self) -> None:
        """Close without lingering."""
        with suppress(OSError):  # it may have ended by itself
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the socket; who waits for it is woken."""
        if not self._closed:
            self._closed = True
            if self._poller:
                self._poller.unwatch(self._sock)
            if self._reader:
                trio.lowlevel.reschedule(self._reader)
                self._reader = None
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()

    async def handshake(self) -> None:
        """Nothing comes before."""

    async def receive(self) -> bytes:
        """Wait for bytes."""
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            if self._poller is None:
                await trio.lowlevel.wait_readable(self._sock)
            elif self._readable:
                self._reads += 1
                await occasional_checkpoint(self._reads)
            else:
                self._reader = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._abort_read)
                if self._closed:
                    raise trio.ClosedResourceError
            try:
                data = self._sock.recv(READ_SIZE)
            except _WAITING:
                self._readable = False
                continue
            # What comes behind a short read is told anew; the end may have been told together with the bytes.
            self._readable = self._ended or self._urgent or len(data) == READ_SIZE
            return data

    def _on_readable(self, ended: bool, urgent: bool) -> None:
        self._readable = True
        self._urgent = self._urgent or urgent
        self._ended = self._ended or ended
        if self._reader:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None
        if ended and self.on_peer_left:
            self.on_peer_left()

    def _abort_read(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def push(self, data: Buffer) -> int:
        """Give the kernel what it takes."""
        try:
            return self._sock.send(data)
        except _WAITING:
            return 0

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        with memoryview(data) as rest:
            at = 0
            while at < len(data):
                if self._closed:
                    raise trio.ClosedResourceError
                await trio.lowlevel.wait_writable(self._sock)
                at += self.push(rest[at:])

    def send_eof(self) -> None:
        """Say so by TCP."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
