"""How long a breaker stays open: what is configured, what the provider said, and how often it has come to this.

1. The cooldown is the longest of the configured one and of what the provider asked for, at most `longest`.
2. Each trip without a healthy spell before it lengthens the configured part by `growth`, up to `stretch` times,
   and adds up to a fifth by chance, so that many bridges do not probe together. It too is at most `longest`.
3. A healthy spell is as long as the configured cooldown; each one takes back one lengthening, 64 take back all.

With `longest` at or below the configured cooldown it is constant, whatever is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_JITTER = 0.2
# So many healthy spells take back any number of lengthenings.
_FORGOTTEN = 64
# By then any growth has reached its stretch, and a float has not overflowed.
_LONG_AGO = 16


class Cooldown:
    """Remembers trips in a row; seconds. `chance` gives a number in [0, 1)."""

    def __init__(
        self, base: float, longest: float, growth: float, stretch: float, chance: Callable[[], float]
    ) -> None:
        self._base = base
        self._longest = max(base, longest)
        self._growth = growth
        self._stretch = stretch
        self._chance = chance
        self._in_a_row = 0  # trips, without health between them

    def word(self, seconds: float | None, now: float) -> float:
        """Return until when a provider that asks for so long is left alone, minus infinity for None."""
        if seconds is None or self._longest <= self._base:
            return -math.inf
        return now + min(seconds, self._longest)

    def in_a_row(self, healthy: float) -> int:
        """Return how many trips in a row are remembered after so many healthy seconds."""
        spells = healthy / self._base
        return 0 if spells >= _FORGOTTEN else max(0, self._in_a_row - int(spells))

    def begin(self, healthy: float, word: float, now: float) -> float:
        """Trip, after so many healthy seconds and with this `word`; return when the cooldown ends."""
        before = self.in_a_row(healthy)
        length = self._base
        if before:
            length *= min(self._growth ** min(before, _LONG_AGO), self._stretch) * (1 + _JITTER * self._chance())
        self._in_a_row = before + 1
        return max(now + min(length, self._longest), word)

    def forget(self) -> None:
        """Begin anew: the operator has taken over."""
        self._in_a_row = 0

    def __repr__(self) -> str:
        return f"<Cooldown base={self._base:g} in_a_row={self._in_a_row}>"
