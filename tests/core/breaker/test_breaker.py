from __future__ import annotations

from dataclasses import replace

import pytest

from aibridge_trio.core.breaker.breaker import Breaker, Mode, Refusal, State, Transition
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS
from tests.support.breaker_lab import BROKEN, OVERLOAD, Lab, half_open, tripped


def test_names_and_numbers() -> None:
    """The states are closed (0), open (1) and half-open (2)."""
    assert [(str(state), state.number) for state in State] == [("closed", 0), ("open", 1), ("half-open", 2)]


def test_a_new_breaker_is_closed_and_automatic() -> None:
    """A new breaker is closed, automatic and empty, and nothing is due."""
    lab = Lab()
    statistics = lab.breaker.statistics(0.0)
    assert (statistics.state, statistics.mode, statistics.since) == (State.CLOSED, Mode.AUTO, 0.0)
    assert (statistics.failures_in_window, statistics.probes, statistics.trips) == (0, 0, 0)
    assert statistics.cooldown_left is None
    assert lab.breaker.next_due() == float("inf")


def test_the_whole_circle() -> None:
    """A breaker goes from closed to open to half-open to closed, and reports each transition once, in order."""
    lab, now = half_open()
    for permit in [lab.admitted(now) for _ in range(3)]:
        lab.settle(permit, SUCCESS, now + 1)
    assert lab.transitions == [
        Transition(State.CLOSED, State.OPEN, "5 failures in 10 s, last 503", trip=True),
        Transition(State.OPEN, State.HALF_OPEN, "cooldown over", trip=False),
        Transition(State.HALF_OPEN, State.CLOSED, "3 of 3 probes succeeded", trip=False),
    ]
    assert lab.breaker.statistics(now + 1).trips == 1


def test_since_is_the_beginning_of_the_state() -> None:
    """The statistics have the time at which the state began."""
    lab = tripped(at=4.0)
    assert lab.breaker.statistics(9.0).since == 4.0
    assert lab.breaker.statistics(50.0).since == 50.0  # applied by the next call


# --- Closed: the window


def test_below_the_threshold_it_stays_closed() -> None:
    """One failure less than the threshold opens nothing."""
    lab = Lab()
    lab.fail(0, 1, 2, 3)
    assert lab.state(3.0) is State.CLOSED
    assert lab.breaker.statistics(3.0).failures_in_window == 4


def test_the_threshold_opens_it() -> None:
    """The failure that reaches the threshold opens it at once."""
    lab = Lab()
    lab.fail(0, 1, 2, 3, 4)
    assert lab.state(4.0) is State.OPEN


def test_the_window_forgets() -> None:
    """Failures that are exactly one window old no longer count."""
    lab = Lab()
    lab.fail(0, 1, 2, 3, 10)
    assert lab.state(10.0) is State.CLOSED
    assert lab.breaker.statistics(10.0).failures_in_window == 4


def test_the_window_includes_its_last_moment() -> None:
    """A failure that is a hair younger than one window counts."""
    lab = Lab()
    lab.fail(0.25, 1, 2, 3, 10)
    assert lab.state(10.0) is State.OPEN


def test_the_window_slides() -> None:
    """Four failures before and four after a multiple of the window trip, as they would anywhere else."""
    lab = Lab()
    lab.fail(8, 8.5, 9, 9.5, 10.5)
    assert lab.state(10.5) is State.OPEN


def test_successes_between_reset_nothing() -> None:
    """Successes and neutrals between the failures do not keep the breaker closed."""
    lab = Lab()
    for now in range(5):
        lab.settle(lab.admitted(now), SUCCESS, now)
        lab.settle(lab.admitted(now), NEUTRAL, now)
        lab.fail(now)
    assert lab.path == ["open"]


