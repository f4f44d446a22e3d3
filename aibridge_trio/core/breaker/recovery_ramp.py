"""The way back from an outage: from a tenth to all of the requests, in a straight line.

Callers who were refused come back when they were told to, together with all that would have come anyway. Admitted
all at once they would be the next outage. Shares are dealt out evenly, not by chance: of ten requests at 30 %
three are admitted.
"""

from __future__ import annotations

import math

_FIRST = 0.1
# Tenths do not add up to a whole, in binary.
_WHOLE = 1.0 - 1e-6


class Ramp:
    """Admits a growing share over `span` seconds (0: all at once), once it has begun."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._ends = -math.inf
        self._credit = 0.0

    def begin(self, now: float) -> None:
        """Begin at a tenth; the first request is admitted."""
        self._ends = now + self._span if self._span else -math.inf
        self._credit = 1.0 - _FIRST

    def stop(self) -> None:
        """Admit all."""
        self._ends = -math.inf

    def left(self, now: float) -> float:
        """Return how many seconds are left of it."""
        return max(0.0, self._ends - now)

    def share(self, now: float) -> float:
        """Return which share is admitted now, 1 without a ramp."""
        left = self.left(now)
        return 1.0 - (1.0 - _FIRST) * left / self._span if left else 1.0

    def admit(self, now: float) -> bool:
        """Tell whether one more request is within the share."""
        share = self.share(now)
        if share >= 1.0:
            return True
        self._credit += share
        if self._credit < _WHOLE:
            return False
        self._credit -= 1.0
        return True

    def __repr__(self) -> str:
        return f"<Ramp span={self._span:g} ends={self._ends:g}>"
