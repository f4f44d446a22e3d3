"""One patience for many waits: nothing is armed when one begins and nothing disarmed when it ends."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

import trio


class Waiter(Protocol):
    """Whoever waits."""

    def expire(self) -> None:
        """See that this has taken too long. Not an await."""


class Deadline:
    """Waits that may all last equally long (`seconds`), so that the first to begin is the first to be overdue.

    `run` must be running for anything to expire. A cancel scope round each wait does the same at ten times the
    cost.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due: OrderedDict[Waiter, float] = OrderedDict()

    def begin(self, waiter: Waiter) -> None:
        """See a wait begin; it must not be waiting."""
        self._due[waiter] = trio.current_time() + self.seconds

    def end(self, waiter: Waiter) -> None:
        """See it end, if it has not expired."""
        self._due.pop(waiter, None)

    def expire_oldest(self) -> bool:
        """Let the wait that began first expire now; tell whether there was one."""
        if not self._due:
            return False
        waiter, _ = self._due.popitem(last=False)
        waiter.expire()
        return True

    async def run(self) -> None:
        """Let waits expire until cancelled."""
        while True:
            now = trio.current_time()
            while self._due and next(iter(self._due.values())) <= now:
                waiter, _ = self._due.popitem(last=False)
                waiter.expire()
            await trio.sleep_until(next(iter(self._due.values()), now + self.seconds))

    def statistics(self) -> int:
        """Return how many wait."""
        return len(self._due)

    def __repr__(self) -> str:
        return f"<Deadline {self.seconds:g} s waiting={len(self._due)}>"