def test_neutrals_alone_open_nothing() -> None:
    """However many neutral verdicts come, a closed breaker stays closed."""
    lab = Lab()
    for _ in range(100):
        lab.settle(lab.admitted(0.0), NEUTRAL, 0.0)
    assert lab.transitions == []
    assert lab.breaker.statistics(0.0).failures_in_window == 0


def test_the_time_of_the_verdict_counts() -> None:
    """Calls that last longer than the window and fail together open it (the Go AI Bridge ignores them)."""
    lab = Lab()
    for permit in [lab.admitted(0.0) for _ in range(5)]:
        lab.settle(permit, OVERLOAD, 60.0)
    assert lab.path == ["open"]


def test_failures_without_a_status_open_it_too() -> None:
    """A provider that cannot be reached trips it like one that reports overload; the refusal has another cause."""
    lab = Lab()
    for _ in range(5):
        lab.settle(lab.admitted(0.0), BROKEN, 0.0)
    assert lab.transitions[0].because == "5 failures in 10 s, last no connection"
    assert lab.refused(0.0).because == "failures"


def test_a_threshold_of_one() -> None:
    """With a threshold of one the first failure opens it."""
    lab = tripped(BreakerPolicy(threshold=1))
    assert lab.transitions[0].because == "1 failure in 10 s, last 503"


# --- Rule 1: a due cooldown is applied first


def test_admit_applies_a_due_cooldown() -> None:
    """At the very end of the cooldown a request is admitted as a probe."""
    lab = tripped()
    lab.refused(29.75)
    assert lab.admitted(30.0).generation == 2
    assert lab.path == ["open", "half-open"]


def test_settle_applies_a_due_cooldown() -> None:
    """A verdict that comes after the cooldown finds the breaker half-open, and is of an older generation."""
    lab = Lab()
    late = lab.admitted(0.0)
    lab.fail(*[0.0] * 5)
    lab.settle(late, OVERLOAD, 30.0)
    assert lab.path == ["open", "half-open"]


def test_the_timer_applies_a_due_cooldown() -> None:
    """Without any requests, `advance` ends the cooldown, at the time that `next_due` returns."""
    lab = tripped(at=5.0)
    assert lab.breaker.next_due() == 35.0
    lab.breaker.advance(34.75)
    assert lab.path == ["open"]
    lab.breaker.advance(35.0)
    assert lab.path == ["open", "half-open"]
    assert lab.breaker.next_due() == float("inf")


@pytest.mark.parametrize("question", ["refusal", "statistics"])
def test_questions_apply_a_due_cooldown(question: str) -> None:
    """A question is answered for the present time, not for that of the last verdict."""
    lab = tripped()
    getattr(lab.breaker, question)(30.0)
    assert lab.path == ["open", "half-open"]


def test_an_override_applies_a_due_cooldown() -> None:
    """An override after the cooldown closes a half-open breaker."""
    lab = tripped()
    lab.breaker.override(Mode.CLOSE, 30.0)
    assert [(change.source, change.target) for change in lab.transitions[1:]] == [
        (State.OPEN, State.HALF_OPEN),
        (State.HALF_OPEN, State.CLOSED),
    ]


# --- Generations and second settles


def test_a_permit_of_an_older_generation_changes_nothing() -> None:
    """Verdicts of requests that were admitted before the trip neither close nor reopen it."""
    lab = Lab()
    old = [lab.admitted(0.0) for _ in range(8)]
    lab.fail(*[0.0] * 5)
    lab.breaker.advance(30.0)
    for permit, evidence in zip(old, [SUCCESS] * 4 + [OVERLOAD] * 4, strict=True):
        lab.settle(permit, evidence, 30.0)
    assert lab.path == ["open", "half-open"]


def test_an_old_failure_does_not_count_in_the_next_closed_state() -> None:
    """A failure of a request from before the trip does not count after the recovery."""
    lab = Lab()
    old = [lab.admitted(0.0) for _ in range(10)]
    lab.fail(*[0.0] * 5)
    for permit in [lab.admitted(30.0) for _ in range(3)]:
        lab.settle(permit, SUCCESS, 30.0)
    for permit in old:
        lab.settle(permit, OVERLOAD, 31.0)
    assert lab.breaker.statistics(31.0).failures_in_window == 0


