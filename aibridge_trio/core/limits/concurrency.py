"""The limiter: concurrency limits, rate limit and queue, composed.

The calls for one request: enter → charge_rate → acquire → (join_queue → its turn) → leave.

1. A request is in flight while it holds a slot and a share of its caller's and its provider's limit.
   `charge_rate` counts it against its caller's rate. Only a request that may still queue, because it has no slot
   or its rate is exhausted, is counted at its turn instead.
2. A request that lacks one of these waits if the queue accepts it. Meanwhile it holds none of them and is not
   counted. Without a queue it is refused.
3. Nothing stays free while a queued request could use it: what a request gives back goes to the next in turn at
   once, and what time gives back (the rate) when `advance` is called, which must happen by `next_due` at the
   latest.
4. A request whose turn is expected after its wait must end is refused at once.
5. A limit in shadow refuses and delays no request; `Lease.shadowed` says what it would have done.

The numbered rules for users are in docs/reference.md: C (concurrency and shares), Q (queue), R (rate).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from functools import partial

from aibridge_trio.core.limits.capacity import Capacity, Slots
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.lease import Lease, Limit, Limits
from aibridge_trio.core.limits.rate import Budget, RateLimiter
from aibridge_trio.core.limits.rate_waiters import RateWaiters
from aibridge_trio.core.limits.refusals import Refusal
from aibridge_trio.core.limits.release_rate import ReleaseRate

# Seconds to come back after where no estimate exists: an answer may end, and free its slot, at any moment.
_DEFAULT_WAIT = 1.0
# Bounds of an estimated wait (seconds): an estimate says little about later than a minute, and what is due now may
# still be late.
_LONGEST_WAIT, _SHORTEST_WAIT = 60.0, 0.1


@dataclass(frozen=True, slots=True)
class QueueStats:
    """How many requests wait, of how many callers; `pace` is slots released per second, None if unknown."""

    waiting: int
    callers: int
    pace: float | None


class ConcurrencyLimiter:
    """Gives requests their slot, shares and turn, or refuses them. `now` is in seconds on any monotonic clock.

    `wake` is called with each lease that stops waiting: its turn has come, or it was pushed out. `shadow` names
    the limits in shadow. `rate` is the rate limit; with a queue requests wait for it, unless it is in shadow.
    `on_released` is called when a lease has given back what it held, with its caller and the time: before queued
    requests get it, and at every other release after, so that neither side takes all.
    """

    def __init__(
        self,
        limits: Limits,
        slots: Slots,
        wake: Callable[[Lease], None],
        shadow: Collection[str] = (),
        rate: RateLimiter | None = None,
    ) -> None:
        self.limits = limits
        self.rate = rate
        self.queues_for_rate = bool(rate and limits.queue_size) and "rate_limit" not in shadow
        self._wake = wake
        self._shadow = frozenset(shadow)
        self._capacity = Capacity(limits, slots, shadow)
        self._queue: FairQueue[Lease] = FairQueue(limits.queue_size)
        self._rate_waiters = RateWaiters(rate if self.queues_for_rate else None, self._queue.waiting)
        self._release_rate = ReleaseRate(limits.max_concurrency)
        self.on_released: Callable[[Hashable, float], None] = _ignore
        self._queue_first = True  # at the release before

    def enter(self, lease: Lease, now: float) -> Refusal | None:
        """Take a slot if one is free. Without one the lease may still queue; refuse it if there is no queue."""
        self.advance(now)  # what is due to a queued request is not for a new one
        if self._capacity.acquire_slot(lease) or self.limits.queue_size or self._capacity.slots_in_shadow:
            return None
        return Refusal("capacity", _DEFAULT_WAIT)

    def charge_rate(self, lease: Lease, caller: Hashable, now: float) -> Budget | None:
        """Count a request against its caller's rate; return the caller's budget, None without a rate limit.

        A budget with a `wait` refuses the request. Where requests queue for the rate, none is refused here: a
        request without a slot, or beyond the rate, is counted when its turn comes.
        """
        if self.rate is None:
            return None
        if not self.queues_for_rate:
            return self.rate.charge(caller, now)
        if lease.slot or self._capacity.slots_in_shadow:
            self.advance(now)
            if self._rate_waiters.allows(caller, now):
                lease.charged_at = self._rate_waiters.admit(caller, now)
        return self.rate.budget(caller, now)

    def acquire(self, lease: Lease, caller: Hashable, provider: str, now: float) -> bool:
        """Take all that the lease lacks if all of it is available; return whether it was taken."""
        self.advance(now)
        lease.caller, lease.provider, lease.since = caller, provider, now
        self._capacity.acquire_slot(lease)  # one may have become free since the lease entered
        if self._missing(lease, now):
            return False
        self._grant(lease, now)
        return True

    def join_queue(self, lease: Lease, now: float, max_wait: float = math.inf) -> Refusal | None:
        """Let a lease that could not acquire wait (`lease.queued`), for at most `max_wait` seconds; or refuse it.

        If all is available by now, the lease acquires it and does not wait.
        """
        if self.acquire(lease, lease.caller, lease.provider, now):
            return None
        missing = self._missing(lease, now)
        if not self.limits.queue_size:
            return Refusal(missing[0], _DEFAULT_WAIT)
        max_wait = min(max_wait, self.limits.queue_timeout)
        if refusal := self._refuse_wait(lease, now, max_wait, missing):
            return refusal
        self.uncharge_rate(lease)  # it is counted when its turn comes
        lease.queued, lease.deadline = True, now + max_wait
        pushed_out = self._queue.push(lease.caller, lease.provider, lease)
        if pushed_out:
            pushed_out.queued, pushed_out.pushed_out = False, True
            self._wake(pushed_out)
        self._rate_waiters.arm(lease.caller, now)
        if self._capacity.release_slot(lease):  # a request that queued since this one entered may need it
            self._grant_turns(now)
        return None

    def has_free(self, provider: str) -> bool:
        """Return whether there are a slot and a share of the provider's limit."""
        return self._capacity.slot_available() and self._capacity.provider_available(provider)

    def available(self, lease: Lease) -> bool:
        """Return whether a lease that has left could take slot and shares again."""
        return self._capacity.slot_available() and self._capacity.shares_available(lease.caller, lease.provider)

    def return_to(self, lease: Lease, now: float) -> bool:
        """Give slot and shares to a lease that has left, if they are free; return whether it has them."""
        if not self.available(lease):
            return False
        self._capacity.acquire_slot(lease)
        lease.since = now
        self._grant(lease, now)
        return True

    def refusal_after_wait(self, lease: Lease, now: float) -> Refusal:
        """Return the refusal of a lease whose wait is over without a turn; the lease must leave next."""
        if lease.pushed_out:
            return Refusal("queue_full", self._wait_for_queue_space(now))
        # If it comes again it is behind those that wait now, but not behind itself.
        turns = self._queue.turns_ahead(lease.caller)
        expected = None if self._capacity.slot_free() else self._release_rate.expected_wait(max(1, turns), now)
        return Refusal("queue_timeout", _bounded(expected))

    def uncharge_rate(self, lease: Lease) -> None:
        """Undo the charge of a lease, by `charge_rate` or at its turn: its request does not go up, or not yet."""
        if lease.charged_at is not None:
            self._rate_waiters.refund(lease.caller, lease.charged_at)
            lease.charged_at = None

    def leave(self, lease: Lease, now: float) -> None:
        """Give back all that a lease holds, or remove it from the queue. A second call changes nothing."""
        if lease.queued:
            lease.queued = False
            self._queue.remove(lease)
        self._capacity.release_shares(lease)
        if self._capacity.release_slot(lease):
            # How long a refused request held its slot says nothing about the next ones.
            self._release_rate.released(lease, now, counts=lease.forwarded)
        if len(self._queue):
            self._queue_first = not self._queue_first
            if self._queue_first:
                self._grant_turns(now)
        self.on_released(lease.caller, now)
        if len(self._queue):
            self._grant_turns(now)

    def advance(self, now: float) -> None:
        """Give turns to the queued requests that their callers' rate admits by now."""
        while (caller := self._rate_waiters.pop_due(now)) is not None:
            while self._capacity.slot_available() and (
                lease := self._queue.pop_from(caller, partial(self._can_go, now))
            ):
                self._grant_turn(lease, now)

    def next_due(self) -> float:
        """Return when `advance` must be called next; infinity if no queued request waits for its rate."""
        return self._rate_waiters.next_due()

    def statistics(self, now: float) -> QueueStats:
        """Return the queue's length and pace."""
        return QueueStats(len(self._queue), self._queue.callers, self._release_rate.pace(now))

    def __repr__(self) -> str:
        return f"<ConcurrencyLimiter {self._queue!r} {self._capacity!r}>"

    def _missing(self, lease: Lease, now: float) -> list[Limit]:
        """Return what a lease must wait for, and note in it what it lacks of limits in shadow."""
        charged = lease.charged_at is not None or not self.queues_for_rate
        if lease.slot and charged and not self._capacity.has_shares:
            return []
        missing = self._capacity.missing(lease)
        if not charged and not self._rate_waiters.allows(lease.caller, now):
            missing.append("rate_limit")
        if not (missing and self._shadow):
            return missing
        lease.shadowed = tuple(limit for limit in missing if limit in self._shadow)
        return [limit for limit in missing if limit not in self._shadow]

    def _grant(self, lease: Lease, now: float) -> None:
        """Take the shares and the rate of a lease that lacks nothing else."""
        self._capacity.acquire_shares(lease)
        if lease.charged_at is None:
            lease.charged_at = self._rate_waiters.admit(lease.caller, now)
        if lease.slot and self.limits.queue_size:
            self._release_rate.acquired(lease, now)

    def _grant_turns(self, now: float) -> None:
        """Give turns to queued leases for as long as one of them can go."""
        # Asked by provider first: a walk along the whole queue for nothing would be dear.
        some = any(self._capacity.provider_available(provider) for provider in self._queue.lanes)
        while some and self._capacity.slot_available() and (lease := self._queue.pop(partial(self._can_go, now))):
            self._grant_turn(lease, now)

    def _grant_turn(self, lease: Lease, now: float) -> None:
        self._capacity.acquire_slot(lease)
        lease.queued, lease.since = False, now
        self._grant(lease, now)
        self._wake(lease)

    def _can_go(self, now: float, caller: Hashable, provider: str) -> bool:
        """Return whether a queued request of this caller to this provider lacks nothing but perhaps a slot."""
        return self._capacity.shares_available(caller, provider) and self._rate_waiters.allows(caller, now)

    # Estimates.

    def _refuse_wait(self, lease: Lease, now: float, max_wait: float, missing: list[Limit]) -> Refusal | None:
        """Refuse a wait that the queue does not accept or that is expected to be in vain; None to let it begin."""
        if "rate_limit" in missing:
            ahead = self._queue.waiting_in(lease.caller, self._capacity.provider_available)
            if budget := self._rate_waiters.refuse(lease.caller, now, ahead, max_wait):
                return Refusal("rate_limit", budget.wait or 0.0, spread=budget.spread)
        if not self._queue.accepts(lease.caller):
            return Refusal("queue_full", self._wait_for_queue_space(now))
        # For a slot only: how long slots are held does not say when a share of one caller or provider is released.
        if "capacity" in missing and set(missing) <= {"capacity", "rate_limit"}:
            expected = self._release_rate.expected_wait(self._queue.turns_ahead(lease.caller) + 1, now)
            if expected is not None and expected > max_wait:
                return Refusal("queue_deadline", _bounded(expected), expected)
        return None

    def _wait_for_queue_space(self, now: float) -> float:
        """Return in how many seconds a queued request is expected to leave the queue."""
        waits = [lease.deadline - now for lease in self._queue]
        if self._capacity.slot_available():  # all wait for the rate or for shares
            waits += [
                self._rate_waiters.next_due() - now,
                _DEFAULT_WAIT if self._capacity.has_shares else math.inf,
            ]
        else:
            waits.append(_bounded(self._release_rate.expected_wait(1, now)))
        return _bounded(min(waits))


def _ignore(_: Hashable, __: float) -> None:
    """Do nothing when a lease is released."""


def _bounded(expected: float | None) -> float:
    """Return the wait that a refusal names for an expected one (seconds); None is unknown."""
    return _DEFAULT_WAIT if expected is None else min(max(expected, _SHORTEST_WAIT), _LONGEST_WAIT)
