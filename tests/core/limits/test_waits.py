"""What is expected of waits: the limiter's tests show it in whole, these what no state of a limiter needs."""

from __future__ import annotations

import math

import pytest

from aibridge_trio.core.limits.capacity import Capacity
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.in_flight import InFlight
from aibridge_trio.core.limits.lease import Lane, Lease, Limits
from aibridge_trio.core.limits.rate_waiters import RateWaiters
from aibridge_trio.core.limits.refusals import Refusal
from aibridge_trio.core.limits.release_rate import ReleaseRate
from aibridge_trio.core.limits.waits import Waits


def waits(size: int, free: int) -> tuple[Waits, FairQueue[Lane, Lease]]:
    """Return expectations of a queue, and that queue; `free` slots of one are free."""
    limits, queue = Limits(1, queue_size=size), FairQueue[Lane, Lease](size)
    capacity = Capacity(limits, InFlight(free), ())
    return Waits(capacity, queue, RateWaiters(None, queue), ReleaseRate(1)), queue


def test_a_wait_of_which_nothing_is_known_may_begin() -> None:
    """As long as the queue has a place for it."""
    expected, queue = waits(1, free=0)
    assert expected.refuse(Lease("a", "x"), 0.0, 0.5, ["capacity"]) is None
    queue.push("a", ("x",), Lease("a", "x", deadline=7.0))
    assert expected.refuse(Lease("b", "x"), 0.0, math.inf, ["capacity"]) == Refusal("queue_full", 1.0)


@pytest.mark.parametrize(("deadline", "wait"), [(0.01, 0.1), (7.0, 7.0), (900.0, 60.0)])
def test_the_wait_for_a_place_is_bounded(deadline: float, wait: float) -> None:
    """At least a tenth of a second, at most a minute."""
    expected, queue = waits(1, free=1)
    queue.push("a", ("x",), Lease("a", "x", deadline=deadline))
    assert expected.refuse_after(Lease("b", "x", pushed_out=True), 0.0) == Refusal("queue_full", wait)
    assert repr(expected) == "<Waits <ReleaseRate slots=1 held=0 known=0>>"