def test_a_second_settle_changes_nothing() -> None:
    """One permit counts once, however often it is settled."""
    lab = Lab()
    permit = lab.admitted(0.0)
    for _ in range(10):
        lab.settle(permit, OVERLOAD, 0.0)
    assert lab.breaker.statistics(0.0).failures_in_window == 1


def test_a_second_success_is_no_second_probe() -> None:
    """One probe that succeeds twice is one success."""
    lab, now = half_open()
    permit = lab.admitted(now)
    for _ in range(5):
        lab.settle(permit, SUCCESS, now)
    assert lab.state(now) is State.HALF_OPEN


def test_a_settled_neutral_stays_neutral() -> None:
    """After a neutral verdict neither success nor failure of that request counts."""
    lab, now = half_open()
    permit = lab.admitted(now)
    for evidence in (NEUTRAL, OVERLOAD, SUCCESS):
        lab.settle(permit, evidence, now)
    assert lab.state(now) is State.HALF_OPEN
    lab.settle(lab.admitted(now), SUCCESS, now)
    lab.settle(lab.admitted(now), SUCCESS, now)
    assert lab.state(now) is State.HALF_OPEN


@pytest.mark.parametrize("target", [State.OPEN, State.HALF_OPEN, State.CLOSED])
def test_a_transition_empties_the_counts(target: State) -> None:
    """Every state begins with an empty window and no probes."""
    lab, now = half_open()
    if target is State.OPEN:
        lab.fail(now)
    if target is State.CLOSED:
        for permit in [lab.admitted(now) for _ in range(3)]:
            lab.settle(permit, SUCCESS, now)
    statistics = lab.breaker.statistics(now)
    assert statistics.state is target
    assert (statistics.failures_in_window, statistics.probes) == (0, 0)


# --- Rule 3: open


def test_retry_after_is_what_is_left() -> None:
    """A refusal's wait is the rest of the cooldown, not all of it."""
    lab = tripped(at=100.0)
    assert [lab.refused(now).wait for now in (100.0, 110.0, 129.5)] == [30.0, 20.0, 0.5]
    assert lab.breaker.statistics(110.0).cooldown_left == 20.0


def test_open_refuses_all_requests() -> None:
    """While open not a single request is admitted, and refusals cost nothing."""
    lab = tripped()
    for _ in range(1000):
        assert lab.refused(1.0) == Refusal("overload", 29.0)
    assert lab.path == ["open"]


# --- Rule 4: half-open


def test_probes_are_capped() -> None:
    """As many probes as allowed hold permits, others are refused with one second."""
    lab, now = half_open()
    permits = [lab.admitted(now) for _ in range(3)]
    assert lab.refused(now) == Refusal("overload", 1.0)
    assert lab.breaker.statistics(now).probes == 3
    lab.settle(permits[0], NEUTRAL, now)
    lab.admitted(now)


def test_a_refused_probe_holds_nothing() -> None:
    """Refusals in half-open take no permit."""
    lab, now = half_open()
    permits = [lab.admitted(now) for _ in range(3)]
    for _ in range(10):
        lab.refused(now)
    for permit in permits:
        lab.settle(permit, NEUTRAL, now)
    assert lab.breaker.statistics(now).probes == 0


def test_neutrals_between_successes_do_not_reset() -> None:
    """N successes close it, whatever neutrals come between."""
    lab, now = half_open()
    for evidence in (SUCCESS, NEUTRAL, NEUTRAL, SUCCESS, NEUTRAL):
        lab.settle(lab.admitted(now), evidence, now)
    assert lab.state(now) is State.HALF_OPEN
    lab.settle(lab.admitted(now), SUCCESS, now)
    assert lab.state(now) is State.CLOSED


