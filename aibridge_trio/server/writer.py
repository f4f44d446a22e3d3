"""Bytes on their way to a caller: few writes, and none that waits for ever."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio

from aibridge_trio.net.stream import CONNECTION_ERRORS, ServerStream

Spawn = Callable[[Callable[[], Awaitable[None]]], None]

# A caller whose kernel takes nothing more for this long is dropped (seconds): it has stopped reading. The time
# is for each so many bytes, so that a slow reader of a long answer is none who stopped.
WRITE_TIMEOUT = 60.0
_WRITE_SIZE = 64 * 1024
# A write without waiting lets no other task run. So often another may.
CHECKPOINT_EVERY = 8


class Flusher:
    """Writes out what was kept during one turn of Trio's loop. One task for all connections of a server.

    A head is followed by its first piece and its end without a wait between, as a rule; together they are one
    write. But an application may wait after its head, and then the head must go out. `report` is told of failures
    of ours, which end that one connection.
    """

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._report = report
        self._waiting: list[ResponseWriter] = []
        self._lot = trio.lowlevel.ParkingLot()

    def add(self, writer: ResponseWriter) -> None:
        """Write this one out as flush_soon as the running task waits."""
        self._waiting.append(writer)
        self._lot.unpark()

    async def run(self) -> None:
        """Do so until cancelled."""
        while True:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                for writer in waiting:
                    try:
                        writer.flush()
                    except Exception as error:  # noqa: BLE001 - one connection's failure is that connection's
                        self._report(error)
                        writer.abort()
            await self._lot.park()


class ResponseWriter:
    """The writing half of one connection.

    `on_closed` is called once, when the caller has left or was dropped. From then on the writer is `broken` and
    discards what is sent. `spawn` starts a task that lasts no longer than the connection.
    """

    def __init__(
        self, stream: ServerStream, flusher: Flusher, *, spawn: Spawn, on_closed: Callable[[], None]
    ) -> None:
        self.broken = False
        self._stream = stream
        self._flusher = flusher
        self._spawn = spawn
        self._on_closed = on_closed
        self._buffer = bytearray()
        self._due = False
        self._writing = False
        self._written = trio.lowlevel.ParkingLot()
        self._sends = 0
        self._longest = 0.0
        self._since = math.inf

    @property
    def longest_write(self) -> float:
        """For how long (seconds) the longest write of this answer has waited for the caller to take it, so far."""
        return max(self._longest, trio.current_time() - self._since)

    def begin(self) -> None:
        """See an answer begin."""
        self._longest = 0.0

    def buffer(self, data: bytes) -> None:
        """Send this together with what comes next."""
        self._buffer += data

    def flush_soon(self) -> None:
        """Write the buffer out as soon as the running task waits."""
        if not self._due:
            self._due = True
            self._flusher.add(self)

    def flush(self) -> None:
        """Write out what is kept."""
        self._due = False
        if self._buffer and not self._push():
            self._spawn(self._write_rest)

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send this; returns when the kernel has it, or when nobody wants it.

        The `last` bytes of a response, and what is sent after `flush_soon`, go out at the end of the turn together
        with the writes of other connections. A write to a reader that is awake costs a fifth of one that must wake
        it, and only the first write must.
        """
        self._sends += 1
        if self.broken or self._sends % CHECKPOINT_EVERY == 0:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.checkpoint_if_cancelled()
        self._buffer += data
        if (last or self._due) and not self._writing and len(self._buffer) < _WRITE_SIZE:
            self.flush_soon()
        else:
            await self.drain()

    async def drain(self) -> None:
        """Send what is kept; returns when the kernel has it, or when nobody wants it."""
        if not self._push():
            await self._write_rest()

    @property
    def busy(self) -> bool:
        """Whether something has not gone out that is to."""
        return not self.broken and bool(self._buffer or self._writing)

    def close(self) -> None:
        """Forget what has not gone out, all that follows, and whoever it belonged to: that would be a cycle."""
        self.broken = True
        self._buffer.clear()
        self._spawn = self._on_closed = _nobody

    def abort(self) -> None:
        """See that the caller takes no more."""
        self._buffer.clear()
        if not self.broken:
            self.broken = True
            self._on_closed()

    def _push(self) -> bool:
        """Send what goes without waiting; tell whether that was all."""
        if self.broken:
            self._buffer.clear()
        elif self._writing:
            return False
        else:
            try:
                sent = self._stream.push(self._buffer)
            except CONNECTION_ERRORS:
                self.abort()
            else:
                del self._buffer[:sent]
        return not self._buffer

    async def _write_rest(self) -> None:
        """Send what is held, waiting for the caller to take it."""
        while (self._buffer or self._writing) and not self.broken:
            if self._writing:
                await self._written.park()
                continue
            part = bytes(self._buffer[:_WRITE_SIZE])
            del self._buffer[:_WRITE_SIZE]
            self._writing = True
            self._since = trio.current_time()
            try:
                with trio.fail_after(WRITE_TIMEOUT):
                    await self._stream.send(part)
            except trio.TooSlowError:
                self._stream.reset()
                self.abort()
            except CONNECTION_ERRORS:
                self.abort()
            except BaseException:
                # Nobody knows how much of it is out, so nothing may follow.
                self.close()
                raise
            finally:
                self._longest, self._since = self.longest_write, math.inf
                self._writing = False
                self._written.unpark_all()


def _nobody(*_: object) -> None:
    """Stand for who is not there any more."""
