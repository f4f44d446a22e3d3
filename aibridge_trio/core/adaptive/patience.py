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
# The expected patience: this share of the median, less the time for the answer to begin (seconds).
_SHARE, _TO_BEGIN = 0.97, 1.0
_LEAST = 1.0


class Patience:
    """The patience of callers, in seconds."""

    def __init__(self, capacity: int = _CALLERS) -> None:
        self._capacity = capacity
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

    def expected(self, caller: Hashable) -> float:
        """Return how long a request of this caller can wait and still be answered; infinity if unknown."""
        waits = self._waits.get(caller)
        if not waits:
            return math.inf
        return max(_LEAST, _SHARE * sorted(waits)[len(waits) // 2] - _TO_BEGIN)

    def __repr__(self) -> str:
        return f"<Patience of {len(self._waits)} callers>"
