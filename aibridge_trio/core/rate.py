"""The rate limit: an exact sliding log per caller.

A request is refused if and only if `limit` admissions of its caller lie in (now − 1 s, now]. So a caller has
`limit` at once after a silent second, and never more than `limit` in any such span; a refused request counts
nothing. (A token bucket or GCRA with burst N admits up to 2N − 1 in one second.)
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass

_SPAN = 1.0
# Callers remembered at once. A caller costs some 900 bytes, so some 90 MB whatever callers send.
_MAX_CALLERS = 100_000


@dataclass(frozen=True, slots=True)
class Budget:
    """What a caller has left. Seconds: `reset` until all of it is back, `wait` until its next admission.

    `wait` is None if this request was admitted.
    """

    limit: int
    remaining: int
    reset: float
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Callers admitted within the last second, and how many were forgotten for want of room."""

    callers: int
    evictions: int


class RateLimiter:
    """Admits at most `limit` requests of each caller in any second; the clock is the caller's."""

    def __init__(self, limit: int, max_callers: int = _MAX_CALLERS) -> None:
        self._limit = limit
        self._max_callers = max_callers
        # Ordered by the last admission: expiry and eviction both take from the front.
        self._admissions: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._evictions = 0

    def take(self, caller: Hashable, now: float) -> Budget:
        """Admit or refuse one request of `caller`."""
        self._expire(now)
        times = self._admissions.get(caller)
        if times is None:
            times = self._admissions[caller] = deque()
        while times and times[0] + _SPAN <= now:
            times.popleft()
        if len(times) >= self._limit:
            return Budget(self._limit, 0, reset=times[-1] + _SPAN - now, wait=times[0] + _SPAN - now)
        times.append(now)
        self._admissions.move_to_end(caller)
        if len(self._admissions) > self._max_callers:
            self._admissions.popitem(last=False)
            self._evictions += 1
        return Budget(self._limit, self._limit - len(times), reset=_SPAN)

    def statistics(self, now: float) -> Statistics:
        """Return how many callers are remembered."""
        self._expire(now)
        return Statistics(callers=len(self._admissions), evictions=self._evictions)

    def __repr__(self) -> str:
        return f"<RateLimiter limit={self._limit}/s callers={len(self._admissions)}>"

    def _expire(self, now: float) -> None:
        while self._admissions:
            oldest = next(iter(self._admissions))
            if self._admissions[oldest][-1] + _SPAN > now:
                break
            del self._admissions[oldest]