def test_neutrals_alone_close_nothing() -> None:
    """Any number of neutrals leaves it half-open (three 401s close a Go AI Bridge's breaker)."""
    lab, now = half_open()
    for _ in range(50):
        lab.settle(lab.admitted(now), NEUTRAL, now)
    assert lab.state(now) is State.HALF_OPEN


def test_successes_count_over_any_time() -> None:
    """Probes may be hours apart: successes in half-open do not age."""
    lab, now = half_open()
    for hours in range(3):
        lab.settle(lab.admitted(now + hours * 3600), SUCCESS, now + hours * 3600)
    assert lab.state(now + 7200) is State.CLOSED


def test_one_failure_in_half_open_reopens() -> None:
    """One failed probe opens it for a whole new cooldown, whatever succeeded before."""
    lab, now = half_open()
    first, second, third = (lab.admitted(now) for _ in range(3))
    lab.settle(first, SUCCESS, now)
    lab.settle(second, SUCCESS, now)
    lab.settle(third, BROKEN, now + 5)
    assert lab.transitions[-1] == Transition(
        State.HALF_OPEN, State.OPEN, "a probe failed: no connection", trip=True
    )
    assert lab.refused(now + 5) == Refusal("failures", 30.0)
    assert lab.breaker.statistics(now + 5).trips == 2


def test_successes_do_not_outlive_half_open() -> None:
    """Successes of an earlier half-open state do not help to close the next."""
    lab, now = half_open()
    for evidence in (SUCCESS, SUCCESS, OVERLOAD):
        lab.settle(lab.admitted(now), evidence, now)
    again = now + 30
    lab.settle(lab.admitted(again), SUCCESS, again)
    assert lab.state(again) is State.HALF_OPEN


@pytest.mark.parametrize(("cooldown", "deadline"), [(60.0, 30.0), (30.0, 30.0), (5.0, 5.0)])
def test_a_probe_has_a_deadline(cooldown: float, deadline: float) -> None:
    """A probe without a verdict after min(cooldown, 30 s) gives its permit back as neutral, to the instant."""
    lab, now = half_open(BreakerPolicy(cooldown=cooldown))
    for _ in range(3):
        lab.admitted(now)
    assert lab.breaker.next_due() == now + deadline
    lab.refused(now + deadline - 0.25)
    lab.admitted(now + deadline)
    assert lab.breaker.statistics(now + deadline).probes == 1
    assert lab.state(now + deadline) is State.HALF_OPEN


def test_hung_probes_do_not_keep_it_half_open_for_ever() -> None:
    """Probes that hang are replaced, and their successors close it (the classic bug of breakers)."""
    lab, now = half_open()
    for _ in range(3):
        lab.admitted(now)
    later = now + 30
    for permit in [lab.admitted(later) for _ in range(3)]:
        lab.settle(permit, SUCCESS, later)
    assert lab.state(later) is State.CLOSED


@pytest.mark.parametrize("after", [29.75, 30.0, 45.0, 3600.0])
def test_a_late_success_counts(after: float) -> None:
    """At and after its deadline a probe holds no permit any more, and its success helps to close it."""
    lab, now = half_open()
    slow = [lab.admitted(now) for _ in range(3)]
    others = [lab.admitted(now + 30) for _ in range(3)] if after > 30 else []
    for permit in slow:
        assert lab.state(now + after) is State.HALF_OPEN
        lab.settle(permit, SUCCESS, now + after)
    assert lab.state(now + after) is State.CLOSED
    assert lab.transitions[-1].because == "3 of 3 probes succeeded"
    for permit in others:  # of an older generation by now
        lab.settle(permit, OVERLOAD, now + after)
    assert lab.breaker.statistics(now + after).failures_in_window == 0


