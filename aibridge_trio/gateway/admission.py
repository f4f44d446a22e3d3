"""The slot and the rate, in that order.

The slot comes first because it is the cheapest reject, and the one that must hold when all else is slow: a
request that is turned away for want of a slot has cost no hash and no entry in a table. Where requests may wait,
all else is asked before, and the rate is waited for as well: a request is counted when it has all that it needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from random import random
from typing import Self

import trio

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.limits import concurrency
from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter, Lease, Limits
from aibridge_trio.core.limits.rate import Budget, RateLimiter
from aibridge_trio.core.limits.refusals import reject
from aibridge_trio.errors import AtCapacity, RateLimited, Reject
from aibridge_trio.events import OnShadowReject, Outcome, Publish, Waited, ignore
from aibridge_trio.http.message import Reply


@dataclass(frozen=True, slots=True)
class AdmissionStats:
    """Limits (0 is unlimited), what is in flight and waits; callers in the last second, and forgotten ones."""

    limits: Limits
    in_flight: int
    queue: concurrency.QueueStats
    rate_limit: int
    callers: int
    evictions: int


class Slots:
    """The bridge's slots, on Trio's limiter."""

    def __init__(self, most: int) -> None:
        self._limiter = trio.CapacityLimiter(most or math.inf)

    def free(self) -> bool:
        """Tell whether one is free."""
        return self._limiter.available_tokens > 0

    def take(self, holder: Hashable) -> None:
        """Take a free one."""
        self._limiter.acquire_on_behalf_of_nowait(holder)

    def give(self, holder: Hashable) -> None:
        """Give one back."""
        self._limiter.release_on_behalf_of(holder)


class RequestLease(Lease):
    """One request's place in the bridge; leaving the context gives back what it holds."""

    __slots__ = ("_admission", "_turn", "budget")

    def __init__(self, admission: Admission) -> None:
        super().__init__()
        self._admission = admission
        self._turn: trio.Event | None = None
        self.budget: list[tuple[bytes, bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._admission.leave(self)

    def charge(self, caller: Caller, reply: Reply, would_reject: OnShadowReject) -> None:
        """Count one request against its caller's budget, which its reply will tell; or raise RateLimited.

        Where it may wait for that it is not refused: what is not counted now is counted when its turn comes.
        """
        self._admission.charge(self, caller, reply, would_reject)

    def take(self, caller: Caller, provider: str, would_reject: OnShadowReject) -> bool:
        """Take what the limits leave to this caller and this provider; False if it has to wait for that."""
        return self._admission.share(self, caller, provider, would_reject)

    async def turn(self, patience: float) -> None:
        """Wait for what it lacks, for `patience` seconds at most; or raise the reject that says why not."""
        admission = self._admission
        self._turn = turn = trio.Event()
        began = admission.queue(self, patience)
        outcome: Outcome = "left"
        try:
            with trio.CancelScope(deadline=self.until):
                await turn.wait()
            if self.waits or self.pushed_out:
                admission.advance()  # its rate may have come in this moment
            if self.waits or self.pushed_out:
                outcome = "pushed_out" if self.pushed_out else "timed_out"
                raise admission.given_up(self, began)
            # A request whose caller has left in the very moment of its turn must not go up.
            await trio.lowlevel.checkpoint_if_cancelled()
            outcome = "served"
        finally:
            admission.waited(self, began, outcome)

    def wake(self) -> None:
        """See that it waits no longer."""
        assert self._turn is not None
        self._turn.set()


class Admission:
    """Lets requests in: so many at once, in all, of a caller, to a provider; so many a second and caller.

    `shadow` are the reasons of rejects that are only counted.
    """

    def __init__(
        self,
        limits: Limits,
        rate_limit: int,
        clock: Callable[[], float],
        publish: Publish = ignore,
        shadow: Collection[str] = (),
    ) -> None:
        self._limits = limits
        self._inside = 0
        self._rate_limit = rate_limit
        self._rate = RateLimiter(rate_limit, chance=random)
        self._rate_in_shadow = RateLimited.reason in shadow
        self._waits_for_rate = bool(rate_limit and limits.queue_size) and not self._rate_in_shadow
        rate = self._rate if self._waits_for_rate else None
        self._places = ConcurrencyLimiter(limits, Slots(limits.max_concurrency), _wake, shadow, rate)
        self._rescheduled = trio.Event()
        self._due = math.inf
        self._clock = clock
        self._publish = publish

    def place(self) -> RequestLease:
        """Take a slot, given back at the end of the context that this returns; AtCapacity if none may be had.

        Where one may wait for a slot, the context may be without one; `turn` is where it waits.
        """
        seat = RequestLease(self)
        if self._waits_for_rate:
            self.advance()  # no newcomer takes what is due to a request that waits
        if self._places.enter(seat):
            raise AtCapacity
        self._inside += 1
        return seat

    def take(self, caller: Caller, reply: Reply, would_reject: OnShadowReject = ignore) -> None:
        """Count one request against its caller's budget, which its reply will tell, or raise RateLimited."""
        if not self._rate_limit:
            return
        budget = self._rate.take(caller.key, self._clock())
        if self._rate_in_shadow:
            if budget.wait is not None:
                would_reject(RateLimited.reason)
            return
        reply.offer(_headers(budget))
        if budget.wait is not None:
            raise RateLimited(budget.wait, budget.spread)

    async def run(self) -> None:
        """Give turns to requests that wait for their caller's rate, when they fall due; until cancelled."""
        while True:
            self._rescheduled = trio.Event()
            self._due = self._places.due()
            with trio.CancelScope(deadline=self._due):
                await self._rescheduled.wait()
            self.advance()

    # What a seat asks for.

    def charge(self, seat: RequestLease, caller: Caller, reply: Reply, would_reject: OnShadowReject) -> None:
        """Count a seat's request now, if it need not wait for that."""
        if not self._waits_for_rate:
            self.take(caller, reply, would_reject)
            return
        self._places.charge(seat, caller.key, self._clock())
        reply.offer(seat.budget)
        self._tell(seat, caller.key)

    def advance(self) -> None:
        """Give turns that the rate has brought by now."""
        self._places.advance(self._clock())

    def share(self, seat: RequestLease, caller: Caller, provider: str, would_reject: OnShadowReject) -> bool:
        """Give a seat its shares, if nothing bars that."""
        taken = self._places.take(seat, caller.key, provider, self._clock())
        self._tell(seat, caller.key)
        for reason in seat.would:
            would_reject(reason)
        return taken

    def queue(self, seat: RequestLease, patience: float) -> float:
        """Let a seat wait, and return since when; or raise the reject that says why it may not."""
        now = self._clock()
        refusal = self._places.claim(seat, seat.caller, seat.provider, now, patience)
        if refusal:
            raise reject(refusal, self._limits, seat.provider, min(patience, self._limits.queue_timeout))
        self._reschedule()
        return now

    def given_up(self, seat: RequestLease, began: float) -> Reject:
        """Return the reject of one that has waited for nothing."""
        now = self._clock()
        return reject(self._places.give_up(seat, now), self._limits, seat.provider, now - began)

    def waited(self, seat: RequestLease, began: float, outcome: Outcome) -> None:
        """Tell how a wait ended."""
        if outcome == "left":
            self._places.uncount(seat)
        self._tell(seat, seat.caller)
        self._publish(Waited(seat.provider, self._clock() - began, outcome))

    def leave(self, seat: RequestLease) -> None:
        """Take back what a seat holds."""
        self._inside -= 1
        self._places.leave(seat, self._clock())
        self._reschedule()

    def _tell(self, seat: RequestLease, caller: Hashable) -> None:
        """Put what its caller has left into the head of a seat's answer."""
        if self._waits_for_rate:
            seat.budget[:] = _headers(self._rate.budget(caller, self._clock()))
            self._reschedule()

    def _reschedule(self) -> None:
        if self._places.due() < self._due:
            self._rescheduled.set()

    def statistics(self) -> AdmissionStats:
        """Return what is in flight now."""
        now = self._clock()
        rate, queue = self._rate.statistics(now), self._places.statistics(now)
        return AdmissionStats(
            limits=self._limits,
            in_flight=self._inside - queue.waiting,
            queue=queue,
            rate_limit=self._rate_limit,
            callers=rate.callers,
            evictions=rate.evictions,
        )

    def __repr__(self) -> str:
        return f"<Admission in_flight={self.statistics().in_flight} {self._places!r} {self._rate!r}>"


def _headers(budget: Budget) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit", b"%d" % budget.limit),
        (b"x-ratelimit-remaining", b"%d" % budget.remaining),
        (b"x-ratelimit-reset", b"%d" % max(1, math.ceil(budget.reset))),
    ]


def _wake(place: Lease) -> None:
    assert isinstance(place, RequestLease)
    place.wake()
