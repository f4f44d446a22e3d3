"""Events counted in a sliding window."""

from __future__ import annotations

import math
from collections import deque


class Window:
    """How many events lie in (now − span, now], counted up to `cap`, and the highest of their values.

    Only the last `cap` are kept, so memory is bounded however fast they come, and the answer to "have
    `cap` been reached?" stays exact. `span` is in seconds.
    """

    def __init__(self, span: float, cap: int) -> None:
        self._span = span
        self._events: deque[tuple[float, float]] = deque(maxlen=cap)

    def add(self, now: float, value: float = -math.inf) -> None:
        """Count one event at `now`."""
        self._events.append((now, value))

    def count(self, now: float) -> int:
        """Return how many lie in the window, at most `cap`."""
        while self._events and self._events[0][0] + self._span <= now:
            self._events.popleft()
        return len(self._events)

    def highest(self, now: float) -> float:
        """Return the highest value of the last `cap` in the window, minus infinity without one."""
        self.count(now)
        return max((value for _, value in self._events), default=-math.inf)

    def clear(self) -> None:
        """Forget all."""
        self._events.clear()
