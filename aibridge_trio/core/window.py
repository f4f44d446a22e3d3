"""Events counted in a sliding window."""

from __future__ import annotations

from collections import deque


class Window:
    """How many events lie in (now − span, now], counted up to `cap`.

    Only the last `cap` times are kept, so memory is bounded however fast they come, and the answer to "have
    `cap` been reached?" stays exact. `span` is in seconds.
    """

    def __init__(self, span: float, cap: int) -> None:
        self._span = span
        self._times: deque[float] = deque(maxlen=cap)

    def add(self, now: float) -> None:
        """Count one event at `now`."""
        self._times.append(now)

    def count(self, now: float) -> int:
        """Return how many lie in the window, at most `cap`."""
        while self._times and self._times[0] + self._span <= now:
            self._times.popleft()
        return len(self._times)

    def clear(self) -> None:
        """Forget all."""
        self._times.clear()
