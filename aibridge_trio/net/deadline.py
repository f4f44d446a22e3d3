"""One timeout for many concurrent waits, cheaper than a cancel scope for each."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Protocol

import trio


class Waiter(Protocol):
    """The owner of a wait."""

    def expire(self) -> None:
        """Handle the timeout. Synchronous."""


class Deadline:
    """A timeout of `seconds` for any number of waits. The wait that began first is the first to expire.

    Waits expire only while `run` is running. A cancel scope around each wait would cost ten times as much.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due: OrderedDict[Waiter, float] = OrderedDict()
        self._clock: trio.abc.Clock | None = None
        self._applied = trio.Event()

    def begin(self, waiter: Waiter, now: float | None = None) -> None:
        """Begin a wait; `waiter` must have none. `now` is the time, for callers that know it."""
        if now is None:
            if self._clock is None:  # asked itself, it costs half of trio.current_time()
                self._clock = trio.lowlevel.current_clock()
            now = self._clock.current_time()
        self._due[waiter] = now + self.seconds

    def end(self, waiter: Waiter) -> None:
        """End the wait, if it has not expired."""
        self._due.pop(waiter, None)

    def apply(self, seconds: float) -> None:
        """Change the timeout, of waits that have begun, too; those that had none begin now."""
        more, self.seconds = seconds - self.seconds, seconds
        for waiter, due in self._due.items():
            self._due[waiter] = due + more if more > -math.inf else trio.current_time() + seconds
        self._applied.set()

    def expire_oldest(self) -> bool:
        """Expire the wait that began first; return whether there was one."""
        if not self._due:
            return False
        waiter, _ = self._due.popitem(last=False)
        waiter.expire()
        return True

    async def run(self) -> None:
        """Expire overdue waits until cancelled."""
        while True:
            now = trio.current_time()
            while self._due and next(iter(self._due.values())) <= now:
                waiter, _ = self._due.popitem(last=False)
                waiter.expire()
            self._applied = trio.Event()
            with trio.CancelScope(deadline=next(iter(self._due.values()), now + self.seconds)):
                await self._applied.wait()

    def statistics(self) -> int:
        """Return the number of waits."""
        return len(self._due)

    def __repr__(self) -> str:
        return f"<Deadline {self.seconds:g} s waiting={len(self._due)}>"
