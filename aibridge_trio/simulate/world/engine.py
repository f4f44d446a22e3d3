"""Virtual time: what happens next. What falls due together happens in the order in which it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol


class Clock(Protocol):
    """What the rooms of a simulation ask of time; in seconds."""

    @property
    def now(self) -> float:
        """The time it is."""

    def at(self, when: float, do: Callable[[Any], None], what: Any = None) -> None:
        """Do something then."""


class Engine:
    """A heap of what is to come. Nothing is ever taken out of it: who is called asks whether it still matters."""

    __slots__ = ("_count", "_due", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._count = 0
        self._due: list[tuple[float, int, Callable[[Any], None], Any]] = []

    def at(self, when: float, do: Callable[[Any], None], what: Any = None) -> None:
        """Do something then, or as soon as all is done that is due now."""
        self._count += 1
        heappush(self._due, (max(when, self.now), self._count, do, what))

    def run(self) -> int:
        """Go on until nothing is left to do; return how many things were done."""
        due = self._due
        done = 0
        while due:
            self.now, _, do, what = heappop(due)
            do(what)
            done += 1
        return done

    def __repr__(self) -> str:
        return f"<Engine now={self.now:g} due={len(self._due)}>"
