"""Byte streams directly on sockets: the interfaces that connections use, and TCP."""

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
# How a dual-stack socket writes IPv4 addresses (RFC 4291, 2.5.5.2).
_MAPPED = "::ffff:"
Buffer = bytes | bytearray | memoryview

# The most that one read returns (bytes).
READ_SIZE = 65536
# How much unsent data the kernel buffers (bytes): little, so that a slow caller is noticed early.
_NOTSENT_LOWAT = 16 * 1024
# Linux reports an end of stream behind unread bytes; other systems only a reset, or an end that is next.
_PEER_LEFT = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
# Operations without a wait between two full checkpoints.
CHECKPOINT_EVERY = 8
_WAITING = (BlockingIOError, InterruptedError)
# A peer that is read this often without a write between sends a stream.
_STREAM_FROM = 8

# This machine lacks descriptors or memory for a connection. The condition passes when other connections end.
SHORTAGE_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC})


class Shortage(OSError):
    """Another resource of this machine is exhausted; not the peer's fault. `str()` says which."""


class Interrupted(Exception):
    """A read was interrupted while it waited: nothing was read, and nothing is lost."""


# What reads and writes raise on a broken or closed connection.
CONNECTION_ERRORS = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


async def occasional_checkpoint(count: int) -> None:
    """Let other tasks run at each CHECKPOINT_EVERY-th `count`, else only check for cancellation.

    Operations that need no wait would otherwise never let another task run.
    """
    if count % CHECKPOINT_EVERY:
        await trio.lowlevel.checkpoint_if_cancelled()
    else:
        await trio.lowlevel.checkpoint()


def _address(name: object) -> Address | None:
    """Return a socket address as host and port, IPv4-mapped IPv6 as IPv4; None for a unix socket."""
    match name:
        case (str(host), int(port), *_):
            return (host.removeprefix(_MAPPED) if "." in host else host), port
    return None


class ByteStream(Protocol):
    """The bytes of one connection. Reads and writes raise one of CONNECTION_ERRORS when it is broken or closed."""

    async def receive(self) -> bytes:
        """Wait for bytes and return them; b"" is the end of the stream."""

    def push(self, data: Buffer) -> int:
        """Send what can be sent without waiting; return the number of bytes."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""

    def nothing_to_read(self) -> bool:
        """Whether a read would wait: there are neither bytes nor an end to read."""

    def silent(self) -> bool:
        """Whether a read would wait, as far as is known without asking the kernel, once there was one."""

    def close(self) -> None:
        """Close the connection; a task that waits for it is woken. Synchronous: no other task runs between."""


class ServerStream(ByteStream, Protocol):
    """A caller's connection, with what the server needs beyond ByteStream."""

    peer: Address | None
    local: Address | None
    secure: bool
    on_loopback: bool  # accepted by a TCP listener on a loopback address
    certificate: tuple[str, ...]  # the names in the caller's certificate, if it has sent one that verifies
    # Called when the caller has left, even if bytes that it sent before are unread.
    on_peer_left: Callable[[], None] | None

    async def handshake(self) -> None:
        """Prepare the connection for the first byte, within a timeout."""

    def interrupt(self) -> None:
        """Let a `receive` that waits for bytes raise Interrupted, if `call_when_readable` can take its place."""

    def call_when_readable(self, call: Callable[[], None]) -> None:
        """Call this once, as soon as there is something to read, or an end: at once if there is. No task waits."""

    def peer_left(self) -> bool:
        """Whether the caller has left, as far as that is known before all of its bytes are read."""

    def send_eof(self) -> None:
        """Signal to the caller that nothing more will be sent."""

    def reset(self) -> None:
        """Reset the connection, so that the caller notices the break."""


