"""How long the breaker stays open: retry hints, and trips in a row."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.breaker import Breaker, Mode, State, Transition
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence
from tests.support.breaker_lab import OVERLOAD, PLAIN, Lab, half_open, tripped

HEARS = BreakerPolicy(threshold=2)


def left(lab: Lab, now: float) -> float:
    """Return how much of a cooldown is left."""
    found = lab.breaker.statistics(now).cooldown_left
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ((None, None), 30.0),
        ((60.0, None), 60.0),
        ((None, 60.0), 60.0),
        ((90.0, 60.0), 90.0),
        ((5.0, 7.0), 30.0),
        ((86_400.0, None), 300.0),
    ],
)
def test_the_cooldown_is_the_longest_of_what_was_said(words: tuple[float | None, ...], seconds: float) -> None:
    """The longest of the retry hints in the window and the configured time, at most the longest allowed."""
    lab = Lab(HEARS)
    for word in words:
        lab.fail(0.0, retry_after=word)
    assert left(lab, 0.0) == seconds


def test_a_word_ages_with_its_failure() -> None:
    """The hint of a failure outside the window no longer counts; inside, it counts from the failure's time."""
    lab = Lab(HEARS)
    lab.fail(0.0, retry_after=100.0)
    lab.fail(10.0, retry_after=40.0)
    assert lab.state(10.0) is State.CLOSED
    lab.fail(15.0)
    assert left(lab, 15.0) == 35.0


def test_a_probes_word_is_its_own() -> None:
    """In half-open the hint of the failed probe decides the cooldown."""
    lab, now = half_open(HEARS)
    lab.settle(lab.admitted(now), OVERLOAD, now, 200.0)
    assert left(lab, now) == 200.0
    assert lab.transitions[-1].because == "a probe failed: 503; it asks for 200 s"


def test_only_failures_are_heard() -> None:
    """Retry hints of successes, neutrals and second settles do not count."""
    lab = Lab(HEARS)
    for evidence in (SUCCESS, NEUTRAL):
        permit = lab.admitted(0.0)
        lab.settle(permit, evidence, 0.0, 100.0)
    lab.settle(permit, OVERLOAD, 0.0, 100.0)
    lab.fail(0.0, 0.0)
    assert left(lab, 0.0) == 30.0


@pytest.mark.parametrize("evidence", [SUCCESS, NEUTRAL])
def test_what_is_no_failure_extends_nothing(evidence: Evidence) -> None:
    """A retry hint of a stale success or neutral does not count."""
    lab = Lab(HEARS)
    late = lab.admitted(0.0)
    lab.fail(0.0, 0.0)
    lab.settle(late, evidence, 5.0, 200.0)
    assert left(lab, 5.0) == 25.0


def test_a_later_longer_word_extends_and_no_word_cuts() -> None:
    """Stale failures may still extend the cooldown, each once."""
    lab = Lab(HEARS)
    late = [lab.admitted(0.0) for _ in range(4)]
    lab.fail(0.0, 0.0)
    for permit, hint, seconds in zip(late, (60.0, 10.0, None, 1000.0), (60.0, 60.0, 60.0, 300.0), strict=True):
        lab.settle(permit, OVERLOAD, 5.0, hint)
        assert left(lab, 5.0) == seconds
    lab.settle(late[0], OVERLOAD, 6.0, 290.0)
    assert left(lab, 6.0) == 299.0
    assert lab.breaker.next_due() == 305.0
    assert lab.breaker.statistics(6.0).trips == 1


def test_a_word_moves_no_other_state() -> None:
    """A stale failure's hint changes neither half-open nor closed, and forced states have no end."""
    lab = Lab(HEARS)
    late = [lab.admitted(0.0) for _ in range(3)]
    lab.fail(0.0, 0.0)
    assert lab.state(30.0) is State.HALF_OPEN
    lab.settle(late[0], OVERLOAD, 30.0, 100.0)
    assert lab.state(30.0) is State.HALF_OPEN
    lab.breaker.override(Mode.OPEN, 31.0)
    lab.settle(late[1], OVERLOAD, 31.0, 100.0)
    assert lab.breaker.statistics(31.0).cooldown_left is None
    assert lab.breaker.next_due() == math.inf
    lab.breaker.override(Mode.CLOSE, 32.0)
    lab.settle(late[2], OVERLOAD, 32.0, 100.0)
    assert lab.state(500.0) is State.CLOSED


