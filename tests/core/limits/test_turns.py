"""Turns: the limiter's tests show them in whole; here, who is offered first what has become free."""

from __future__ import annotations

from collections.abc import Hashable

from aibridge_trio.core.limits.capacity import Capacity
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.lease import Lane, Lease, Limits
from aibridge_trio.core.limits.rate_waiters import RateWaiters
from aibridge_trio.core.limits.release_rate import ReleaseRate
from aibridge_trio.core.limits.turns import Turns
from aibridge_trio.simulate.policies.in_flight import InFlight


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
