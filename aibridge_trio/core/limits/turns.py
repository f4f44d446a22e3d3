"""Gives requests what they lack: at once, or in their turn when others have given it back.

Nothing stays free while a queued request could use it: what a request gives back goes to the next in turn at once,
and what time gives back (the rate) when `advance` is called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from functools import partial

from aibridge_trio.core.limits.caller_rates import OfClass
from aibridge_trio.core.limits.capacity import Capacity
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.lease import Lane, Lease, Limit
from aibridge_trio.core.limits.rate_waiters import RateWaiters
from aibridge_trio.core.limits.release_rate import ReleaseRate


class Turns:
    """Grants slots, shares and rate, in the order of the queue. `now` is in seconds on any monotonic clock.

    `wake` is called with each queued lease that gets its turn. `on_released` is called when something has become
    free, with the time and the caller who may have gained by it, None for any: before queued requests get it, and
    at every other time after, so that neither side takes all.
    """

    def __init__(
        self,
        capacity: Capacity,
        queue: FairQueue[Lane, Lease],
        rate_waiters: RateWaiters,
        release_rate: ReleaseRate,
        wake: Callable[[Lease], None],
    ) -> None:
        self._capacity = capacity
        self._queue = queue
        self._rate_waiters = rate_waiters
        self._release_rate = release_rate
        self._wake = wake
        self._shadow: frozenset[str] = frozenset()
        self._rates_bar = False
        self._times_holds = self._slots_only = False
        self.on_released: Callable[[Hashable | None, float], None] | None = None
        self._queue_first = True  # at the release before

    def apply(self, shadow: Collection[str], *, rates_bar: bool, times_holds: bool) -> None:
        """Replace the limits in shadow, whether the rate bars requests, and whether hold times are measured."""
        self._shadow = frozenset(shadow)
        self._rates_bar = rates_bar
        self._times_holds = times_holds
        # Whether a counted request with a slot lacks nothing, and has no lane to choose.
        self._slots_only = not (self._capacity.has_shares or times_holds)

    def advance(self, now: float) -> None:
        """Give turns to the queued requests that their callers' rate admits by now."""
        while (caller := self._rate_waiters.pop_due(now)) is not None:
            if isinstance(caller, OfClass):
                self.grant_turns(now)
                self._rate_waiters.arm_all(now)
                continue
            while self._capacity.slot_available() and (
                lease := self._queue.pop_from(caller, partial(self._can_go, now))
            ):
                self._grant_turn(lease, now)
            self._rate_waiters.arm(caller, now)

    def freed(self, caller: Hashable | None, now: float) -> None:
        """Offer what is free to queued requests and to `on_released`, by turns first to either."""
        if self._queue.count:
            self._queue_first = not self._queue_first
            if self._queue_first:
                self.grant_turns(now)
        if self.on_released is not None:
            self.on_released(caller, now)
        if self._queue.count:
            self.grant_turns(now)

    def acquire(self, lease: Lease, now: float) -> bool:
        """Take all that a lease lacks if all of it is available; return whether it was taken."""
        if self._rate_waiters.due <= now:
            self.advance(now)
        lease.since = now
        charged = lease.charged_at is not None or not self._rates_bar
        if lease.slot and charged and self._slots_only:  # as most are
            self._capacity.inside[lease] = None
            return True
        self._capacity.acquire_slot(lease)  # one may have become free since the lease entered
        if self.missing(lease, now):
            return False
        self._charge(lease, now)
        self.grant(lease, now)
        return True

    def missing(self, lease: Lease, now: float) -> list[Limit]:
        """Return what a lease must wait for, and note in it what it lacks of limits in shadow."""
        missing = self._capacity.missing(lease)
        if lease.charged_at is None and self._rates_bar and not self._rate_waiters.allows(lease.caller, now):
            missing.append("rate_limit")
        if not (missing and self._shadow):
            return missing
        lease.shadowed = tuple(limit for limit in missing if limit in self._shadow)
        return [limit for limit in missing if limit not in self._shadow]

    def _charge(self, lease: Lease, now: float) -> None:
        if lease.charged_at is None:
            lease.charged_at = self._rate_waiters.admit(lease.caller, now)

    def grant(self, lease: Lease, now: float) -> None:
        """Take the shares of a lease that lacks nothing else."""
        self._capacity.acquire_shares(lease)
        if lease.slot and self._times_holds:
            self._release_rate.acquired(lease, now)

    def grant_turns(self, now: float) -> None:
        """Give turns to queued leases for as long as one of them can go."""
        # Asked by slots, provider and class first: a walk along the whole queue for nothing would be dear.
        while self._capacity.slot_available() and any(map(self._capacity.lane_available, self._queue.lanes)):
            groups = self._queue.groups
            closed = [name for name in groups if not self._class_can_go(name, now)]
            if len(closed) == len(groups):
                return
            lease = self._queue.pop(partial(self._can_go, now), closed)
            if lease is None:
                return
            self._grant_turn(lease, now)

    def _class_can_go(self, name: str, now: float) -> bool:
        return self._capacity.class_available(name) and self._rate_waiters.class_allows(name, now)

    def _grant_turn(self, lease: Lease, now: float) -> None:
        self._capacity.acquire_slot(lease)
        lease.queued, lease.since = False, now
        self._charge(lease, now)
        self.grant(lease, now)
        self._wake(lease)

    def _can_go(self, now: float, caller: Hashable, lane: Lane) -> bool:
        """Return whether a queued request of this caller in this lane lacks nothing but perhaps a slot."""
        return self._capacity.shares_available(caller, lane) and self._rate_waiters.allows(caller, now)

    def __repr__(self) -> str:
        return f"<Turns {self._rate_waiters!r}>"
