"""The bridge's slots, counted."""

from __future__ import annotations

from collections.abc import Hashable


class InFlight:
    """Counts who is in flight, as trio's CapacityLimiter does in the program."""

    def __init__(self, total: float) -> None:
        self._total = total
        self.held = 0

    def free(self) -> bool:
        """Tell whether one is free."""
        return self.held < self._total

    def take(self, _: Hashable) -> None:
        """Take a free one."""
        self.held += 1

    def give(self, _: Hashable) -> None:
        """Give one back."""
        self.held -= 1
