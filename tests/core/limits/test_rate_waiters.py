"""The rate limit of queued requests."""

from __future__ import annotations

import math

from aibridge_trio.core.limits.caller_rates import CallerRates, OfClass
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.lease import CallerLimits, Limits
from aibridge_trio.core.limits.rate_waiters import RateWaiters
from aibridge_trio.core.terms import ClassTotals, Rate

ONE = Limits(rate=Rate(1))


def queue_of(callers: str) -> FairQueue[str, int]:
    """Return a queue with one request of each caller."""
    queue: FairQueue[str, int] = FairQueue(9)
    for number, caller in enumerate(callers):
        queue.push(caller, "x", number)
    return queue


def test_without_a_limit_all_may_go() -> None:
    """Without a limit nothing is counted, refused or due."""
    turns = RateWaiters(None, queue_of("a"))
    assert turns.allows("a", 0.0)
    assert turns.admit("a", 0.0) is None
    assert turns.refuse("a", 0.0, 100, 0.0) is None
    turns.arm("a", 0.0)
    assert (turns.due, turns.pop_due(1e9)) == (math.inf, None)


def test_an_alarm_is_due_when_the_next_one_is_admitted() -> None:
    """A caller has an alarm if it has a queued request and its rate does not admit one now."""
    turns = RateWaiters(CallerRates(ONE), queue_of("ac"))
    turns.arm("c", 0.0)
    assert turns.due == math.inf
    assert [turns.admit(caller, at) for caller, at in (("a", 0.25), ("b", 0.5), ("c", 0.75))] == [0.25, 0.5, 0.75]
    assert turns.due == 1.25
    assert [turns.pop_due(at) for at in (1.0, 1.25, 1.5, 1.75, 2.0)] == [None, "a", None, "c", None]
    assert repr(turns) == "<RateWaiters <CallerRates <RateLimiter limit=1/1s callers=3> own=0 totals=0> alarms=0>"


def test_a_caller_has_one_alarm() -> None:
    """However many of its requests queue and go, a caller has one alarm."""
    turns, now = RateWaiters(CallerRates(ONE), queue_of("a")), 0.0
    for _ in range(50):
        turns.admit("a", now)
        for _ in range(3):
            turns.arm("a", now)
        now += 1.0
        assert turns.due == now
        assert [turns.pop_due(now), turns.pop_due(now)] == ["a", None]
    assert repr(turns).endswith("alarms=0>")


def test_only_what_comes_too_late_is_refused() -> None:
    """Its turn is behind the queued requests; of two refused ones the second has the later turn."""
    turns = RateWaiters(CallerRates(ONE), queue_of(""))
    turns.admit("a", 0.0)
    assert turns.refuse("a", 0.0, 2, max_wait=3.0) is None
    waits = [budget.wait for _ in range(2) if (budget := turns.refuse("a", 0.0, 2, max_wait=2.5))]
    assert waits == [3.0, 4.05]


def test_a_refund_undoes_an_admission() -> None:
    """After a refund the next request is admitted at the same moment."""
    turns = RateWaiters(CallerRates(ONE), queue_of(""))
    turns.admit("a", 0.5)
    turns.refund("a", 0.5)
    assert turns.allows("a", 0.5)


def test_a_class_has_one_alarm() -> None:
    """For all of its callers that wait, also for one whose own rate would admit it."""
    known = {name: CallerLimits(rate=Rate(9), class_name="ci") for name in "ab"}
    rates = CallerRates(Limits(callers=known, classes={"ci": ClassTotals(rate=Rate(1, 10.0))}))
    turns = RateWaiters(rates, queue_of("ab"))
    turns.admit("b", 0.5)
    for caller in "ab":
        turns.arm(caller, 0.5)
    assert [turns.pop_due(at) for at in (1.0, 10.5, 99.0)] == [None, OfClass("ci"), None]


def test_other_rates_set_all_alarms_anew() -> None:
    """For callers that wait, by the new rates; without rates none is set."""
    rates = CallerRates(ONE)
    turns = RateWaiters(rates, queue_of("a"))
    turns.admit("a", 0.0)
    assert turns.due == 1.0
    rates.apply(Limits(rate=Rate(1, 5.0)))
    turns.apply(rates, 0.5)
    assert turns.due == 5.0
    turns.apply(None, 0.5)
    assert turns.due == math.inf
