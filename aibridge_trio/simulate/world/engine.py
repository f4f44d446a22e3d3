"""Virtual time: a heap of scheduled calls. Calls for the same time run in the order of their scheduling."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol


class Clock(Protocol):
    """Time, as the parts of a simulation use it; in seconds."""

    @property
    def now(self) -> float:
        """The current time."""

    def at(self, when: float, do: Callable[[Any], None], what: Any = None) -> None:
        """Call `do(what)` at this time."""


class Engine:
    """A heap of scheduled calls. None is removed before its time: a callback checks whether it is still needed."""

    __slots__ = ("_count", "_due", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._count = 0
        self._due: list[tuple[float, int, Callable[[Any], None], Any]] = []

    def at(self, when: float, do: Callable[[Any], None], what: Any = None) -> None:
        """Call `do(what)` at this time; if it has passed, after the calls that are due now."""
        self._count += 1
        heappush(self._due, (max(when, self.now), self._count, do, what))

    def run(self) -> int:
        """Run until no call is left; return how many ran."""
        due = self._due
        done = 0
        while due:
            self.now, _, do, what = heappop(due)
            do(what)
            done += 1
        return done

    def __repr__(self) -> str:
        return f"<Engine now={self.now:g} due={len(self._due)}>"
