"""When a rejected request should come back: a wait that is computed, and spaced between the rejected.

The wait is the time until the provider takes requests again, and then the requests before this one, at the rate at
which answers began of late. Each rejected request counts as one of those before the next, so that they come back
one after another.
"""

from __future__ import annotations

from collections import deque

# The rate is measured over so many seconds.
_SPAN = 10.0
# Bounds of the wait (seconds), and the wait while no answer has begun of late.
_SHORTEST, _LONGEST, _UNKNOWN = 1.0, 60.0, 5.0
# Answers that began, at most.
_MOST = 4096


class Comeback:
    """Computes waits in seconds."""

    def __init__(self) -> None:
        self._begun: deque[float] = deque(maxlen=_MOST)
        self._next = 0.0

    def began(self, now: float) -> None:
        """Note that an answer has begun."""
        self._begun.append(now)

    def rate(self, now: float) -> float:
        """Return how many answers a second have begun of late."""
        while self._begun and self._begun[0] < now - _SPAN:
            self._begun.popleft()
        return len(self._begun) / _SPAN

    def wait(self, now: float, resumes_in: float, ahead: int) -> float:
        """Return the wait of a request that is rejected now, with so many requests ahead of it."""
        rate = self.rate(now)
        expected = resumes_in + (ahead / rate if rate else _UNKNOWN)
        wait = min(max(expected, self._next - now), _LONGEST)
        self._next = now + wait + (1 / rate if rate else 1.0)
        return max(wait, _SHORTEST)

    def __repr__(self) -> str:
        return f"<Comeback next={self._next:.1f}>"
