"""How long a replica holds to its parts of limits once the store is back: until it knows what others have."""

from __future__ import annotations

import math

# Limits over longer spans are the store's earlier (seconds).
SETTLING = 60.0


class Settling:
    """Slots are settled `ttl` seconds after the store is back, limits over a span once that has passed, too."""

    __slots__ = ("_slots", "_spans", "_ttl")

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        # Since when the store knows of slots, and of what is used.
        self._slots = self._spans = -math.inf

    def begin(self, since: float, *, used: bool = True) -> None:
        """Hold to parts from then on; of limits over spans only if something was `used` meanwhile."""
        self._slots = max(self._slots, since)
        if used:
            self._spans = max(self._spans, since)

    def settled(self, span: float, now: float) -> bool:
        """Whether the store knows all that limits over `span` seconds count (0: slots)."""
        return now >= max(self._slots + self._ttl, self._spans + min(span, SETTLING))

    def over(self, now: float) -> bool:
        """Whether all limits are settled."""
        return self.settled(SETTLING, now)

    def __repr__(self) -> str:
        return f"<Settling slots={self._slots:g} spans={self._spans:g}>"
