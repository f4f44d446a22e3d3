"""When slots become free: each when it has been held for as long as slots usually are.

Usually is the median of the last 32 requests that went up, so that a single stream of an hour changes nothing.
One that is held for longer is late, and expected to last as long again as it is late already: so a stall is seen
while it lasts, and not before.

How many came free of late says nothing: on a quiet day that tells how few came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from heapq import heapify, heapreplace
from statistics import median_low

# Enough for a steady number, few enough to follow a change.
_REMEMBERED = 32


class ReleaseRate:
    """When `slots` (0: no limit) become free, by when those that are held were taken. Times are in seconds."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: deque[float] = deque(maxlen=_REMEMBERED)
        self._since: dict[Hashable, float] = {}
        self._usual: float | None = None

    def taken(self, holder: Hashable, now: float) -> None:
        """See that a slot was taken."""
        self._since[holder] = now

    def given(self, holder: Hashable, now: float, *, tells: bool) -> None:
        """See that a slot was given back, if it was taken; `tells` if others will be held as long as it was."""
        since = self._since.pop(holder, None)
        if since is not None and tells:
            self._held.append(now - since)
            self._usual = median_low(self._held)

    def pace(self, now: float) -> float | None:
        """Return how many become free a second, None if that is unknown.

        That is all of them in the time for which one is usually held; or, while all are held and none was taken
        for longer than that, in the time since.
        """
        if not self._usual or not self._slots:
            return None
        stalled = now - next(reversed(self._since.values())) if len(self._since) >= self._slots else 0.0
        return self._slots / max(self._usual, stalled)

    def wait(self, turns: int, now: float) -> float | None:
        """Return after how many seconds so many turns (at least one) have come, None if nothing is known.

        All slots are taken, and each turn's slot is held for as long as usual.
        """
        usual = self._usual
        if usual is None or not self._slots:
            return None
        free = [abs(usual - (now - since)) for since in self._since.values()]
        free += [0.0] * (self._slots - len(free))
        heapify(free)
        for _ in range(turns - 1):
            heapreplace(free, free[0] + usual)
        return free[0]

    def __repr__(self) -> str:
        return f"<Drain slots={self._slots} held={len(self._since)} known={len(self._held)}>"
