"""Events counted in a sliding window."""

from __future__ import annotations

import math
from collections import deque


class Window:
    """The events in (now − span, now], at most the last `cap`, each with a value. `span` is in seconds.

    Because only the last `cap` are kept, memory is bounded, and "are there at least `cap`?" is still exact.
    """

    def __init__(self, span: float, cap: int) -> None:
        self._span = span
        self._events: deque[tuple[float, float]] = deque(maxlen=cap)

    def add(self, now: float, value: float = -math.inf) -> None:
        """Add an event at `now`."""
        self._events.append((now, value))

    def count(self, now: float) -> int:
        """Return the number of events in the window, at most `cap`."""
        while self._events and self._events[0][0] + self._span <= now:
            self._events.popleft()
        return len(self._events)

    def highest(self, now: float) -> float:
        """Return the highest value in the window, minus infinity if it is empty."""
        self.count(now)
        return max((value for _, value in self._events), default=-math.inf)

    def clear(self) -> None:
        """Remove all events."""
        self._events.clear()
