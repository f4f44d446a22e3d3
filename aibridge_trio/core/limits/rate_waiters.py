"""The rate limit, for requests that wait for it: which callers may go, and when to look again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from itertools import count
from math import inf

from aibridge_trio.core.limits.rate import Budget, RateLimiter


class RateTurns:
    """Asks a rate limit, and keeps an alarm for each caller of which a request waits for it; none limits nothing.

    `waits` tells whether a request of a caller waits.
    """

    def __init__(self, limiter: RateLimiter | None, waits: Callable[[Hashable], object]) -> None:
        self._limiter = limiter
        self._waits = waits
        # When a caller's next request is admitted; numbered, because callers have no order. One of each caller.
        self._alarms: list[tuple[float, int, Hashable]] = []
        self._numbers = count()
        self._armed: set[Hashable] = set()

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self._limiter is not None

    def has_room(self, caller: Hashable, now: float) -> bool:
        """Tell whether one more request of a caller may go."""
        return self._limiter is None or self._limiter.has_room(caller, now)

    def admit(self, caller: Hashable, now: float) -> float | None:
        """Count one request that goes; return when, None if there is no limit."""
        if self._limiter is None:
            return None
        self._limiter.admit(caller, now)
        self.begin(caller, now)
        return now

    def give_back(self, caller: Hashable, at: float) -> None:
        """Count one request no more that was counted then, because it waits after all."""
        assert self._limiter
        self._limiter.give_back(caller, at)

    def begin(self, caller: Hashable, now: float) -> None:
        """Set an alarm for a caller, if a request of it waits for the rate."""
        if self._limiter is None or caller in self._armed or not self._waits(caller):
            return
        if not self._limiter.has_room(caller, now):
            self._armed.add(caller)
            heappush(self._alarms, (self._limiter.turn(caller, now), next(self._numbers), caller))

    def refuse(self, caller: Hashable, now: float, ahead: int, patience: float) -> Budget | None:
        """Refuse one request that the rate admits later than it can wait, behind so many; None if it may wait."""
        if self._limiter is None or self._limiter.turn(caller, now, ahead) - now <= patience:
            return None
        return self._limiter.refuse(caller, now, ahead)

    def due(self) -> float:
        """Return when the first alarm is due; infinity without one."""
        return self._alarms[0][0] if self._alarms else inf

    def next(self, now: float) -> Hashable:
        """Return a caller whose alarm is due, None without one."""
        if self.due() > now:
            return None
        caller = heappop(self._alarms)[2]
        self._armed.discard(caller)
        return caller

    def __repr__(self) -> str:
        return f"<Turns {self._limiter!r} alarms={len(self._alarms)}>"
