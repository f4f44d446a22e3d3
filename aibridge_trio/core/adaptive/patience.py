"""How long each caller's requests wait for an answer, learned from those that left without one.

At overload a first-come line serves requests whose callers are about to leave. The requests that left tell how
long the next ones will stay: of the last few, the median, and a little less.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Hashable

# The requests of one caller that are remembered, and the callers; about 300 bytes each.
_REQUESTS, _CALLERS = 5, 10_000
# The expected patience: this share of the median, less the time for the answer to begin.
_SHARE = 0.97
# That time: at first and at least (seconds), as a multiple of the mean, and how fast the mean follows.
_TO_BEGIN, _LONGER, _FOLLOW = 1.0, 1.2, 0.05
_LEAST = 1.0


class Patience:
    """The patience of callers, in seconds."""

    def __init__(self, capacity: int = _CALLERS) -> None:
        self._capacity = capacity
        self._to_begin = _TO_BEGIN
        self._waits: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def left(self, caller: Hashable, waited: float) -> None:
        """Note that a caller left after this time."""
        waits = self._waits.get(caller)
        if waits is None:
            waits = self._waits[caller] = deque(maxlen=_REQUESTS)
            if len(self._waits) > self._capacity:
                self._waits.popitem(last=False)
        waits.append(waited)
        self._waits.move_to_end(caller)

    def began(self, seconds: float) -> None:
        """Note that an answer began so long after its request was sent."""
        self._to_begin = max(_TO_BEGIN, self._to_begin + (_LONGER * seconds - self._to_begin) * _FOLLOW)

    def expected(self, caller: Hashable) -> float:
        """Return how long a request of this caller can wait and still be answered; infinity if unknown."""
        waits = self._waits.get(caller)
        if not waits:
            return math.inf
        return max(_LEAST, _SHARE * sorted(waits)[len(waits) // 2] - self._to_begin)

    def __repr__(self) -> str:
        return f"<Patience of {len(self._waits)} callers>"
