"""A breaker that needs a share of failures, beside their number; docs/reference.md, B14."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.breaker import Breaker, Mode
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS
from tests.support.breaker_lab import BROKEN, OVERLOAD, Lab

HALF = BreakerPolicy(failure_share=0.5)
OWN = OVERLOAD._replace(caller_related=True)
# A call counts for at most this much longer than the window.
LATEST = 1 + 1 / 64

# Seconds since the call before, whether it fails, and after how many seconds it is judged.
stories = st.lists(
    st.tuples(st.floats(0.0, 4.0), st.sampled_from([True, False, False]), st.floats(0.0, 15.0)), max_size=60
)


def share(lab: Lab, now: float) -> float | None:
    return lab.breaker.statistics(now).failure_share


def succeed(lab: Lab, times: int, now: float) -> None:
    for _ in range(times):
        lab.settle(lab.admitted(now), SUCCESS, now)


def test_five_of_a_thousand_are_no_outage() -> None:
    """Failures beyond the threshold open it only once they are the share of the calls that were judged."""
    lab = Lab(HALF)
    succeed(lab, 995, 0.0)
    lab.fail(*[1.0] * 994)
    assert lab.path == []
    lab.fail(1.0)
    assert lab.path == ["open"]
    assert lab.transitions[0].because == "995 of 1990 calls failed in 10 s, last 503"


def test_the_threshold_is_the_least_number() -> None:
    """With few calls the threshold decides: four failures of four open nothing, five of five do."""
    lab = Lab(HALF)
    lab.fail(*[0.0] * 4)
    assert lab.path == []
    lab.fail(0.0)
    assert lab.path == ["open"]


def test_exactly_the_share_is_enough() -> None:
    """Seven of a hundred are 7 %, although 0.07 × 100 is above 7 in floats."""
    lab = Lab(BreakerPolicy(failure_share=0.07))
    succeed(lab, 93, 0.0)
    lab.fail(*[0.0] * 6)
    assert lab.path == []
    lab.fail(0.0)
    assert lab.path == ["open"]


def test_without_a_share_successes_change_nothing() -> None:
    """Without a share the threshold alone decides, and no success is kept."""
    lab = Lab(BreakerPolicy())
    succeed(lab, 1000, 0.0)
    lab.fail(*[0.0] * 5)
    assert lab.path == ["open"]
    assert lab.transitions[0].because == "5 failures in 10 s, last 503"
    assert share(lab, 0.0) is None


def test_successes_leave_the_window() -> None:
    """Old successes no longer speak against an outage; until then they do."""
    lab = Lab(HALF)
    succeed(lab, 100, 0.0)
    lab.fail(*[9.9] * 5)
    assert lab.path == []
    lab.fail(10.2)
    assert lab.path == ["open"]


def test_it_opens_at_a_failure_only() -> None:
    """The share rises by time alone when successes leave the window; the next failure opens it, nothing before."""
    lab = Lab(HALF)
    succeed(lab, 10, 0.0)
    lab.fail(*[5.0] * 8)
    succeed(lab, 1, 10.2)
    assert share(lab, 10.2) == 8 / 9
    assert lab.path == []
    lab.fail(10.2)
    assert lab.path == ["open"]


def test_neutral_verdicts_are_no_calls() -> None:
    """A neutral verdict is neither a failure nor a call that did not fail."""
    lab = Lab(HALF)
    for _ in range(100):
        lab.settle(lab.admitted(0.0), NEUTRAL, 0.0)
    assert share(lab, 0.0) is None
    lab.fail(*[0.0] * 5)
    assert lab.path == ["open"]


def test_a_failure_after_a_success_is_one_failed_call() -> None:
    """A provider whose every answer breaks after its first words has failed all calls, not half of them."""
    lab = Lab(BreakerPolicy(failure_share=1.0))
    permits = [lab.admitted(0.0) for _ in range(5)]
    for permit in permits:
        lab.settle(permit, SUCCESS, 1.0)
    assert share(lab, 1.0) == 0.0
    for permit in permits:
        lab.settle(permit, BROKEN, 4.0)
    assert lab.path == ["open"]
    assert lab.transitions[0].because == "5 of 5 calls failed in 10 s, last no connection"


def test_a_success_that_has_left_the_window_is_not_taken_back_from_another() -> None:
    """A failure long after its call's success takes nothing from successes of others."""
    lab = Lab(HALF)
    permit = lab.admitted(0.0)
    lab.settle(permit, SUCCESS, 0.0)
    succeed(lab, 9, 100.0)
    lab.settle(permit, BROKEN, 100.0)
    assert share(lab, 100.0) == 0.1


