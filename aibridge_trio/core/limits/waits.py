"""What is expected of waits in the queue: which are refused at once, and when a refused request should come."""

from __future__ import annotations

import math

from aibridge_trio.core.limits.capacity import Capacity
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.lease import Lane, Lease, Limit
from aibridge_trio.core.limits.rate import Budget
from aibridge_trio.core.limits.rate_waiters import RateWaiters
from aibridge_trio.core.limits.refusals import Refusal
from aibridge_trio.core.limits.release_rate import ReleaseRate

# Seconds to come back after where no estimate exists: an answer may end, and free its slot, at any moment.
DEFAULT_WAIT = 1.0
# Bounds of an estimated wait (seconds): an estimate says little about later than a minute, and what is due now may
# still be late.
_LONGEST_WAIT, _SHORTEST_WAIT = 60.0, 0.1


class Waits:
    """Expectations by the state of a limiter's parts. `now` is in seconds on any monotonic clock."""

    def __init__(
        self,
        capacity: Capacity,
        queue: FairQueue[Lane, Lease],
        rate_waiters: RateWaiters,
        release_rate: ReleaseRate,
    ) -> None:
        self._capacity = capacity
        self._queue = queue
        self._rate_waiters = rate_waiters
        self._release_rate = release_rate

    def refuse_at_once(self, lease: Lease, now: float, missing: Limit) -> Refusal:
        """Return the refusal of a lease that lacks something and may not queue."""
        if missing == "caller_capacity":
            limit, class_name = self._capacity.caller_bar(lease.caller)
            return Refusal(missing, DEFAULT_WAIT, limit=limit, class_name=class_name)
        if missing == "rate_limit" and (budget := self._rate_waiters.refuse(lease.caller, now, 0, 0.0)):
            return _of_rate(budget)
        return Refusal(missing, DEFAULT_WAIT)

    def refuse(
        self, lease: Lease, now: float, max_wait: float, missing: list[Limit], *, low: bool = False
    ) -> Refusal | None:
        """Refuse a wait that the queue does not accept or that is expected to be in vain; None to let it begin."""
        if "rate_limit" in missing:
            ahead = self._queue.waiting_in(lease.caller, self._capacity.lane_available)
            if budget := self._rate_waiters.refuse(lease.caller, now, ahead, max_wait):
                return _of_rate(budget)
        if not self._queue.accepts(lease.caller, low=low):
            return Refusal("queue_full", self._for_queue_space(now))
        # For a slot only: how long slots are held does not say when a share of one caller or provider is released.
        if "capacity" in missing and set(missing) <= {"capacity", "rate_limit"}:
            expected = self._release_rate.expected_wait(self._queue.turns_ahead(lease.caller, low=low) + 1, now)
            if expected is not None and expected > max_wait:
                return Refusal("queue_deadline", _bounded(expected), expected)
        return None

    def refuse_after(self, lease: Lease, now: float, *, low: bool = False) -> Refusal:
        """Return the refusal of a lease whose wait is over without a turn."""
        if lease.pushed_out:
            return Refusal("queue_full", self._for_queue_space(now))
        # If it comes again it is behind those that wait now, but not behind itself.
        turns = self._queue.turns_ahead(lease.caller, low=low)
        expected = None if self._capacity.slot_free() else self._release_rate.expected_wait(max(1, turns), now)
        return Refusal("queue_timeout", _bounded(expected))

    def _for_queue_space(self, now: float) -> float:
        """Return in how many seconds a queued request is expected to leave the queue."""
        waits = [lease.deadline - now for lease in self._queue]
        if self._capacity.slot_available():  # all wait for the rate or for shares
            waits += [
                self._rate_waiters.due - now,
                DEFAULT_WAIT if self._capacity.has_shares else math.inf,
            ]
        else:
            waits.append(_bounded(self._release_rate.expected_wait(1, now)))
        return _bounded(min(waits))

    def __repr__(self) -> str:
        return f"<Waits {self._release_rate!r}>"


def _of_rate(budget: Budget) -> Refusal:
    return Refusal("rate_limit", budget.wait or 0.0, spread=budget.spread, class_name=budget.class_name)


def _bounded(expected: float | None) -> float:
    """Return the wait that a refusal names for an expected one (seconds); None is unknown."""
    return DEFAULT_WAIT if expected is None else min(max(expected, _SHORTEST_WAIT), _LONGEST_WAIT)
