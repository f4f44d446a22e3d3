"""The rate limit for queued requests: which callers it admits now, and when the next one is due."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from itertools import count
from math import inf

from aibridge_trio.core.limits.rate import Budget, RateLimiter


class RateWaiters:
    """Keeps an alarm for each caller that has requests queued for a rate limit; without a limiter all is admitted.

    `waiting` returns a true value if requests of a caller are queued. `now` is in seconds on any monotonic clock.
    """

    def __init__(self, limiter: RateLimiter | None, waiting: Callable[[Hashable], object]) -> None:
        self._limiter = limiter
        self._waiting = waiting
        # When a caller's next request is admitted, at most one alarm a caller; numbered, because callers have no
        # order.
        self._alarms: list[tuple[float, int, Hashable]] = []
        self._numbers = count()
        self._armed: set[Hashable] = set()

    def allows(self, caller: Hashable, now: float) -> bool:
        """Return whether the rate admits one more request of a caller now."""
        return self._limiter is None or self._limiter.allows(caller, now)

    def admit(self, caller: Hashable, now: float) -> float | None:
        """Count one request; return the time under which it is counted, None without a limit."""
        if self._limiter is None:
            return None
        self._limiter.admit(caller, now)
        self.arm(caller, now)
        return now

    def refund(self, caller: Hashable, at: float) -> None:
        """Undo the `admit` that counted a request at `at`."""
        assert self._limiter
        self._limiter.refund(caller, at)

    def arm(self, caller: Hashable, now: float) -> None:
        """Set an alarm for a caller if it has requests queued and its rate does not admit one now."""
        if self._limiter is None or caller in self._armed or not self._waiting(caller):
            return
        if not self._limiter.allows(caller, now):
            self._armed.add(caller)
            heappush(self._alarms, (self._limiter.turn(caller, now), next(self._numbers), caller))

    def refuse(self, caller: Hashable, now: float, ahead: int, max_wait: float) -> Budget | None:
        """Refuse a request that would be admitted, behind `ahead` others of its caller, after `max_wait` seconds.

        Return None if it would be admitted earlier.
        """
        if self._limiter is None or self._limiter.turn(caller, now, ahead) - now <= max_wait:
            return None
        return self._limiter.refuse(caller, now, ahead)

    def next_due(self) -> float:
        """Return when the first alarm is due; infinity without one."""
        return self._alarms[0][0] if self._alarms else inf

    def pop_due(self, now: float) -> Hashable:
        """Remove an alarm that is due and return its caller, None without one."""
        if self.next_due() > now:
            return None
        caller = heappop(self._alarms)[2]
        self._armed.discard(caller)
        return caller

    def __repr__(self) -> str:
        return f"<RateWaiters {self._limiter!r} alarms={len(self._alarms)}>"
