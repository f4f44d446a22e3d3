"""A request's way through the limits: enter → charge_rate → acquire → wait_turn → leave.

The slot comes first: it is the cheapest reject, and must hold when all else is slow. Without a queue, a request
that finds no slot costs no hash and no table entry. Where requests may queue, every check that needs no wait runs
before the wait, and a request that waits is charged against its rate at its turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import random
from typing import Self

import trio

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter, QueueStats
from aibridge_trio.core.limits.lease import Lane, Lease, Limits
from aibridge_trio.core.limits.rate import Budget
from aibridge_trio.core.limits.refusals import reject
from aibridge_trio.errors import AtCapacity, RateLimited
from aibridge_trio.events import OnShadowReject, Outcome, Publish, Waited, ignore
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply
from aibridge_trio.sharing.store import OwnStore, Store

# The part of a caller's timeout that its request may wait before it goes up; the rest is for the provider.
_WAIT_PART = 0.5


@dataclass(frozen=True, slots=True)
class AdmissionStats:
    """Limits, requests in flight and queued; callers in their rates' last spans, and evicted ones.

    `own_rates`: callers or classes have rates of their own.
    """

    limits: Limits
    in_flight: int
    queue: QueueStats
    callers: int
    evictions: int
    own_rates: bool = False


class RequestLease(Lease):
    """What one request holds of the limits; leaving the context gives it back."""

    __slots__ = ("_admission", "_budget", "_turn", "suspended")

    def __init__(self, admission: Admission) -> None:
        super().__init__()
        self._admission = admission
        self._turn: trio.Event | None = None
        self._budget: list[tuple[bytes, bytes]] = []
        self.suspended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def charge_rate(self, caller: Caller, reply: Reply, would_reject: OnShadowReject = ignore) -> None:
        """Count the request against its caller's rate, or raise RateLimited; the reply gets the rate's headers.

        Where requests queue for the rate nothing is raised: what is not counted now is counted with its turn.
        """
        admission = self._admission
        budget = admission.limiter.charge_rate(self, caller.key, admission.clock())
        if budget is None:
            return
        if admission.rate_in_shadow:
            if budget.wait is not None:
                would_reject(RateLimited.reason)
            return
        self._budget[:] = _headers(budget)
        reply.add_defaults(self._budget)
        if budget.wait is not None:
            raise RateLimited(budget.wait, budget.spread, class_name=budget.class_name)
        admission.reschedule()

    def acquire(self, caller: Caller, provider: str, would_reject: OnShadowReject = ignore) -> bool:
        """Take slot, shares and rate as far as the request lacks them; return False if it must wait for one."""
        admission = self._admission
        acquired = admission.limiter.acquire(self, caller.key, provider, admission.clock())
        self._update_budget()
        for reason in self.shadowed:
            would_reject(reason)
        return acquired

    def provider_free(self, provider: str) -> bool:
        """Return whether `move` to this provider would succeed now: to choose one without side effects."""
        return self._admission.limiter.provider_free(provider)

    def move(self, provider: str, would_reject: OnShadowReject = ignore) -> bool:
        """Take a share of a provider's limit for a request in flight; return False if none is free.

        For a request that acquired with the provider "", because its provider is known only now, or that is sent
        to another one instead: the share of the one before is given back. Slot, caller's share and charge stay.
        """
        admission = self._admission
        moved = admission.limiter.move(self, provider, admission.clock())
        admission.reschedule()
        for reason in self.shadowed:
            would_reject(reason)
        return moved

    async def wait_turn(self, max_wait: float, providers: Lane = ()) -> None:
        """Queue until the request has all that it lacks, for at most `max_wait` seconds and the queue's timeout.

        With `providers`: a request in flight moves to the first of them that is free (see `move`), and if none is,
        gives back all that it holds and queues until one is; `provider` says which it was. Raises the reject of a
        request that may not wait or gets no turn: QueueFull, QueueDeadline, QueueTimeout, RateLimited; without a
        queue AtCapacity, CallerAtCapacity or ProviderAtCapacity.
        """
        limiter, clock = self._admission.limiter, self._admission.clock
        began = clock()
        self._turn = turn = trio.Event()
        if providers:
            refusal = limiter.queue_for(self, providers, began, max_wait)
        else:
            refusal = limiter.join_queue(self, began, max_wait)
        if refusal:
            seconds = min(max_wait, limiter.limits.queue_timeout)
            raise reject(refusal, self.provider, seconds)
        self._admission.reschedule()
        if providers and not self.queued:
            return
        outcome: Outcome = "left"
        try:
            with trio.CancelScope(deadline=self.deadline):
                await turn.wait()
            if self.queued or self.pushed_out:
                limiter.advance(clock())  # the rate may admit it at this very moment
            if self.queued or self.pushed_out:
                outcome = "pushed_out" if self.pushed_out else "timed_out"
                now = clock()
                raise reject(limiter.refusal_after_wait(self, now), self.provider, now - began)
            # A caller may leave at the very moment of its request's turn: then the request must not go up.
            await trio.lowlevel.checkpoint_if_cancelled()
            outcome = "served"
        finally:
            if outcome == "left":
                limiter.uncharge_rate(self)
            self._update_budget()
            self._admission.publish(Waited(self.provider, clock() - began, outcome))

    def suspend(self) -> None:
        """Give back slot and shares while the request is held for its provider; its rate stays charged."""
        self.suspended = True
        self._release()

    def may_resume(self) -> bool:
        """Return whether `resume` would succeed; true for a lease that is not suspended."""
        return not self.suspended or self._admission.limiter.available(self)

    def resume(self) -> bool:
        """Take slot and shares again, if they are free; return whether the request has them now."""
        admission = self._admission
        if self.suspended and admission.limiter.return_to(self, admission.clock()):
            self.suspended = False
            admission.entered += 1
        return not self.suspended

    def leave(self) -> None:
        """Give back all that the request holds; it leaves the queue, too."""
        if not self.suspended:
            self._release()

    def _release(self) -> None:
        self._admission.entered -= 1
        self._admission.limiter.leave(self, self._admission.clock())
        self._admission.reschedule()

    def wake(self) -> None:
        """End the wait of `wait_turn`."""
        assert self._turn is not None
        self._turn.set()

    def _update_budget(self) -> None:
        """Where requests queue for the rate: update the reply's headers, and set the timer of `run` anew.

        Without the timer, requests that queue for this caller's rate would wait too long.
        """
        limiter = self._admission.limiter
        if limiter.queues_for_rate:
            if budget := limiter.rates.budget(self.caller, self._admission.clock()):
                self._budget[:] = _headers(budget)
            self._admission.reschedule()


class Admission:
    """Concurrency limits, rate limit and queue on Trio: `enter` gives each request its lease.

    `shadow` are the reject reasons of the limits in shadow. `run` must run for as long as requests may queue.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float],
        publish: Publish = ignore,
        shadow: Collection[str] = (),
        store: Store | None = None,
    ) -> None:
        self.store: Store = store or OwnStore()
        self.clock = clock
        self.publish = publish
        self.entered = 0
        self.rate_in_shadow = RateLimited.reason in shadow
        slots = trio.CapacityLimiter(limits.max_concurrency or math.inf)
        self.limiter = ConcurrencyLimiter(limits, slots, _wake, shadow, random)
        self._rescheduled = trio.Event()
        self._next_due = math.inf

    def apply(self, limits: Limits, shadow: Collection[str] = ()) -> None:
        """Replace all limits while requests are in flight and wait: see `ConcurrencyLimiter.apply`."""
        self.rate_in_shadow = RateLimited.reason in shadow
        self.limiter.apply(limits, shadow, self.clock())
        self._rescheduled.set()

    def enter(self) -> RequestLease:
        """Return a request's lease, with a slot if one is free; use it as a context.

        Raises AtCapacity if none is free and requests cannot queue.
        """
        lease = RequestLease(self)
        if self.limiter.enter(lease, self.clock()):
            raise AtCapacity
        self.entered += 1
        return lease

    async def run(self) -> None:
        """Give turns to requests that queue for their caller's rate, when they are due; runs until cancelled."""
        while True:
            self._rescheduled = trio.Event()
            self._next_due = self.limiter.next_due()
            with trio.CancelScope(deadline=self._next_due):
                await self._rescheduled.wait()
            self.limiter.advance(self.clock())

    def reschedule(self) -> None:
        """Let `run` wake earlier, if the limiter is due earlier than it was."""
        if self.limiter.next_due() < self._next_due:
            self._rescheduled.set()

    def statistics(self) -> AdmissionStats:
        """Return the limits, and what is in flight and queued now."""
        now, limiter = self.clock(), self.limiter
        rate = limiter.rates.statistics(now)
        queue = limiter.statistics(now)
        return AdmissionStats(
            limits=limiter.limits,
            in_flight=self.entered - queue.waiting,
            queue=queue,
            callers=rate.callers,
            evictions=rate.evictions,
            own_rates=limiter.rates.has_own,
        )

    def __repr__(self) -> str:
        return f"<Admission in_flight={self.statistics().in_flight} {self.limiter!r} {self.limiter.rates!r}>"


def patience(headers: h.Headers) -> float:
    """Return how long (seconds) a request may wait in all before it goes up, by its caller's announced timeout."""
    return h.caller_timeout(headers) * _WAIT_PART


def _headers(budget: Budget) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit", b"%d" % budget.limit),
        (b"x-ratelimit-remaining", b"%d" % budget.remaining),
        (b"x-ratelimit-reset", b"%d" % max(1, math.ceil(budget.reset))),
    ]


def _wake(lease: Lease) -> None:
    assert isinstance(lease, RequestLease)
    lease.wake()
