from __future__ import annotations

import math

from aibridge_trio.core.limits.lease import CallerLimits, Lease, Limits
from aibridge_trio.core.sharing.needs import Denied, Holding, Use
from aibridge_trio.core.terms import ClassTotals, Rate
from tests.support.limiter import Harness

FULL = Limits(
    4,
    per_caller=3,
    per_provider=2,
    rate=Rate(9),
    callers={"c": CallerLimits(2, Rate(5, 10.0), class_name="ci")},
    classes={"ci": ClassTotals(max_concurrency=2, rate=Rate(7))},
)


def keys(holdings: list[Holding]) -> list[str]:
    return [each.key for each in holdings]


def test_needs_are_what_a_lease_holds_and_counts() -> None:
    """Each with its whole limit; of a known caller its own and its class's."""
    harness = Harness(FULL)
    lease, _ = harness.come("a")
    holdings, uses = harness.limiter.sharing.needs(lease)
    assert holdings == [Holding("slots", 4), Holding("caller:a", 3), Holding("provider:x", 2)]
    assert uses == [Use("rate:caller:a", 9, 1.0)]
    known, _ = harness.come("c", "y")
    holdings, uses = harness.limiter.sharing.needs(known)
    assert keys(holdings) == ["slots", "caller:c", "class:ci", "provider:y"]
    assert uses == [Use("rate:caller:c", 5, 10.0), Use("rate:class:ci", 7, 1.0)]
    harness.limiter.leave(known, 0.0)
    holdings, uses = harness.limiter.sharing.needs(known)
    assert (holdings, len(uses)) == ([], 2)
    harness.limiter.uncharge_rate(known)
    assert harness.limiter.sharing.needs(known) == ([], [])


def test_nothing_is_needed_without_limits() -> None:
    """An unlimited bridge asks for nothing."""
    harness = Harness(Limits())
    lease, _ = harness.come("a")
    assert harness.limiter.sharing.needs(lease) == ([], [])


def test_what_is_denied_refuses_the_next_here() -> None:
    """A full limit for others of its kind, a rate until its turn; what others give back is free at once."""
    harness = Harness(FULL)
    limiter = harness.limiter
    lease, _ = harness.come("a")
    needs, _ = limiter.sharing.needs(lease)
    limiter.sharing.denied(lease, needs, Denied("provider:x", totals={"provider:x": 2}), 0.0)
    refusal = limiter.put_back(lease, 0.0)
    assert refusal
    assert refusal.reason == "provider_capacity"
    limiter.leave(lease, 0.0)
    assert harness.come("b", "x")[1] == refusal
    assert harness.come("b", "y")[1] is None
    limiter.sharing.others.told({"provider:x": 0}, 0.1)
    assert harness.come("b", "x")[1] is None
    again, _ = harness.come("a", "y")
    needs, _ = limiter.sharing.needs(again)
    limiter.sharing.denied(again, needs, Denied("rate:caller:a", 3.0), 0.2)
    late = limiter.put_back(again, 0.2)
    assert late
    assert (late.reason, late.wait) == ("rate_limit", 3.0)
    limiter.leave(again, 0.2)
    _, third = harness.come("a", "y", now=1.0)
    assert third
    assert 2.2 < third.wait < 2.4
    assert harness.come("a", "y", now=3.3)[1] is None


def test_parts() -> None:
    """One of three has a third, at least 1; what is in flight stays, and exceeds it; one of one has all again."""
    harness = Harness(FULL)
    leases = [harness.come("ab"[number % 2], "xy"[number % 2])[0] for number in range(3)]
    harness.limiter.divide(lambda _span: 3, 3, 0.0)
    assert harness.limiter.sharing.exceeds(leases[2], 0.0)
    for lease in leases[:2]:
        harness.limiter.leave(lease, 0.0)
    assert not harness.limiter.sharing.exceeds(leases[2], 0.0)
    _, refusal = harness.come("b")
    assert refusal
    assert refusal.reason == "capacity"
    harness.limiter.leave(leases[2], 0.0)
    assert harness.come("b", now=0.1)[1] is None
    harness.limiter.divide(lambda _span: 1, 3, 0.2)
    assert harness.come("a", now=0.3)[1] is None


def test_what_others_hold_takes_no_part_away() -> None:
    """Whether it is known, or forgotten again while parts hold: more than the part would be refused for ever."""
    harness = Harness(Limits(6))
    sharing, now = harness.limiter.sharing, 0.0
    sharing.divide(lambda _: 3, 3)
    leases = [harness.come("a")[0] for _ in range(2)]
    holdings = [Holding("slots", 6)]
    sharing.denied(leases[0], holdings, Denied("slots", totals={"slots": 6}), now)
    sharing.others.forget()
    assert harness.come("a")[1]
    assert not sharing.exceeds(leases[0], now)


def test_a_lease_that_is_put_back_has_its_place_and_deadline() -> None:
    """Before what came later of its caller; its caller has the next turn; late, it is refused."""
    harness = Harness(Limits(1, queue_size=9))
    limiter = harness.limiter
    first, _ = harness.come("a")
    second, _ = harness.come("a", now=1.0)
    third, _ = harness.come("a", now=1.0)
    other, _ = harness.come("b", now=1.0)
    limiter.leave(first, 2.0)
    assert harness.woken == [second]
    needs, _ = limiter.sharing.needs(second)
    limiter.sharing.denied(second, needs, Denied("slots", totals={"slots": 1}), 2.0)
    assert limiter.put_back(second, 2.0) is None
    assert (second.queued, second.deadline) == (True, 11.0)
    limiter.sharing.others.told({"slots": 0}, 2.1)
    for expected in (second, other, third):
        limiter.others_changed(2.1)
        assert harness.woken[-1] is expected
        if expected is not third:
            limiter.leave(expected, 2.1)
    needs, _ = limiter.sharing.needs(third)
    limiter.sharing.denied(third, needs, Denied("slots", totals={"slots": 1}), 11.0)
    refusal = limiter.put_back(third, 11.0)
    assert refusal
    assert refusal.reason == "queue_timeout"
    limiter.leave(third, 11.0)
    assert harness.slots.held == set()


def test_short_of_a_limit_in_shadow() -> None:
    """The lease goes on without it."""
    harness = Harness(Limits(4, per_caller=2), frozenset({"capacity", "caller_capacity", "rate_limit"}), rate=3)
    lease, _ = harness.come("a")
    holdings, uses = harness.limiter.sharing.needs(lease)
    assert all(each.soft for each in holdings)
    assert all(each.soft for each in uses)
    short = harness.limiter.sharing.short(lease, ["slots", "caller:a", "rate:caller:a"])
    assert short == ["caller_capacity", "capacity", "rate_limit"]
    assert harness.limiter.sharing.needs(lease) == ([], [])
    assert harness.slots.held == set()
    assert math.isinf(harness.limiter.next_due())
    assert isinstance(lease, Lease)
