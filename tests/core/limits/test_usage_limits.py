"""The limits of a provider or a key."""

from __future__ import annotations

from aibridge_trio.core.limits.usage_limits import UsageLimits
from aibridge_trio.core.terms import Rate


def test_without_limits_nothing_waits() -> None:
    """And nothing is charged."""
    limits = UsageLimits()
    assert limits.wait(10**9, 0.0) == 0
    assert limits.charge(10**9, 0.0) == []


def test_the_longer_wait_counts() -> None:
    """A request needs both: its place among the requests, and its tokens."""
    limits = UsageLimits(Rate(1, 10.0), Rate(100, 60.0))
    for charge in limits.charge(90, 0.0):
        charge.settle(90, 0.0)
    assert limits.wait(5, 4.0) == 6.0
    assert limits.wait(20.5, 4.0) == 56.0
    assert limits.wait(10, 10.0) == 0.0


def test_a_request_that_never_went_up_is_given_back() -> None:
    """Both of its charges."""
    limits = UsageLimits(Rate(1, 10.0), Rate(100, 60.0))
    for charge in limits.charge(90, 0.0):
        charge.refund(1.0)
    assert limits.wait(100, 1.0) == 0.0


def test_a_request_that_is_not_metered_has_no_tokens() -> None:
    """It is in no one's way: one that exceeds the whole limit goes beside it."""
    limits = UsageLimits(Rate(5, 10.0), Rate(100, 60.0))
    assert len(limits.charge(0, 0.0)) == 1
    assert limits.wait(1000, 0.0) == 0.0


def test_limits_are_replaced_and_what_is_counted_stays() -> None:
    """A higher limit admits at once, a lower one counts what was used before."""
    limits = UsageLimits(None, Rate(100, 60.0))
    [charge] = limits.charge(90, 0.0)
    limits.apply(None, Rate(200, 60.0))
    assert limits.wait(110, 0.0) == 0.0
    charge.settle(50, 0.0)
    limits.apply(Rate(1, 1.0), Rate(60, 60.0))
    assert limits.wait(20, 0.0) == 60.0
    limits.apply(None, None)
    assert limits.wait(20, 0.0) == 0.0
