"""The writing half of a connection: few writes, each with a timeout."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio

from aibridge_trio.net.poller import Poller
from aibridge_trio.net.stream import CHECKPOINT_EVERY, CONNECTION_ERRORS, ServerStream

Spawn = Callable[[Callable[[], Awaitable[None]]], None]

# A caller that takes nothing for this long (seconds) has stopped reading, and is dropped. The timeout applies per
# chunk of _WRITE_SIZE bytes, so a slow reader is not taken for a stalled one.
WRITE_TIMEOUT = 60.0
_WRITE_SIZE = 64 * 1024


class Flusher:
    """Writes out what was buffered during one turn of Trio's loop. One task for all connections of a server.

    Most responses send head, first piece and end without a wait between: together they are one write. If the
    application waits after the head, the head must go out alone. `report` gets exceptions; each ends its
    connection. `poller` says how many sockets this turn is about.
    """

    def __init__(self, report: Callable[[BaseException], None], poller: Poller | None = None) -> None:
        self._report = report
        self._poller = poller
        self._waiting: list[ResponseWriter] = []
        self._task: trio.lowlevel.Task | None = None  # while it waits
        self._nursery: trio.Nursery | None = None

    def add(self, writer: ResponseWriter) -> None:
        """Flush this writer as soon as the running task waits."""
        self._waiting.append(writer)
        if self._task:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    def finish(self, writer: ResponseWriter) -> bool:
        """Flush a writer whose response is complete; return False if it is not written yet.

        At once, if no other connection has something to write in this turn, as far as is known.
        """
        if self._poller is not None and self._poller.alone and not self._waiting:
            writer.flush()
            return True
        self.add(writer)
        return False

    def spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task that waits until a caller has taken what cannot be sent at once."""
        if self._nursery:
            self._nursery.start_soon(self._contain, task)

    async def run(self) -> None:
        """Flush writers until cancelled."""
        async with trio.open_nursery() as self._nursery:
            await self._flush_all()

    async def _contain(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        except Exception as error:  # noqa: BLE001 - a failure ends its own connection, and no other
            self._report(error)

    async def _flush_all(self) -> None:
        while True:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                for writer in waiting:
                    try:
                        writer.flush()
                    except Exception as error:  # noqa: BLE001 - a failure ends its own connection, and no other
                        self._report(error)
                        writer.abort()
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class ResponseWriter:
    """The writing half of one connection.

    `on_closed` is called once, when the caller has left or was dropped. From then on the writer is `broken` and
    discards what is sent. `spawn` starts a task; it ends when the connection is closed.
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
        self._written: trio.lowlevel.ParkingLot | None = None  # of tasks that wait for another one's write
        self._sends = 0
        self._longest = 0.0
        self._since = math.inf

    @property
    def longest_write(self) -> float:
        """How long (seconds) the longest write of this response has waited for the caller so far."""
        return max(self._longest, trio.current_time() - self._since)

    def begin(self) -> None:
        """Begin a response: `longest_write` starts at 0."""
        self._longest = 0.0

    def buffer(self, data: bytes) -> None:
        """Send this together with what follows."""
        self._buffer += data

    def flush_soon(self) -> None:
        """Write the buffer out as soon as the running task waits."""
        if not self._due:
            self._due = True
            self._flusher.add(self)

    def flush(self) -> None:
        """Write the buffer out; a task sends what cannot be sent without waiting."""
        self._due = False
        if self._buffer and not self._push():
            self._spawn(self._write_rest)

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send this; return when the kernel has taken it, or the caller is gone.

        The `last` bytes of a response, and what is sent after `flush_soon`, go out at the end of the turn together
        with the writes of other connections, if there are any. A write to a reader that is awake costs a fifth of
        one that must wake it, and only the first write must.
        """
        self._sends += 1
        if self.broken or not self._sends % CHECKPOINT_EVERY:
            await trio.lowlevel.checkpoint()
        self._buffer += data
        if (last or self._due) and not self._writing and len(self._buffer) < _WRITE_SIZE:
            if not self._due:
                self._due = True
                self._flusher.add(self)
        elif not self._push():
            await self._write_rest()

    def send_last(self, data: bytes) -> bool:
        """Do what `send` does with the last bytes of a response; return False if that needs to wait."""
        sends = self._sends + 1
        if self.broken or self._due or self._writing or not sends % CHECKPOINT_EVERY:
            return False
        if len(self._buffer) + len(data) >= _WRITE_SIZE:
            return False
        self._sends = sends
        self._buffer += data
        self._due = not self._flusher.finish(self)
        return True

    async def drain(self) -> None:
        """Send the buffer; return when the kernel has taken it, or the caller is gone."""
        if not self._push():
            await self._write_rest()

    @property
    def busy(self) -> bool:
        """Whether bytes are still to be sent."""
        return not self.broken and bool(self._buffer or self._writing)

    def close(self) -> None:
        """Discard what is buffered and all that follows; drop the callbacks, which would form a cycle."""
        self.broken = True
        self._buffer.clear()
        self._spawn = self._on_closed = _ignore

    def abort(self) -> None:
        """Discard the buffer and stop sending: the caller takes no more."""
        self._buffer.clear()
        if not self.broken:
            self.broken = True
            self._on_closed()

    def _push(self) -> bool:
        """Send what can be sent without waiting; return whether that was all."""
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
        """Send the rest of the buffer, waiting for the caller to take it."""
        while (self._buffer or self._writing) and not self.broken:
            if self._writing:
                self._written = self._written or trio.lowlevel.ParkingLot()
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
            except Exception:
                self.abort()
                raise
            except BaseException:
                # How much of it was sent is unknown, so nothing may follow.
                self.close()
                raise
            finally:
                self._longest, self._since = self.longest_write, math.inf
                self._writing = False
                if self._written:
                    self._written.unpark_all()


def _ignore(*_: object) -> None:
    """Replace the callbacks of a closed writer."""
