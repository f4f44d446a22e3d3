"""Estimated release rate: slots ÷ usual hold time.

The usual hold time is the median over the last 32 requests that went up to their provider, so that one stream of
an hour changes nothing. A slot that is held for longer is late, and expected to be held for as long again as it
is late already: a stall lowers the estimate while it lasts, not before.

How many slots were released of late is no measure: on a quiet day it shows only how few requests came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from heapq import heapify, heapreplace
from statistics import median_low
from typing import Any

# Samples: enough for a steady median, few enough to follow a change.
_SAMPLES = 32


class ReleaseRate:
    """Estimates when slots are released, by when the held ones were acquired; `slots` 0 is no limit."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: deque[float] = deque(maxlen=_SAMPLES)
        self._since: dict[Hashable, float] = {}
        self._usual: float | None = None

    def apply(self, slots: int, held: Mapping[Any, float]) -> None:
        """Replace the number of slots, and who holds one since when; what is known of hold times stays."""
        self._slots = slots
        self._since = dict(held)

    def acquired(self, holder: Hashable, now: float) -> None:
        """Note that a holder acquired a slot."""
        self._since[holder] = now

    def released(self, holder: Hashable, now: float, *, counts: bool) -> None:
        """Note that a holder released its slot; with `counts` its hold time is a sample."""
        since = self._since.pop(holder, None)
        if since is not None and counts:
            self._held.append(now - since)
            self._usual = median_low(self._held)

    def pace(self, now: float) -> float | None:
        """Return how many slots are released per second, None if that is unknown.

        Slots ÷ usual hold time; or, while all are held and the last one was acquired longer ago than that, ÷ the
        time since.
        """
        if not self._usual or not self._slots:
            return None
        stalled = now - next(reversed(self._since.values())) if len(self._since) >= self._slots else 0.0
        return self._slots / max(self._usual, stalled)

    def expected_wait(self, turns: int, now: float) -> float | None:
        """Return in how many seconds the last of `turns` (at least one) gets a slot, None if that is unknown.

        Assumes that all slots are held, and that each turn holds its slot for the usual time.
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
        return f"<ReleaseRate slots={self._slots} held={len(self._since)} known={len(self._held)}>"