class TCPStream:
    """A TCP or unix socket; a unix socket has no addresses.

    It calls the socket directly, because a Trio stream would yield at each read and write. With a poller, the
    poller reports when there is something to read; without, Trio waits for each read. The poller is cheaper where
    several sockets have something at once. A stream comes in small pieces, one here and one there: then Trio is
    cheaper, by a turn of its loop, and a socket that is read many times leaves the poller until the next write. It
    stays if it must notice that its peer leaves. Only one task may wait to read.
    """

    __slots__ = (
        *("_closed", "_ended", "_input_poll", "_left", "_number", "_on_input", "_poller", "_readable", "_reader"),
        *("_reads", "_sock", "_urgent", "_waits", "local", "on_loopback", "on_peer_left", "peer"),
    )
    secure = False
    certificate: tuple[str, ...] = ()

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
        self._left: Poller | None = None  # the poller to which it returns
        self._number = sock.fileno()
        self._waits = 0  # since the last write
        self.on_peer_left: Callable[[], None] | None = None
        self._readable = False  # as far as the poller has reported
        self._ended = False  # the peer has ended the stream, perhaps behind unread bytes
        self._urgent = False  # urgent data make reads return less than there is
        self._reads = 0
        self._reader: trio.lowlevel.Task | None = None
        self._on_input: Callable[[], None] | None = None
        if poller:
            poller.watch(sock, self._on_readable)
        self.local = _address(sock.getsockname())

    def nothing_to_read(self) -> bool:
        """See the interface: asks the kernel."""
        if self._closed:
            return False
        if self._input_poll is None:
            self._input_poll = select.poll()
            self._input_poll.register(self._sock, select.POLLIN)
        return not self._input_poll.poll(0)

    def silent(self) -> bool:
        """See the interface: a poller has reported what came in earlier turns of the loop."""
        if self._poller and not self._readable:
            return not self._closed
        return self.nothing_to_read()

    def peer_left(self) -> bool:
        """See the interface: asks the kernel."""
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
        """Reset by closing without lingering."""
        with suppress(OSError):  # it may have ended already
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the socket; a task that waits for it is woken."""
        if not self._closed:
            self._closed = True
            self._on_input = None
            if self._poller:
                self._poller.unwatch(self._sock)
            self.interrupt()
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()

    async def handshake(self) -> None:
        """Nothing to do for TCP."""

    async def receive(self) -> bytes:
        """Wait for bytes."""
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            if self._poller is None:
                await trio.lowlevel.wait_readable(self._number)
            elif self._readable:
                self._reads += 1
                await occasional_checkpoint(self._reads)
            elif self._waits == _STREAM_FROM and self.on_peer_left is None:
                self._poller.unwatch(self._sock)
                self._left, self._poller = self._poller, None
                continue
            else:
                self._waits += 1
                self._reader = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._abort_read)
                if self._closed:
                    raise trio.ClosedResourceError
                if not self._readable:
                    raise Interrupted
            try:
                data = self._sock.recv(READ_SIZE)
            except _WAITING:
                self._readable = False
                continue
            # After a short read the poller reports again; but it may have reported the end together with these
            # bytes.
            self._readable = self._ended or self._urgent or len(data) == READ_SIZE
            return data

    def _on_readable(self, ended: bool, urgent: bool) -> None:
        self._readable = True
        self._urgent = self._urgent or urgent
        self._ended = self._ended or ended
        if self._reader:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None
        elif self._on_input:
            call, self._on_input = self._on_input, None
            call()
        if ended and self.on_peer_left:
            self.on_peer_left()

    def interrupt(self) -> None:
        """See ServerStream: only where the poller reports."""
        if self._reader:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def call_when_readable(self, call: Callable[[], None]) -> None:
        """See ServerStream."""
        if self._readable:
            call()
        else:
            self._on_input = call

    def _abort_read(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def push(self, data: Buffer) -> int:
        """Pass to the kernel what it takes."""
        self._waits = 0
        if self._left:
            self._poller, self._left = self._left, None
            self._poller.watch(self._sock, self._on_readable)
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
        """Shut the sending side down."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
