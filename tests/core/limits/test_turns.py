"""Turns: the limiter's tests show them in whole; here, who is offered first what has become free."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace

import pytest

from aibridge_trio.core.limits.capacity import Capacity
from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.in_flight import InFlight
from aibridge_trio.core.limits.lease import CallerLimits, Lane, Lease, Limits
from aibridge_trio.core.limits.rate_waiters import RateWaiters
from aibridge_trio.core.limits.release_rate import ReleaseRate
from aibridge_trio.core.limits.turns import Turns
from aibridge_trio.core.terms import ClassTotals, Rate


def test_queued_and_held_requests_are_first_by_turns() -> None:
    """What is free goes to the queue first, or is offered to others first, in turn."""
    queue, woken, slots = FairQueue[Lane, Lease](9), list[Lease](), InFlight(1)
    capacity = Capacity(Limits(1), slots, ())
    turns = Turns(capacity, queue, RateWaiters(None, queue), ReleaseRate(1), woken.append)
    waiting, held, offered = [Lease("a", "x", queued=True) for _ in range(4)], Lease("b", "x"), list[Hashable]()
    for lease in waiting:
        queue.push("a", ("x",), lease)

    def take(caller: Hashable | None, _: float) -> None:
        offered.append((caller, capacity.acquire_slot(held)))

    turns.on_released = take
    for caller in ("a", None):
        turns.freed(caller, 0.0)
        assert slots.available_tokens == 0
        capacity.release_slot(held)
        for lease in woken:
            capacity.release_slot(lease)
    assert offered == [("a", True), (None, False)]
    assert woken == waiting[:1]
    assert "RateWaiters" in repr(turns)


@pytest.mark.parametrize(
    "total", [ClassTotals(max_concurrency=1), ClassTotals(rate=Rate(1, 1000.0))], ids=["share", "rate"]
)
def test_callers_of_a_class_without_room_cost_nothing(total: ClassTotals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a request that joins them nor one that leaves asks each; one that may go is found among them."""
    asked = 0

    def can_go(self: Turns, now: float, caller: Hashable, lane: Lane) -> bool:
        nonlocal asked
        asked += 1
        return original(self, now, caller, lane)

    original = Turns._can_go
    monkeypatch.setattr(Turns, "_can_go", can_go)
    callers = {n: CallerLimits(class_name="ci") for n in range(1000)} | {"dev": CallerLimits(max_concurrency=1)}
    limits = Limits(5, queue_size=2000, queue_timeout=math.inf, callers=callers, classes={"ci": total})
    woken: list[Lease] = []
    limiter = ConcurrencyLimiter(limits, InFlight(5), woken.append)

    def come(caller: Hashable) -> Lease:
        lease = Lease()
        assert limiter.enter(lease, 0.0) is None
        limiter.charge_rate(lease, caller, 0.0)
        if not limiter.acquire(lease, caller, "p", 0.0):
            assert limiter.join_queue(lease, 0.0) is None
        return lease

    leases = [come(caller) for caller in callers]
    waiting = come("dev")
    assert [lease.queued for lease in (leases[0], *leases[-2:], waiting)] == [False, True, False, True]
    assert asked < 10
    limiter.leave(leases[-1], 1.0)
    assert woken == [waiting]
    assert asked < 20
    changed = {n: CallerLimits() for n in range(1000)}
    limiter.apply(replace(limits, callers=changed), (), 2.0)
    assert len(woken) > 1  # they are of no class any more
