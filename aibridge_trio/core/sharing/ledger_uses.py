"""What counts of one rate in its span, over all replicas, and the turns of the uses that were refused.

A log of times and counts, exact up to 256 entries (requests) or 96 (what running uses have used); beyond, what
lies in the same 256th or 64th of the span counts from its latest time: up to so much too long, never too short.
The common count knows no limit: each replica brings its own amount.

The rules of turns are those of core/limits/usage_window.py: a refused use comes behind those that were refused
before it, and a little apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import floor
from typing import Any

# Entries that are kept one by one, and the parts of the span in which more of them are joined.
EXACT, SLICES = 256, 256
# The same for what running uses have used.
EXACT_USED, SLICES_USED = 96, 64
# Turns that are remembered: they decide the next one.
MOST_TURNS = 64
# Turns lie further apart than the rate needs by this factor, and at most so many seconds ahead: see
# core/limits/rate.py.
APART, LONGEST_DELAY = 1.05, 60.0


def name_of(key: str, span: float) -> str:
    """Return the name under which a use is counted: with another span it counts anew."""
    return f"{span:.14g}:{key}"


class UseLog:
    """Times in ascending order, each with a count; `total` is their sum. Times never go back."""

    __slots__ = ("counts", "times", "total")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.counts: list[int] = []
        self.total = 0

    def expire(self, now: float, span: float) -> int:
        """Forget what lies `span` seconds or more before `now`; return what is left."""
        times, gone = self.times, 0
        for at in times:
            if at + span > now:
                break
            self.total -= self.counts[gone]
            gone += 1
        if gone:
            del times[:gone], self.counts[:gone]
        return self.total

    def count(self, now: float, count: int, amount: int, span: float) -> None:
        """Count requests of a rate from now on."""
        width = span / SLICES if amount > EXACT else 0.0
        times = self.times
        if times and width and floor(now / width) == floor(times[-1] / width):
            times[-1] = now
        self._add(now, count)
        if len(times) > 2 * EXACT:  # replicas whose amounts differ
            self._join(span / SLICES)

    def settle(self, now: float, used: int, span: float) -> None:
        """Count what a running use has used, from now on."""
        self._add(now, used)
        if len(self.times) > EXACT_USED:
            self._join(span / SLICES_USED)

    def uncount(self, at: float) -> None:
        """Take away one that was counted at a time; it may have been joined with later ones."""
        index = bisect_left(self.times, at)
        if index == len(self.times) or not self.counts[index]:
            return
        self.counts[index] -= 1
        self.total -= 1
        if not self.counts[index]:
            del self.times[index], self.counts[index]

    def reset(self, now: float, span: float) -> float:
        """Return in how many seconds all of it is free again."""
        return self.times[-1] + span - now if self.times else 0.0

    def __repr__(self) -> str:
        return f"<UseLog {self.total} in {len(self.times)} entries>"

    def _add(self, now: float, count: int) -> None:
        self.total += count
        if self.times and self.times[-1] == now:
            self.counts[-1] += count
        else:
            self.times.append(now)
            self.counts.append(count)

    def _join(self, width: float) -> None:
        times: list[float] = []
        counts: list[int] = []
        for at, count in zip(self.times, self.counts, strict=True):
            if times and floor(at / width) == floor(times[-1] / width):
                times[-1] = at
                counts[-1] += count
            else:
                times.append(at)
                counts.append(count)
        self.times, self.counts = times, counts


class Turns:
    """The last turns that lie ahead, and what each of them takes."""

    __slots__ = ("counts", "times")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.counts: list[int] = []

    def expire(self, now: float) -> None:
        """Forget the turns that have come."""
        gone = 0
        for turn in self.times:
            if turn > now:
                break
            gone += 1
        if gone:
            del self.times[:gone], self.counts[:gone]

    def add(self, turn: float, count: int) -> None:
        """Remember a turn."""
        self.times.append(turn)
        self.counts.append(count)
        if len(self.times) > MOST_TURNS:
            del self.times[0], self.counts[0]

    def __repr__(self) -> str:
        return f"<Turns {len(self.times)} ahead>"


def next_turn(log: UseLog, turns: Turns, running: int, use: Sequence[Any], now: float) -> float:
    """Return when a use that is refused now may come again; the log and the turns are without what is over.

    `use` is as in an ask, `running` is the sum of all that run.
    """
    amount: int = use[1]
    span: float = use[2]
    count: int = use[3]

    def free_at(ahead: int) -> float:
        excess = log.total + running + ahead + min(count, amount) - amount
        for at, each in zip(log.times, log.counts, strict=True):
            excess -= each
            if excess <= 0:
                return at + span
        # Running uses end now at the earliest.
        excess -= running
        if excess <= 0:
            return now + span
        for turn, each in zip(turns.times, turns.counts, strict=True):
            excess -= each
            if excess <= 0:
                return turn + span
        return now + span

    earliest = free_at(0)
    if not turns.times:
        return earliest
    apart = APART * span * turns.counts[-1] / amount if amount else 0.0
    behind = max(free_at(sum(turns.counts)), turns.times[-1] + apart)
    return max(earliest, min(behind, now + LONGEST_DELAY))
