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
        self._began: OrderedDict[Waiter, float] = OrderedDict()
        self._clock: trio.abc.Clock | None = None
        self._applied = trio.Event()

    def begin(self, waiter: Waiter, now: float | None = None) -> None:
        """Begin a wait; `waiter` must have none. `now` is the time, for callers that know it."""
        if now is None:
            if self._clock is None:  # asked itself, it costs half of trio.current_time()
                self._clock = trio.lowlevel.current_clock()
            now = self._clock.current_time()
        self._began[waiter] = now

    def end(self, waiter: Waiter) -> None:
        """End the wait, if it has not expired."""
        self._began.pop(waiter, None)

    def apply(self, seconds: float) -> None:
        """Change the timeout, of waits that have begun, too; those that had none begin now."""
        if self._began and math.isinf(self.seconds):
            self._began = OrderedDict.fromkeys(self._began, trio.current_time())
        self.seconds = seconds
        self._applied.set()

    def expire_oldest(self) -> bool:
        """Expire the wait that began first; return whether there was one."""
        if not self._began:
            return False
        waiter, _ = self._began.popitem(last=False)
        waiter.expire()
        return True

    async def run(self) -> None:
        """Expire overdue waits until cancelled."""
        while True:
            now = trio.current_time()
            while self._began and next(iter(self._began.values())) + self.seconds <= now:
                waiter, _ = self._began.popitem(last=False)
                waiter.expire()
            self._applied = trio.Event()
            with trio.CancelScope(deadline=next(iter(self._began.values()), now) + self.seconds):
                await self._applied.wait()

    def statistics(self) -> int:
        """Return the number of waits."""
        return len(self._began)

    def longest(self, now: float) -> float:
        """Return how long (seconds) the wait that began first has lasted, 0 without any."""
        return max(0.0, now - next(iter(self._began.values()), now))

    def __repr__(self) -> str:
        return f"<Deadline {self.seconds:g} s waiting={len(self._began)}>"
