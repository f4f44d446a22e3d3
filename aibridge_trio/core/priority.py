"""Turns of low priority, in the queue and in the adaptive line: behind all others, but never starved.

While requests of normal priority wait, those of low priority get one turn of ten: when nine others have passed
them.
"""

from __future__ import annotations

# While others wait, callers of low priority have one turn in so many.
LOW_TURN = 10


class LowTurns:
    """Counts the turns that passed callers of low priority."""

    def __init__(self) -> None:
        self.passed = 0

    @property
    def due(self) -> bool:
        """Whether the next turn is one of low priority, if such a request can go."""
        return self.passed >= LOW_TURN - 1

    def taken(self, *, low: bool, low_waits: bool) -> None:
        """Note that a request has got its turn, and whether requests of low priority wait."""
        if low:
            self.passed = 0
        elif low_waits:
            self.passed += 1

    def __repr__(self) -> str:
        return f"<LowTurns passed={self.passed}>"
