"""Bytes on their way to a caller: few writes, and none that waits for ever."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio

from aibridge_trio.net.stream import BROKEN, ServerStream

Spawn = Callable[[Callable[[], Awaitable[None]]], None]

# A caller whose kernel takes nothing more for this long is dropped (seconds): it has stopped reading. The time
# is for each so many bytes, so that a slow reader of a long answer is none who stopped.
WRITE_TIMEOUT = 60.0
_WRITE_SIZE = 64 * 1024
# A write without waiting lets no other task run. So often another may.
_TURNS = 8


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

    def add(self, outlet: ResponseWriter) -> None:
        """Write this one out as soon as the running task waits."""
        self._waiting.append(outlet)
        self._lot.unpark()

    async def run(self) -> None:
        """Do so until cancelled."""
        while True:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                for outlet in waiting:
                    try:
                        outlet.flush()
                    except Exception as error:  # noqa: BLE001 - one connection's failure is that connection's
                        self._report(error)
                        outlet.give_up()
            await self._lot.park()


class ResponseWriter:
    """The writing half of one connection.

    `fell` is called once, when the caller takes no more: it left, or it was dropped. From then on the outlet is
    `broken`, and what is sent is forgotten. `spawn` starts a task that lasts no longer than the connection.
    """

    def __init__(self, wire: ServerStream, flusher: Flusher, *, spawn: Spawn, fell: Callable[[], None]) -> None:
        self.broken = False
        self._wire = wire
        self._flusher = flusher
        self._spawn = spawn
        self._fell = fell
        self._held = bytearray()
        self._due = False
        self._writing = False
        self._written = trio.lowlevel.ParkingLot()
        self._turns = 0
        self._longest = 0.0
        self._since = math.inf

    @property
    def held_up(self) -> float:
        """For how long (seconds) the longest write of this answer has waited for the caller to take it, so far."""
        return max(self._longest, trio.current_time() - self._since)

    def begin(self) -> None:
        """See an answer begin."""
        self._longest = 0.0

    def keep(self, data: bytes) -> None:
        """Send this together with what comes next."""
        self._held += data

    def soon(self) -> None:
        """Write out what is kept as soon as the running task waits, together with what else is sent until then."""
        if not self._due:
            self._due = True
            self._flusher.add(self)

    def flush(self) -> None:
        """Write out what is kept."""
        self._due = False
        if self._held and not self._push():
            self._spawn(self._drain)

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Send this; returns when the kernel has it, or when nobody wants it.

        What no task waits behind goes out at the end of the turn, together with all others': the `last` of an
        answer, and whatever is sent behind `soon`. A write that finds its reader awake costs a fifth of one that
        has to wake it, and only the first has to.
        """
        self._turns += 1
        if self.broken or self._turns % _TURNS == 0:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.checkpoint_if_cancelled()
        self._held += data
        if (last or self._due) and not self._writing and len(self._held) < _WRITE_SIZE:
            self.soon()
        else:
            await self.empty()

    async def empty(self) -> None:
        """Send what is kept; returns when the kernel has it, or when nobody wants it."""
        if not self._push():
            await self._drain()

    @property
    def busy(self) -> bool:
        """Whether something has not gone out that is to."""
        return not self.broken and bool(self._held or self._writing)

    def close(self) -> None:
        """Forget what has not gone out, all that follows, and whoever it belonged to: that would be a cycle."""
        self.broken = True
        self._held.clear()
        self._spawn = self._fell = _nobody

    def give_up(self) -> None:
        """See that the caller takes no more."""
        self._held.clear()
        if not self.broken:
            self.broken = True
            self._fell()

    def _push(self) -> bool:
        """Send what goes without waiting; tell whether that was all."""
        if self.broken:
            self._held.clear()
        elif self._writing:
            return False
        else:
            try:
                sent = self._wire.push(self._held)
            except BROKEN:
                self.give_up()
            else:
                del self._held[:sent]
        return not self._held

    async def _drain(self) -> None:
        """Send what is held, waiting for the caller to take it."""
        while (self._held or self._writing) and not self.broken:
            if self._writing:
                await self._written.park()
                continue
            part = bytes(self._held[:_WRITE_SIZE])
            del self._held[:_WRITE_SIZE]
            self._writing = True
            self._since = trio.current_time()
            try:
                with trio.fail_after(WRITE_TIMEOUT):
                    await self._wire.send(part)
            except trio.TooSlowError:
                self._wire.reset()
                self.give_up()
            except BROKEN:
                self.give_up()
            except BaseException:
                # Nobody knows how much of it is out, so nothing may follow.
                self.close()
                raise
            finally:
                self._longest, self._since = self.held_up, math.inf
                self._writing = False
                self._written.unpark_all()


def _nobody(*_: object) -> None:
    """Stand for who is not there any more."""
