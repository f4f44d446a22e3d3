"""A request's way through the limits: enter → charge_rate → acquire → wait_turn → ask → leave.

The slot comes first: it is the cheapest reject, and must hold when all else is slow. Without a queue, a request
that finds no slot costs no hash and no table entry. Where requests may queue, every check that needs no wait runs
before the wait, and a request that waits is charged against its rate at its turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import random

import trio

from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter, QueueStats
from aibridge_trio.core.limits.lease import Lease, Limits
from aibridge_trio.errors import AtCapacity, RateLimited
from aibridge_trio.events import Publish, ignore
from aibridge_trio.gateway.request_lease import RequestLease
from aibridge_trio.gateway.shared_limits import SharedLimits
from aibridge_trio.sharing.store import OwnStore, Store


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
        self.shared = SharedLimits(self.limiter, self.store, clock)
        self._rescheduled = trio.Event()
        self._next_due = math.inf

    def apply(self, limits: Limits, shadow: Collection[str] = ()) -> None:
        """Replace all limits while requests are in flight and wait: see `ConcurrencyLimiter.apply`."""
        self.rate_in_shadow = RateLimited.reason in shadow
        self.limiter.apply(limits, shadow, self.clock())
        self._rescheduled.set()

    def enter(self, now: float | None = None) -> RequestLease:
        """Return a request's lease, with a slot if one is free; use it as a context.

        `now` is the time, if it is known. Raises AtCapacity if none is free and requests cannot queue.
        """
        if now is None:
            now = self.clock()
        lease = RequestLease(self, now)
        if self.limiter.enter(lease, now):
            self.shared.missed()
            raise AtCapacity
        self.entered += 1
        return lease

    async def run(self) -> None:
        """Give turns to requests that queue for their caller's rate, when they are due; runs until cancelled."""
        async with trio.open_nursery() as nursery:
            if self.store.shared:
                nursery.start_soon(self.shared.run)
            await self._run_turns()

    async def _run_turns(self) -> None:
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


def _wake(lease: Lease) -> None:
    assert isinstance(lease, RequestLease)
    lease.wake()
