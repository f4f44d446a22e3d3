"""When a worker that has ended is started again: at once after a long life, later and later after short ones."""

from __future__ import annotations

# The pauses (seconds): the second one, and the longest. Each is twice the one before.
FIRST, LONGEST = 0.5, 30.0
# A worker that has served for so long (seconds) is started at once when it ends.
LONG_LIFE = 10.0


class Backoff:
    """The pauses between the lives of one worker."""

    def __init__(self) -> None:
        self._next = 0.0

    def ended(self, served: float) -> float:
        """Return how long to wait, after a life in which it served for so many seconds."""
        if served >= LONG_LIFE:
            self._next = 0.0
        pause = self._next
        self._next = min(LONGEST, max(FIRST, 2 * pause))
        return pause

    def __repr__(self) -> str:
        return f"<Backoff next={self._next:g}>"