def test_a_provider_slower_than_the_deadline_closes_it() -> None:
    """Five 503s, then unary answers of 45 s: as soon as three of them are there it is closed."""
    lab = tripped(BreakerPolicy())
    flying: list[tuple[float, Permit]] = []
    for now in range(30, 200):
        while flying and flying[0][0] <= now:
            lab.settle(flying.pop(0)[1], SUCCESS, now)
        if isinstance(answer := lab.breaker.admit(now), Permit):
            flying.append((now + 45, answer))
        if lab.state(now) is State.CLOSED:
            break
    assert now == 30 + 2 + 45


def test_a_late_verdict_counts_once() -> None:
    """Settling a permit twice is one success; after a neutral nothing counts."""
    lab, now = half_open()
    permit, silent = lab.admitted(now), lab.admitted(now)
    for _ in range(5):
        lab.settle(permit, SUCCESS, now + 45)
    for evidence in (NEUTRAL, SUCCESS, OVERLOAD):
        lab.settle(silent, evidence, now + 45)
    assert lab.state(now + 45) is State.HALF_OPEN
    for _ in range(2):
        lab.settle(lab.admitted(now + 46), SUCCESS, now + 46)
    assert lab.state(now + 46) is State.CLOSED


def test_a_late_success_dies_with_its_generation() -> None:
    """A slow probe of one half-open state does not help to close the next."""
    lab, now = half_open(BreakerPolicy(max_probes=1))
    slow = lab.admitted(now)
    lab.fail(now + 30)
    again = now + 30 + (lab.breaker.statistics(now + 30).cooldown_left or 0)
    assert lab.state(again) is State.HALF_OPEN
    lab.settle(slow, SUCCESS, again)
    assert lab.state(again) is State.HALF_OPEN


def test_next_due_is_the_earliest_deadline() -> None:
    """The timer is set for the oldest probe without a verdict."""
    lab, now = half_open()
    first, _second = lab.admitted(now), lab.admitted(now + 2)
    assert lab.breaker.next_due() == now + 30
    lab.settle(first, NEUTRAL, now + 3)
    assert lab.breaker.next_due() == now + 32


# --- Rule 5: relapse


def test_relapse_in_closed_counts_one_failure() -> None:
    """A request that succeeded and then fails is one failure, once."""
    lab = Lab()
    permit = lab.admitted(0.0)
    lab.settle(permit, SUCCESS, 0.0)
    for _ in range(10):
        lab.settle(permit, OVERLOAD, 1.0)
    assert lab.breaker.statistics(1.0).failures_in_window == 1


def test_relapses_alone_open_it() -> None:
    """Streams that begin well and end in overload open the breaker (the Go AI Bridge counts successes)."""
    lab = Lab()
    for _ in range(5):
        permit = lab.admitted(0.0)
        lab.settle(permit, SUCCESS, 0.0)
        lab.settle(permit, OVERLOAD, 1.0)
    assert lab.path == ["open"]


def test_relapse_in_half_open_reopens() -> None:
    """A probe that succeeded and then fails reopens, if it is still half-open."""
    lab, now = half_open()
    permit = lab.admitted(now)
    lab.settle(permit, SUCCESS, now)
    lab.settle(permit, OVERLOAD, now + 1)
    assert lab.path == ["open", "half-open", "open"]


def test_a_failure_after_the_time_out_reopens() -> None:
    """A probe that ran out of time and then fails reopens, if it is still half-open."""
    lab, now = half_open()
    permit = lab.admitted(now)
    lab.settle(permit, OVERLOAD, now + 45)
    assert lab.path == ["open", "half-open", "open"]


def test_a_late_failure_counts_once() -> None:
    """After one late failure nothing more of a timed-out probe counts."""
    lab, now = half_open()
    permit = lab.admitted(now)
    lab.settle(permit, OVERLOAD, now + 45)
    lab.settle(permit, OVERLOAD, now + 45 + 30)
    assert lab.path == ["open", "half-open", "open", "half-open"]