def again(lab: Lab, times: int) -> list[float]:
    """Fail the first probe so many times; return the cooldowns."""
    lengths = []
    now = left(lab, 0.0)
    for _ in range(times):
        lab.fail(now)
        lengths.append(left(lab, now))
        now += lengths[-1]
    return lengths


def test_trips_in_a_row_take_longer() -> None:
    """Each is a quarter longer than the one before, up to one and a half times the configured one, the first."""
    lab = tripped(HEARS)
    assert left(lab, 0.0) == 30.0
    assert again(lab, 3) == [37.5, 45.0, 45.0]


def test_a_longest_cooldown_below_the_stretch_is_the_bound() -> None:
    """It bounds lengthened cooldowns too; at or below the configured one, all cooldowns are the configured one."""
    assert again(tripped(BreakerPolicy(threshold=2, longest_cooldown=40.0)), 3) == [37.5, 40.0, 40.0]
    assert again(tripped(PLAIN), 3) == [30.0] * 3
    lab = Lab(PLAIN)
    lab.fail(*[0.0] * 5, retry_after=100.0)
    assert left(lab, 0.0) == 30.0


def test_chance_lengthens_by_a_fifth_at_most() -> None:
    """All but the first, so that many bridges do not probe together."""
    transitions: list[Transition] = []
    breaker = Breaker(HEARS, transitions.append, 0.0, lambda: 0.5)
    for _ in range(2):
        permit = breaker.admit(0.0)
        assert isinstance(permit, Permit)
        breaker.settle(permit, OVERLOAD, 0.0)
    assert breaker.statistics(0.0).cooldown_left == 30.0
    permit = breaker.admit(30.0)
    assert isinstance(permit, Permit)
    breaker.settle(permit, OVERLOAD, 30.0)
    assert breaker.statistics(30.0).cooldown_left == 37.5 * 1.1


@pytest.mark.parametrize(
    ("healthy", "seconds"), [(29.0, 45.0), (30.0, 37.5), (59.0, 37.5), (60.0, 30.0), (999.0, 30.0)]
)
def test_health_takes_lengthening_back(healthy: float, seconds: float) -> None:
    """Each healthy spell, as long as the configured cooldown, takes back one trip; an override takes back all."""
    lab = tripped(HEARS)
    again(lab, 1)
    for _ in range(3):
        lab.settle(lab.admitted(67.5), SUCCESS, 67.5)
    assert lab.state(67.5) is State.CLOSED
    lab.fail(67.5 + healthy, 67.5 + healthy)
    assert left(lab, 67.5 + healthy) == seconds


def test_an_override_forgets_trips_in_a_row() -> None:
    """After an override the next cooldown is the configured one."""
    lab = tripped(HEARS)
    again(lab, 3)
    for mode in (Mode.CLOSE, Mode.AUTO):
        lab.breaker.override(mode, 200.0)
    assert lab.breaker.statistics(200.0).in_a_row == 0
    lab.fail(200.0, 200.0)
    assert left(lab, 200.0) == 30.0


@given(st.floats(0, 1e7), st.floats(0.001, 1e4))
@example(1038577.0, 9999.623298602115)  # their sum less the first is more than the second
def test_what_was_not_lengthened_is_not_said_to_be(now: float, cooldown: float) -> None:
    """The text of a first trip mentions no trips in a row, whatever the time."""
    lab = Lab(BreakerPolicy(threshold=1, cooldown=cooldown))
    lab.fail(now)
    assert lab.transitions[0].because == "1 failure in 10 s, last 503"


def test_what_lengthens_a_cooldown_is_reported() -> None:
    """The text names the longer one and its length: the provider's hint, or the trips in a row."""
    lab = tripped(HEARS)
    lab.fail(30.0)
    assert lab.transitions[-1].because == "a probe failed: 503; trip 2 in a row, for 37.5 s"
    lab.fail(67.5, retry_after=44.0)
    assert lab.transitions[-1].because == "a probe failed: 503; trip 3 in a row, for 45 s"
    lab.fail(112.5, retry_after=50.0)
    assert lab.transitions[-1].because == "a probe failed: 503; it asks for 50 s"