def test_one_callers_own_failures_are_no_calls_either() -> None:
    """Failures that do not count (B13) are in neither number: they hide no outage, and make none."""
    lab = Lab(BreakerPolicy(failure_share=0.4))
    lab.meet("bob", SUCCESS, *[0.0] * 6)
    lab.meet("alice", OWN, *[0.0] * 100)
    assert (lab.path, share(lab, 0.0)) == ([], 0.0)
    lab.fail(*[0.0] * 4)
    assert share(lab, 0.0) == 0.4
    assert lab.path == []
    lab.fail(0.0)
    assert lab.transitions[0].because == "5 of 11 calls failed in 10 s, last 503"


def test_own_failures_of_two_callers_count_beyond_the_threshold() -> None:
    """From two callers on their own failures count (B13): all of them, not as many as the threshold."""
    lab = Lab(HALF)
    succeed(lab, 30, 0.0)
    lab.meet("alice", OWN, *[0.0] * 15)
    lab.meet("bob", OWN, *[0.0] * 14)
    assert lab.path == []
    lab.meet("bob", OWN, 0.0)
    assert lab.transitions[0].because == "30 of 60 calls failed in 10 s, last 503"


def test_half_open_is_as_before() -> None:
    """One failed probe opens it again, whatever the share; as many successes as before close it."""
    lab = Lab(HALF)
    lab.fail(*[0.0] * 5)
    assert lab.state(30.0) == "half-open"
    succeed(lab, 2, 30.0)
    lab.fail(30.0)
    assert lab.path == ["open", "half-open", "open"]
    assert lab.state(100.0) == "half-open"
    succeed(lab, 3, 100.0)
    assert lab.path[-1] == "closed"
    assert share(lab, 100.0) is None


def test_forced_closed_shows_the_share_and_never_trips() -> None:
    """Forced closed counts all failures and the share."""
    lab = Lab(HALF)
    lab.breaker.override(Mode.CLOSE, 0.0)
    succeed(lab, 10, 0.0)
    lab.fail(*[0.0] * 30)
    statistics = lab.breaker.statistics(0.0)
    assert (statistics.state, statistics.failures_in_window, statistics.failure_share) == ("closed", 30, 0.75)


def test_the_longest_hint_counts_although_it_is_not_of_the_last_failures() -> None:
    """B7 holds for all failures in the window, however many: an early hint is not forgotten for later ones."""
    lab = Lab(replace(HALF, longest_cooldown=300.0))
    succeed(lab, 20, 0.0)
    lab.fail(0.0, retry_after=90.0)
    lab.fail(*[1.0] * 19)
    assert lab.breaker.statistics(1.0).cooldown_left == 89.0


@given(
    stories,
    st.integers(1, 6),
    st.sampled_from([0.01, 0.2, 0.5, 0.9, 1.0]),
    st.sampled_from([0.3, 10.0, 7.7]),
)
@example([(0.0, True, 0.0), (0.0, False, 0.0), (0.0, True, 0.0)], 1, 1.0, 10.0)
def test_it_opens_at_the_share_and_never_below(
    story: list[tuple[float, bool, float]], threshold: int, needed: float, window: float
) -> None:
    """It opens at the first failure with which the share is reached, and at none before.

    "In the window" is between `window` and a 64th more; where the two differ, either answer is right.
    """
    trips: list[float] = []
    policy = BreakerPolicy(threshold, window, failure_share=needed)
    breaker = Breaker(policy, lambda change: trips.append(now))
    verdicts: list[tuple[float, bool, Permit]] = []
    begun = 0.0
    for gap, fails, took in story:
        begun += gap
        permit = breaker.admit(0.0)
        assert isinstance(permit, Permit)
        verdicts.append((begun + took, fails, permit))
    verdicts.sort(key=lambda each: each[0])
    seen: list[tuple[float, bool]] = []
    for now, fails, permit in verdicts:
        seen.append((now, fails))
        breaker.settle(permit, OVERLOAD if fails else SUCCESS, now)
        # Rounded outwards, because these sums are not the ones that the breaker makes.
        surely = [failed for at, failed in seen if at > now - window + 1e-9]
        maybe = [failed for at, failed in seen if at > now - window * LATEST - 1e-9]
        at_most = sum(maybe) / max(1, sum(maybe) + len(surely) - sum(surely))
        at_least = sum(surely) / max(1, sum(surely) + len(maybe) - sum(maybe))
        if trips:
            assert fails
            assert sum(maybe) >= threshold
            assert at_most >= needed
            return
        assert not fails or sum(surely) < threshold or at_least < needed
