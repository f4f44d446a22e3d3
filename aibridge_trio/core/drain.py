"""How fast places become free: as many as there are, each for as long as places were held of late.

Not how many departed of late: on a quiet day that tells how few came.
"""

from __future__ import annotations

import math
from collections import deque

# Enough for a steady number, few enough to follow a change.
_REMEMBERED = 32


class Drain:
    """The pace at which `places` (0: without limit) become free, seconds and turns a second."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._held: deque[float] = deque(maxlen=_REMEMBERED)
        self._since = math.inf

    def begin(self, now: float) -> None:
        """See that all are taken, and somebody waits."""
        self._since = now

    def departed(self, held: float | None, now: float) -> None:
        """See that one became free, which was held for so many seconds; None if they tell nothing of others."""
        if held is not None:
            self._held.append(held)
        self._since = now

    def pace(self, now: float) -> float | None:
        """Return how many become free a second, None if nobody knows. That none does any more lowers it."""
        if not self._held or not self._places:
            return None
        between = math.fsum(self._held) / len(self._held) / self._places
        longest = max(between, now - self._since)
        return 1 / longest if longest > 0 else None

    def wait(self, turns: int, now: float) -> float | None:
        """Return how many seconds so many turns take, None if nobody knows."""
        pace = self.pace(now)
        return turns / pace if pace else None

    def __repr__(self) -> str:
        return f"<Drain places={self._places} known={len(self._held)}>"
