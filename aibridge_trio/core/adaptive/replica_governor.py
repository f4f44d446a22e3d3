"""A governor whose outages are those of all replicas: the rules of governor.py, and these.

1. In an outage that replicas share (`shares_canaries`), the replica that has the claim sends canaries; the others
   send none.
2. The end of an outage, and of a spent quota, is that of all, and so is what headers tell of a quota:
   `on_outage_over`, `on_quota_spent` and `on_quota_told` are called with what was learned here, and what others
   have learned is taken over.
3. What is learned of the level is not shared: each replica finds its part of what the provider takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.governor import Governor
from aibridge_trio.core.quota import Left


class ReplicaGovernor(Governor):
    """The governor of one of several replicas."""

    def __init__(self, chance: Callable[[], float]) -> None:
        super().__init__(chance)
        self.shares_canaries = False
        self.has_claim = False
        self.on_outage_over: Callable[[], None] = _ignore
        self.on_quota_spent: Callable[[float, float], None] = _ignore
        self.on_quota_told: Callable[[float], None] = _ignore

    @property
    def canary_is_elsewhere(self) -> bool:
        """Whether another replica sends the canaries of an outage."""
        return self.outage and self.shares_canaries and not self.has_claim

    def has_capacity(self, now: float) -> bool:
        """Return whether one more request may go up now."""
        return not self.canary_is_elsewhere and super().has_capacity(now)

    def next_due(self, now: float) -> float:
        """Return when time alone may free capacity; infinity if only the progress of an answer does."""
        return math.inf if self.canary_is_elsewhere else super().next_due(now)

    def accepted(self, level: int, sent_at: float, now: float, size: float = 0.0) -> None:
        """Learn that the answer to a start has begun."""
        before = self.outage
        super().accepted(level, sent_at, now, size)
        if before and not self.outage:
            self.has_claim = False
            self.on_outage_over()

    def quota_refused(self, pushback: Pushback, level: int, sent_at: float, now: float, size: float = 0.0) -> None:
        """Learn from a pushback of a quota."""
        super().quota_refused(pushback, level, sent_at, now, size)
        if pushback.retry_after:
            self.on_quota_spent(*self.quotas.held_back)

    def told(self, quotas: Iterable[Left], now: float) -> None:
        """Take what an answer tells of the quotas; one that is nearly spent makes the governor active."""
        super().told(quotas, now)
        self.on_quota_told(now)

    def quota_told_elsewhere(self, now: float) -> None:
        """Note that `quotas` has what another replica learned: a quota is nearly spent."""
        self._activate()
        self._told_at = now

    def quota_spent_elsewhere(self, until: float, size: float, now: float) -> None:
        """Hold requests of this size, and larger ones, back until then: another replica found a quota spent."""
        self._activate()
        self._told_at = now
        self.quotas.hold_back(until, size, now)

    def outage_over_elsewhere(self, at: float, now: float) -> None:
        """End the outage if it began before then: a start of another replica was accepted."""
        if self.outage and self._outage_at < at:
            self._end_outage(now)
            self.has_claim = False
            self.resumes_at = min(self.resumes_at, now)
            self._round_trips = 0
            self._pause = 0.0


def _ignore(*_: object) -> None:
    pass
