"""A limit on failures by key, such as wrong tokens by address: some at once, then one in each interval.

It is a token bucket in the form of GCRA: of each key only the time is kept at which all of its failures are
forgotten. At most `capacity` keys are kept; beyond that the one that failed longest ago is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class FailureLimit:
    """`burst` failures of a key at once, then one every `interval` seconds."""

    def __init__(self, *, burst: int, interval: float, capacity: int) -> None:
        self._slack = (burst - 1) * interval
        self._interval = interval
        self._capacity = capacity
        self._forgotten: OrderedDict[Hashable, float] = OrderedDict()

    def charge(self, key: Hashable, now: float) -> float | None:
        """Count a failure. Beyond the limit it is not counted: return the seconds until one will be, else None."""
        due = max(self._forgotten.get(key, now), now)
        if (wait := due - self._slack - now) > 0:
            return wait
        self._forgotten[key] = due + self._interval
        self._forgotten.move_to_end(key)
        if len(self._forgotten) > self._capacity:
            self._forgotten.popitem(last=False)
        return None

    def __len__(self) -> int:
        return len(self._forgotten)

    def __repr__(self) -> str:
        return f"<FailureLimit keys={len(self)}>"
