"""How long a breaker stays open.

1. The cooldown is the longer of the configured one and the provider's retry hint; a hint counts up to `longest`.
2. Each trip that follows another without a healthy spell between them lengthens the configured part by the factor
   `growth`, up to `stretch`, and adds up to a fifth by chance, so that several bridges do not probe at the same
   time. The result is at most `longest`.
3. A healthy spell is as long as the configured cooldown. Each one takes back one trip; 64 take back all.

If `longest` is not above the configured cooldown, every cooldown is the configured one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

# What chance adds to a lengthened cooldown, at most; not the jitter of retry hints in rejects.
_SPREAD = 0.2
# After this many healthy spells all trips are forgotten, however many there were.
_FORGOTTEN = 64
# From this exponent on any growth has reached its stretch; beyond, a float could overflow.
_HIGHEST_EXPONENT = 16


class Cooldown:
    """Computes when a cooldown ends, and counts the trips in a row; all times are seconds.

    `base` is the configured cooldown, `chance` returns a random number in [0, 1).
    """

    def __init__(
        self, base: float, longest: float, growth: float, stretch: float, chance: Callable[[], float]
    ) -> None:
        self._chance = chance
        self.apply(base, longest, growth, stretch)
        self._in_a_row = 0  # trips without a healthy spell between them

    def apply(self, base: float, longest: float, growth: float, stretch: float) -> None:
        """Compute with these from the next cooldown on; the trips in a row stay."""
        self._base = base
        self._longest = max(base, longest)
        self._growth = growth
        self._stretch = stretch

    def retry_at(self, retry_after: float | None, now: float) -> float:
        """Return the time that a provider's retry hint (seconds from now) asks for; minus infinity without one."""
        if retry_after is None or self._longest <= self._base:
            return -math.inf
        return now + min(retry_after, self._longest)

    def in_a_row(self, healthy: float) -> int:
        """Return the number of trips in a row that count after so many healthy seconds."""
        spells = healthy / self._base
        return 0 if spells >= _FORGOTTEN else max(0, self._in_a_row - int(spells))

    def begin(self, healthy: float, retry_at: float, now: float) -> float:
        """Count a trip after so many healthy seconds; return when its cooldown ends, not before `retry_at`."""
        before = self.in_a_row(healthy)
        length = self._base
        if before:
            factor = min(self._growth ** min(before, _HIGHEST_EXPONENT), self._stretch)
            length *= factor * (1 + _SPREAD * self._chance())
        self._in_a_row = before + 1
        return max(now + min(length, self._longest), retry_at)

    def restore(self, in_a_row: int) -> None:
        """Take over the trips in a row of a breaker before its restart."""
        self._in_a_row = in_a_row

    def reset(self) -> None:
        """Forget the trips: the operator has overridden the breaker."""
        self._in_a_row = 0

    def __repr__(self) -> str:
        return f"<Cooldown base={self._base:g} in_a_row={self._in_a_row}>"
