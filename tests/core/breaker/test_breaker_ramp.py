"""The share of requests that is admitted after an outage."""

from __future__ import annotations

from aibridge_trio.core.breaker.breaker import Mode, Refusal, State
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import SUCCESS
from tests.support.breaker_lab import OVERLOAD, Lab, half_open

RAMP = BreakerPolicy(threshold=2, ramp=100.0)


def recovered(policy: BreakerPolicy = RAMP) -> tuple[Lab, float]:
    """Return a breaker that has just closed, and when that is."""
    lab, now = half_open(policy)
    for _ in range(policy.max_probes):
        lab.settle(lab.admitted(now), SUCCESS, now)
    return lab, now


def admitted(lab: Lab, now: float, of: int = 100) -> int:
    """Return how many of so many requests are let through."""
    return sum(isinstance(lab.breaker.admit(now), Permit) for _ in range(of))


def test_after_closing_a_growing_share_is_admitted() -> None:
    """It is a tenth at first, a little more than half in the middle, and all at the end."""
    lab, now = recovered()
    assert [admitted(lab, now + passed) for passed in (0.0, 50.0, 100.0, 1000.0)] == [10, 55, 100, 100]
    assert lab.breaker.statistics(now + 50.0).share == 0.55


def test_whom_a_ramp_refuses_comes_within_what_is_left() -> None:
    """The wait is a random part of the rest, at least a second; requests without permits pass."""
    lab, now = recovered()
    lab.admitted(now)
    assert lab.refused(now) == Refusal("ramp", 1.0)
    lab.breaker._chance = lambda: 0.5
    assert lab.refused(now + 20.0) == Refusal("ramp", 40.0)
    assert lab.state(now) is State.CLOSED
    assert lab.breaker.refusal(now) is None


def test_failures_in_a_ramp_trip_as_ever_and_end_it() -> None:
    """A trip ends the ramp, and a breaker that the operator closes has none."""
    lab, now = recovered()
    for _ in range(100):
        if isinstance(permit := lab.breaker.admit(now), Permit):
            lab.settle(permit, OVERLOAD, now)
    assert lab.state(now) is State.OPEN
    assert lab.breaker.statistics(now).share == 1.0
    for mode in (Mode.CLOSE, Mode.AUTO):
        lab.breaker.override(mode, now)
        assert admitted(lab, now) == 100


def test_an_override_ends_a_ramp() -> None:
    """Forced closed admits all requests, and so does automatic mode after it."""
    lab, now = recovered()
    lab.breaker.override(Mode.CLOSE, now)
    assert admitted(lab, now) == 100
