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

from aibridge_trio.core.limits.caller_rates import CallerRates
from aibridge_trio.core.limits.capacity import Capacity, Slots
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.lease import Lane, Lease, Limits
from aibridge_trio.core.limits.rate import Budget
from aibridge_trio.core.limits.rate_waiters import RateWaiters
from aibridge_trio.core.limits.refusals import Refusal
from aibridge_trio.core.limits.release_rate import ReleaseRate
from aibridge_trio.core.limits.sharing import Sharing
from aibridge_trio.core.limits.turns import Turns
from aibridge_trio.core.limits.waits import DEFAULT_WAIT, Waits


@dataclass(frozen=True, slots=True)
class QueueStats:
    """How many requests wait, of how many callers; `pace` is slots released per second, None if unknown."""

    waiting: int
    callers: int
    pace: float | None


class ConcurrencyLimiter:
    """Gives requests their slot, shares and turn, or refuses them. `now` is in seconds on any monotonic clock.

    `wake` is called with each lease that stops waiting: its turn has come, or it was pushed out. `shadow` names
    the limits in shadow. With a queue requests wait for the rate, too, unless it is in shadow; `chance` spreads
    its turns (rate.py). `keeps_time` says whether `leave` needs the time.
    """

    def __init__(
        self,
        limits: Limits,
        slots: Slots,
        wake: Callable[[Lease], None],
        shadow: Collection[str] = (),
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.rates = CallerRates(limits, chance)
        self._wake = wake
        self._capacity = Capacity(limits, slots, shadow)
        self._queue: FairQueue[Lane, Lease] = FairQueue(limits.queue_size, limits.class_of)
        self.sharing = Sharing(self._capacity, self._queue, self.rates)
        self._rate_waiters = RateWaiters(None, self._queue)
        self._release_rate = ReleaseRate(limits.max_concurrency)
        self._waits = Waits(self._capacity, self._queue, self._rate_waiters, self._release_rate)
        self._turns = Turns(self._capacity, self._queue, self._rate_waiters, self._release_rate, wake)
        self.keeps_time = False
        self._set(limits, shadow)

    def on_released(self, call: Callable[[Hashable | None, float], None] | None) -> None:
        """See `Turns`. The caller is None for any caller."""
        self._turns.on_released = call
        self.keeps_time = self.keeps_time or call is not None

    def apply(self, limits: Limits, shadow: Collection[str], now: float) -> None:
        """Replace all limits. What is in flight, counted or queued stays so.

        Beyond a lowered limit nothing new is admitted until enough has left. What a raised one has free goes to
        queued requests at once. A queued request goes on waiting until its deadline, in a queue of size 0 too.
        """
        self.sharing.others.forget()
        self.rates.apply(limits)
        self._capacity.apply(limits, shadow)
        self._queue.size = limits.queue_size
        self._queue.reorder(limits.is_low, limits.class_of)
        held = {lease: lease.since for lease in self._capacity.inside if lease.slot}
        self._release_rate.apply(limits.max_concurrency, held if limits.queue_size else {})
        self._set(limits, shadow, now)
        self._turns.freed(None, now)

    def _set(self, limits: Limits, shadow: Collection[str], now: float = 0.0) -> None:
        self.limits = limits
        self._shadow = frozenset(shadow)
        bars = self.rates.active and "rate_limit" not in shadow
        self.sharing.rates_shadow = not bars
        self.queues_for_rate = bars and bool(limits.queue_size)
        self.keeps_time = bool(limits.queue_size or self._queue.count or self._turns.on_released)
        self._rate_waiters.apply(self.rates if bars else None, now)
        self._turns.apply(shadow, rates_bar=bars, times_holds=bool(limits.queue_size))

    def enter(self, lease: Lease, now: float) -> Refusal | None:
        """Take a slot if one is free. Without one the lease may still queue; refuse it if there is no queue."""
        if self._rate_waiters.due <= now:
            self._turns.advance(now)  # what is due to a queued request is not for a new one
        if self._capacity.acquire_slot(lease) or self.limits.queue_size or self._capacity.slots_in_shadow:
            return None
        return Refusal("capacity", DEFAULT_WAIT)

    def charge_rate(self, lease: Lease, caller: Hashable, now: float) -> Budget | None:
        """Count a request against its caller's rate; return the caller's budget, None without a rate limit.

        A budget with a `wait` refuses the request. Where requests queue for the rate, none is refused here: a
        request without a slot, or beyond the rate, is counted when its turn comes.
        """
        if not self.rates.active:
            return None
        if not self.queues_for_rate:
            budget = self.rates.charge(caller, now)
            if budget is not None and budget.wait is None:
                lease.charged_at = now
            return budget
        if lease.slot or self._capacity.slots_in_shadow:
            self._turns.advance(now)
            if self._rate_waiters.allows(caller, now):
                lease.charged_at = self._rate_waiters.admit(caller, now)
        return self.rates.budget(caller, now)

    def acquire(self, lease: Lease, caller: Hashable, provider: str, now: float) -> bool:
        """Take all that the lease lacks if all of it is available; return whether it was taken.

        With the provider "", which is not known yet, it takes no share of one: see `move`.
        """
        lease.caller, lease.provider = caller, provider
        return self._turns.acquire(lease, now)

    def join_queue(self, lease: Lease, now: float, max_wait: float = math.inf) -> Refusal | None:
        """Let a lease that could not acquire wait (`lease.queued`), for at most `max_wait` seconds; or refuse it.

        If all is available by now, the lease acquires it and does not wait.
        """
        if self._turns.acquire(lease, now):
            return None
        missing = self._turns.missing(lease, now)
        low = self.limits.is_low(lease.caller)
        if not self.limits.queue_size:
            return self._waits.refuse_at_once(lease, now, missing[0])
        max_wait = min(max_wait, self.limits.queue_timeout)
        if refusal := self._waits.refuse(lease, now, max_wait, missing, low=low):
            return refusal
        charged = lease.charged_at is not None
        self.uncharge_rate(lease)  # it is counted when its turn comes
        lease.queued, lease.deadline = True, now + max_wait
        pushed_out = self._queue.push(lease.caller, lease.lane, lease, low=low)
        lease.place = self._queue.last_number
        if pushed_out:
            pushed_out.queued, pushed_out.pushed_out = False, True
            self._wake(pushed_out)
        self._rate_waiters.arm(lease.caller, now)
        if self._capacity.release_slot(lease) or charged:  # another queued request may need what it gives back
            self._turns.grant_turns(now)
        return None

    def put_back(self, lease: Lease, now: float, max_wait: float = math.inf) -> Refusal | None:
        """Take back what a lease has and the store denies, its charge too; let it queue, or refuse it.

        One that has queued before has its place there again, and its deadline. A refused lease must leave next.
        """
        self._capacity.release_shares(lease)
        if self._capacity.release_slot(lease):
            self._release_rate.released(lease, now, counts=False)
        self.uncharge_rate(lease)
        if not (lease.place and self.limits.queue_size):
            refusal = self.join_queue(lease, now, max_wait)
        elif now >= lease.deadline:
            refusal = self.refusal_after_wait(lease, now)
        else:
            refusal, lease.queued = None, True
            low = self.limits.is_low(lease.caller)
            self._queue.put_back(lease.caller, lease.lane, lease, lease.place, low=low)
            self._rate_waiters.arm(lease.caller, now)
        self._turns.freed(None, now)
        return refusal

    def divide(self, parts: Callable[[float], int], replicas: int, now: float) -> None:
        """Let this replica have its part of each limit: see `Sharing.divide`. What is in flight stays so."""
        self.sharing.divide(parts, replicas)
        self._rate_waiters.apply(self.rates if not self.sharing.rates_shadow else None, now)
        self._turns.freed(None, now)

    def others_changed(self, now: float) -> None:
        """Give what others have given back to requests that wait."""
        self._turns.freed(None, now)

    def has_free(self, provider: str) -> bool:
        """Return whether there are a slot and a share of the provider's limit."""
        return self._capacity.slot_available() and self._capacity.provider_available(provider)

    def provider_free(self, provider: str) -> bool:
        """Return whether `move` would succeed: a share of the provider's limit is free, or it is not limited."""
        return self._capacity.provider_available(provider)

    def move(self, lease: Lease, provider: str, now: float) -> bool:
        """Let a lease in flight go to another provider, or to its first one; return False if that one is full.

        It takes a share of that provider's limit and gives back the one that it has, if any; slot, caller's share
        and charge stay. If the provider is full, the lease keeps what it has. In shadow it goes on without a
        share, and `Lease.shadowed` says so. A lease that has left (see `return_to`) moves, and takes the share
        later.
        """
        if lease.provider == provider:
            return True
        lease.shadowed = ()
        if not self._capacity.holds(lease):
            lease.provider = provider
            return True
        had = lease.provider_share
        if self._capacity.provider_full(provider) and "provider_capacity" in self._shadow:
            lease.shadowed = ("provider_capacity",)
        if not self._capacity.move(lease, provider):
            return False
        if had:
            self._turns.freed(lease.caller, now)
        return True

    def give_up_provider(self, lease: Lease, now: float) -> None:
        """Give back a lease's share of its provider's limit: it goes to another one next, or waits."""
        if lease.provider_share:
            self._capacity.release_provider(lease)
            self._turns.freed(lease.caller, now)
        lease.provider = ""

    def queue_for(self, lease: Lease, providers: Lane, now: float, max_wait: float = math.inf) -> Refusal | None:
        """Let a lease in flight move to the first of `providers` that is free, or queue for one; or refuse it.

        A queued lease (`lease.queued`) gives back all that it holds, its charge too, and gets all of it with its
        turn; then `lease.provider` is the one that was free. It waits for at most `max_wait` seconds. A refused
        lease must leave next.
        """
        if any(self.move(lease, provider, now) for provider in providers):
            return None
        self.leave(lease, now)
        lease.provider, lease.choice = providers[0], providers
        return self.join_queue(lease, now, max_wait)

    def available(self, lease: Lease) -> bool:
        """Return whether a lease that has left could take slot and shares again."""
        return self._capacity.slot_available() and self._capacity.shares_available(lease.caller, lease.lane)

    def return_to(self, lease: Lease, now: float) -> bool:
        """Give slot and shares to a lease that has left, if they are free; return whether it has them."""
        if not self.available(lease):
            return False
        self._capacity.acquire_slot(lease)
        lease.since = now
        self._turns.grant(lease, now)  # its rate has counted it once
        return True

    def refusal_after_wait(self, lease: Lease, now: float) -> Refusal:
        """Return the refusal of a lease whose wait is over without a turn; the lease must leave next."""
        return self._waits.refuse_after(lease, now, low=self.limits.is_low(lease.caller))

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
        caller = None if lease.class_share else lease.caller  # whose held requests may go now: its class's
        if lease in self._capacity.inside:
            self._capacity.release_shares(lease)
        if self._capacity.release_slot(lease) and self.limits.queue_size:
            # How long a refused request held its slot says nothing about the next ones.
            self._release_rate.released(lease, now, counts=lease.forwarded)
        if self._queue.count or self._turns.on_released is not None:
            self._turns.freed(caller, now)

    def advance(self, now: float) -> None:
        """Give turns to the queued requests that their callers' rate admits by now."""
        self._turns.advance(now)

    def next_due(self) -> float:
        """Return when `advance` must be called next; infinity if no queued request waits for its rate."""
        return self._rate_waiters.due

    def statistics(self, now: float) -> QueueStats:
        """Return the queue's length and pace."""
        return QueueStats(len(self._queue), self._queue.callers, self._release_rate.pace(now))

    def __repr__(self) -> str:
        return f"<ConcurrencyLimiter {self._queue!r} {self._capacity!r}>"
