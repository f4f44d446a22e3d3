"""Events counted in a sliding window: exactly up to a number, or any number of them a little less exactly."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

_SLICES = 64


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

    def apply(self, span: float, cap: int) -> None:
        """Count with another span and cap from now on; the events stay."""
        self._span = span
        self._events = deque(self._events, maxlen=cap)


@dataclass(slots=True)
class _Slice:
    number: int
    count: int = 0
    highest: float = -math.inf


class SlicedWindow:
    """The events of the last `span` seconds, however many, each with a value; counted in slices of span ÷ 64.

    Slices leave the window as a whole, so that an event counts for at least the span and at most a 64th longer.
    Memory is bounded: at most 65 slices. Adding, removing and counting take constant time on average.
    """

    def __init__(self, span: float) -> None:
        self._width = span / _SLICES
        self._slices: deque[_Slice] = deque()
        self._count = 0

    def add(self, now: float, value: float = -math.inf) -> None:
        """Add an event at `now`."""
        self.count(now)
        number = self._number(now)
        if not self._slices or self._slices[-1].number != number:
            self._slices.append(_Slice(number))
        last = self._slices[-1]
        last.count += 1
        last.highest = max(last.highest, value)
        self._count += 1

    def remove(self, at: float) -> None:
        """Remove one of the events that were added at `at`, if it is still in the window. Its value stays."""
        number = self._number(at)
        for each in self._slices:
            if each.number == number and each.count:
                each.count -= 1
                self._count -= 1

    def count(self, now: float) -> int:
        """Return the number of events in the window."""
        first = self._number(now) - _SLICES
        while self._slices and self._slices[0].number < first:
            self._count -= self._slices.popleft().count
        return self._count

    def highest(self, now: float) -> float:
        """Return the highest value in the window, minus infinity if it is empty."""
        self.count(now)
        return max((each.highest for each in self._slices), default=-math.inf)

    def clear(self) -> None:
        """Remove all events."""
        self._slices.clear()
        self._count = 0

    def apply(self, span: float) -> None:
        """Count with another span from now on; the events stay, each as old as its slice."""
        before, self._width = self._width, span / _SLICES
        slices, self._slices = self._slices, deque()
        for each in slices:
            number = self._number(each.number * before)
            if not self._slices or self._slices[-1].number != number:
                self._slices.append(_Slice(number))
            self._slices[-1].count += each.count
            self._slices[-1].highest = max(self._slices[-1].highest, each.highest)

    def _number(self, at: float) -> int:
        return int(at // self._width)