def test_a_late_success_may_relapse() -> None:
    """A slow probe that has succeeded and then fails reopens, if it is still half-open."""
    lab, now = half_open()
    permit = lab.admitted(now)
    lab.settle(permit, SUCCESS, now + 45)
    assert lab.state(now + 45) is State.HALF_OPEN
    lab.settle(permit, OVERLOAD, now + 46)
    assert lab.state(now + 46) is State.OPEN


def test_relapse_dies_with_its_generation() -> None:
    """A probe whose success helped to close it does not count when it fails in the closed state."""
    lab, now = half_open()
    permits = [lab.admitted(now) for _ in range(3)]
    for permit in permits:
        lab.settle(permit, SUCCESS, now)
    for permit in permits:
        lab.settle(permit, OVERLOAD, now + 1)
    assert lab.breaker.statistics(now + 1).failures_in_window == 0
    assert lab.state(now + 1) is State.CLOSED


def test_relapse_after_time_out_dies_with_its_generation() -> None:
    """A probe that ran out of time in one half-open state does not reopen the next."""
    lab, now = half_open()
    hung = lab.admitted(now)
    lab.breaker.advance(now + 30)
    lab.fail(now + 30)
    assert lab.state(now + 60) is State.HALF_OPEN
    lab.settle(hung, OVERLOAD, now + 61)
    assert lab.state(now + 61) is State.HALF_OPEN


def test_no_relapse_after_neutral_or_failure() -> None:
    """After a neutral or a failure a permit's later evidence does not count."""
    lab = Lab()
    for evidence in (NEUTRAL, OVERLOAD):
        permit = lab.admitted(0.0)
        lab.settle(permit, evidence, 0.0)
        lab.settle(permit, OVERLOAD, 0.0)
    assert lab.breaker.statistics(0.0).failures_in_window == 1


# --- Rule 6: passed-through requests


def test_passed_through_requests_are_refused_while_open() -> None:
    """A request without a permit is refused while open, with the rest of the cooldown."""
    lab = tripped()
    assert lab.breaker.refusal(10.0) == Refusal("overload", 20.0)


def test_passed_through_requests_pass_in_half_open() -> None:
    """A request without a permit passes in half-open, even when all permits are held."""
    lab, now = half_open()
    for _ in range(3):
        lab.admitted(now)
    assert lab.breaker.refusal(now) is None
    assert lab.breaker.statistics(now).probes == 3


def test_passed_through_requests_pass_while_closed() -> None:
    """A request without a permit passes while closed."""
    assert Lab().breaker.refusal(0.0) is None


# --- What it shows


def test_a_repr_tells_the_state() -> None:
    """The representations of breaker and permit show their states."""
    lab = Lab()
    permit = lab.admitted(0.0)
    assert repr(lab.breaker) == "<Breaker closed mode=auto generation=0>"
    assert repr(permit) == "<Permit generation=0 held>"
    lab.settle(permit, SUCCESS, 0.0)
    assert repr(permit) == "<Permit generation=0 returned>"


def test_statistics_are_frozen() -> None:
    """Statistics are a snapshot: later events do not change them."""
    lab = Lab()
    before = lab.breaker.statistics(0.0)
    copy = replace(before)
    lab.fail(*[0.0] * 5)
    assert before == copy


def test_only_a_forced_breaker_says_operator() -> None:
    """Back in automatic mode it probes, and a refused probe is no longer refused by the operator."""
    breaker = Breaker(BreakerPolicy(max_probes=1), lambda _: None)
    breaker.override(Mode.OPEN, 0.0)
    assert breaker.admit(1.0) == Refusal("operator", None)
    breaker.override(Mode.AUTO, 2.0)
    assert isinstance(breaker.admit(3.0), Permit)
    assert breaker.admit(4.0) == Refusal("failures", 1.0)
