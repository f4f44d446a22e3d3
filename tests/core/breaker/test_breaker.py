from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.breaker import Breaker, BreakerPolicy, Mode, Refusal, State, Transition
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence, Verdict

OVERLOAD = Evidence(Verdict.FAILURE, "503", overload=True)
BROKEN = Evidence(Verdict.FAILURE, "no connection")
LONG = BreakerPolicy(cooldown=60.0)  # so that the 30 s of a probe's deadline show


# The plain rule: whatever is said, and however often it trips, the cooldown is the configured one.
PLAIN = BreakerPolicy(longest_cooldown=0.0)


class Lab:
    """A breaker, what it has told, and the questions of these tests."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self.policy = policy or PLAIN
        self.told: list[Transition] = []
        self.breaker = Breaker(self.policy, self.told.append)

    def admitted(self, now: float, caller: str | None = None) -> Permit:
        answer = self.breaker.admit(now, caller)
        assert isinstance(answer, Permit)
        return answer

    def refused(self, now: float, caller: str | None = None) -> Refusal:
        answer = self.breaker.admit(now, caller)
        assert isinstance(answer, Refusal)
        return answer

    def settle(self, permit: Permit, evidence: Evidence, now: float, told: float | None = None) -> None:
        self.breaker.settle(permit, evidence, now, told)

    def fail(self, *times: float, told: float | None = None) -> None:
        for now in times:
            self.settle(self.admitted(now), OVERLOAD, now, told)

    def meet(self, caller: str, evidence: Evidence, *times: float, told: float | None = None) -> None:
        """Let a caller's requests show this, each at once."""
        for now in times:
            self.settle(self.admitted(now, caller), evidence, now, told)

    def state(self, now: float) -> State:
        return self.breaker.statistics(now).state

    @property
    def path(self) -> list[str]:
        return [change.target for change in self.told]


def tripped(policy: BreakerPolicy | None = None, at: float = 0.0) -> Lab:
    """Return a breaker that has just opened."""
    lab = Lab(policy)
    lab.fail(*[at] * lab.policy.threshold)
    assert lab.path == ["open"]
    return lab


def half_open(policy: BreakerPolicy | None = None) -> tuple[Lab, float]:
    """Return a breaker that has just begun to probe, and when that is."""
    lab = tripped(policy)
    now = lab.policy.cooldown
    assert lab.state(now) is State.HALF_OPEN
    return lab, now


def test_defaults() -> None:
    """Five failures in 10 s open for 30 s, and three probes decide."""
    assert BreakerPolicy() == BreakerPolicy(threshold=5, window=10.0, cooldown=30.0, max_probes=3)


def test_names_and_numbers() -> None:
    """The states are closed (0), open (1) and half-open (2)."""
    assert [(str(state), state.number) for state in State] == [("closed", 0), ("open", 1), ("half-open", 2)]


def test_a_new_breaker_is_closed_and_automatic() -> None:
    """A breaker begins closed, empty, ruled by itself, and has nothing to do."""
    lab = Lab()
    statistics = lab.breaker.statistics(0.0)
    assert (statistics.state, statistics.mode, statistics.since) == (State.CLOSED, Mode.AUTO, 0.0)
    assert (statistics.failures_in_window, statistics.probes, statistics.trips) == (0, 0, 0)
    assert statistics.cooldown_left is None
    assert lab.breaker.next_due() == float("inf")


def test_the_whole_circle() -> None:
    """A breaker goes from closed to open to half-open to closed, and tells each transition once, in order."""
    lab, now = half_open()
    for permit in [lab.admitted(now) for _ in range(3)]:
        lab.settle(permit, SUCCESS, now + 1)
    assert lab.told == [
        Transition(State.CLOSED, State.OPEN, "5 failures in 10 s, last 503", trip=True),
        Transition(State.OPEN, State.HALF_OPEN, "cooldown over", trip=False),
        Transition(State.HALF_OPEN, State.CLOSED, "3 of 3 probes succeeded", trip=False),
    ]
    assert lab.breaker.statistics(now + 1).trips == 1


def test_since_is_the_beginning_of_the_state() -> None:
    """The statistics tell since when a state has lasted."""
    lab = tripped(at=4.0)
    assert lab.breaker.statistics(9.0).since == 4.0
    assert lab.breaker.statistics(50.0).since == 50.0  # noticed when somebody asked


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
    """Failures that are exactly one window old count no more."""
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
    assert lab.told == []
    assert lab.breaker.statistics(0.0).failures_in_window == 0


def test_the_time_of_the_verdict_counts() -> None:
    """Calls that last longer than the window and fail together open it (the Go AI Bridge ignores them)."""
    lab = Lab()
    for permit in [lab.admitted(0.0) for _ in range(5)]:
        lab.settle(permit, OVERLOAD, 60.0)
    assert lab.path == ["open"]


def test_failures_without_a_status_open_it_too() -> None:
    """A provider that cannot be reached trips like one that says so, and the reason is told apart."""
    lab = Lab()
    for _ in range(5):
        lab.settle(lab.admitted(0.0), BROKEN, 0.0)
    assert lab.told[0].because == "5 failures in 10 s, last no connection"
    assert lab.refused(0.0).because == "failures"


def test_a_threshold_of_one() -> None:
    """With a threshold of one the first failure opens it."""
    lab = tripped(BreakerPolicy(threshold=1))
    assert lab.told[0].because == "1 failure in 10 s, last 503"


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
    """With no traffic at all, `advance` alone makes the state true, at the moment that `next_due` names."""
    lab = tripped(at=5.0)
    assert lab.breaker.next_due() == 35.0
    lab.breaker.advance(34.75)
    assert lab.path == ["open"]
    lab.breaker.advance(35.0)
    assert lab.path == ["open", "half-open"]
    assert lab.breaker.next_due() == float("inf")


@pytest.mark.parametrize("question", ["refusal", "statistics"])
def test_questions_apply_a_due_cooldown(question: str) -> None:
    """Who only asks is answered for now, not for the last verdict."""
    lab = tripped()
    getattr(lab.breaker, question)(30.0)
    assert lab.path == ["open", "half-open"]


def test_an_override_applies_a_due_cooldown() -> None:
    """An operator who closes after the cooldown closes a half-open breaker."""
    lab = tripped()
    lab.breaker.override(Mode.CLOSE, 30.0)
    assert [(change.source, change.target) for change in lab.told[1:]] == [
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
    """A request from before the trip does not spend the failures of the recovered provider."""
    lab = Lab()
    old = [lab.admitted(0.0) for _ in range(10)]
    lab.fail(*[0.0] * 5)
    for permit in [lab.admitted(30.0) for _ in range(3)]:
        lab.settle(permit, SUCCESS, 30.0)
    for permit in old:
        lab.settle(permit, OVERLOAD, 31.0)
    assert lab.breaker.statistics(31.0).failures_in_window == 0


def test_a_second_settle_changes_nothing() -> None:
    """One permit is one vote, however often it is given back."""
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
    """A refused caller is told what is left of the cooldown, not all of it."""
    lab = tripped(at=100.0)
    assert [lab.refused(now).wait for now in (100.0, 110.0, 129.5)] == [30.0, 20.0, 0.5]
    assert lab.breaker.statistics(110.0).cooldown_left == 20.0


def test_open_refuses_everybody() -> None:
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
    assert lab.told[-1] == Transition(State.HALF_OPEN, State.OPEN, "a probe failed: no connection", trip=True)
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
    assert lab.told[-1].because == "3 of 3 probes succeeded"
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
    """Twice the same permit is one success; a neutral is its last word."""
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
    """After its one late failure a timed-out probe has nothing more to say."""
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
    """Who gave its permit back by neutral or failure has had its say."""
    lab = Lab()
    for evidence in (NEUTRAL, OVERLOAD):
        permit = lab.admitted(0.0)
        lab.settle(permit, evidence, 0.0)
        lab.settle(permit, OVERLOAD, 0.0)
    assert lab.breaker.statistics(0.0).failures_in_window == 1


# --- Rule 6: passed-through requests


def test_passed_through_requests_are_refused_while_open() -> None:
    """Who never votes is refused while open, with what is left."""
    lab = tripped()
    assert lab.breaker.refusal(10.0) == Refusal("overload", 20.0)


def test_passed_through_requests_pass_in_half_open() -> None:
    """Who never votes passes in half-open even when all permits are held, and holds none."""
    lab, now = half_open()
    for _ in range(3):
        lab.admitted(now)
    assert lab.breaker.refusal(now) is None
    assert lab.breaker.statistics(now).probes == 3


def test_passed_through_requests_pass_while_closed() -> None:
    """Who never votes passes while closed."""
    assert Lab().breaker.refusal(0.0) is None


# --- Rule 7: the operator


def test_forced_open_has_no_timer() -> None:
    """Forced open refuses without a Retry-After, for ever, voting or not."""
    lab = Lab()
    lab.breaker.override(Mode.OPEN, 0.0)
    for now in (0.0, 30.0, 1e6):
        assert lab.refused(now) == Refusal("operator", None)
        assert lab.breaker.refusal(now) == Refusal("operator", None)
    assert lab.breaker.next_due() == float("inf")
    assert lab.breaker.statistics(1e6).cooldown_left is None
    assert lab.path == ["open"]


def test_forcing_open_an_open_breaker_stops_its_timer() -> None:
    """Forced open while open tells no transition, and the cooldown ends no more."""
    lab = tripped()
    lab.breaker.override(Mode.OPEN, 1.0)
    assert lab.refused(31.0) == Refusal("operator", None)
    assert lab.path == ["open"]


def test_forced_closed_counts_but_never_trips() -> None:
    """Forced closed admits all and shows its failures, but does not open."""
    lab = Lab()
    lab.breaker.override(Mode.CLOSE, 0.0)
    lab.fail(*[1.0] * 20)
    statistics = lab.breaker.statistics(1.0)
    assert (statistics.state, statistics.mode, statistics.trips) == (State.CLOSED, Mode.CLOSE, 0)
    assert statistics.failures_in_window >= 5
    assert lab.told == []


def test_forced_closed_ends_a_cooldown() -> None:
    """An operator may close an open breaker before its time."""
    lab = tripped()
    lab.breaker.override(Mode.CLOSE, 1.0)
    lab.admitted(1.0)
    lab.breaker.advance(31.0)
    assert lab.path == ["open", "closed"]


def test_auto_leads_from_forced_open_to_half_open() -> None:
    """Given back to itself, a breaker that was forced open begins to probe."""
    lab = Lab()
    lab.breaker.override(Mode.OPEN, 0.0)
    lab.breaker.override(Mode.AUTO, 5.0)
    assert lab.path == ["open", "half-open"]
    for permit in [lab.admitted(5.0) for _ in range(3)]:
        lab.settle(permit, SUCCESS, 5.0)
    assert lab.path == ["open", "half-open", "closed"]


def test_auto_leads_from_forced_closed_to_closed_and_empty() -> None:
    """Given back to itself, a breaker that was forced closed has forgotten the failures of that time."""
    lab = Lab()
    lab.breaker.override(Mode.CLOSE, 0.0)
    lab.fail(*[0.0] * 20)
    lab.breaker.override(Mode.AUTO, 0.0)
    assert lab.breaker.statistics(0.0).failures_in_window == 0
    lab.fail(*[0.0] * 4)
    assert lab.told == []


def test_overrides_begin_a_new_generation() -> None:
    """Requests from before an override have no vote after it."""
    lab = Lab()
    old = [lab.admitted(0.0) for _ in range(5)]
    lab.breaker.override(Mode.CLOSE, 0.0)
    lab.breaker.override(Mode.AUTO, 0.0)
    for permit in old:
        lab.settle(permit, OVERLOAD, 0.0)
    assert lab.told == []


def test_overrides_are_no_trips() -> None:
    """No override touches the count of trips."""
    lab = tripped()
    for mode in (Mode.OPEN, Mode.CLOSE, Mode.OPEN, Mode.AUTO, Mode.CLOSE, Mode.AUTO):
        lab.breaker.override(mode, 1.0)
    assert lab.breaker.statistics(1.0).trips == 1
    assert [change.trip for change in lab.told] == [True, False, False, False, False]


@pytest.mark.parametrize("mode", list(Mode))
def test_the_mode_that_it_has_changes_nothing(mode: Mode) -> None:
    """An override said twice is said once: counts, generation and timers stay."""
    lab = Lab()
    lab.breaker.override(mode, 0.0)
    if mode is not Mode.OPEN:
        lab.fail(0.0, 0.0)
    before, told = lab.breaker.statistics(0.0), list(lab.told)
    lab.breaker.override(mode, 0.0)
    assert lab.breaker.statistics(0.0) == before
    assert lab.told == told


def test_auto_on_an_open_breaker_changes_nothing() -> None:
    """Saying `auto` to a breaker that rules itself does not end its cooldown."""
    lab = tripped()
    lab.breaker.override(Mode.AUTO, 10.0)
    assert lab.refused(10.0).wait == 20.0


# --- What it shows


def test_a_repr_tells_the_state() -> None:
    """Breaker and permit say at a glance how they stand."""
    lab = Lab()
    permit = lab.admitted(0.0)
    assert repr(lab.breaker) == "<Breaker closed mode=auto generation=0>"
    assert repr(permit) == "<Permit generation=0 held>"
    lab.settle(permit, SUCCESS, 0.0)
    assert repr(permit) == "<Permit generation=0 returned>"


def test_statistics_are_frozen() -> None:
    """Statistics are a picture: what happens later does not change them."""
    lab = Lab()
    before = lab.breaker.statistics(0.0)
    copy = replace(before)
    lab.fail(*[0.0] * 5)
    assert before == copy


def test_only_a_forced_breaker_says_operator() -> None:
    """Given back to itself it probes, and a refused probe is told of no operator any more."""
    breaker = Breaker(BreakerPolicy(max_probes=1), lambda _: None)
    breaker.override(Mode.OPEN, 0.0)
    assert breaker.admit(1.0) == Refusal("operator", None)
    breaker.override(Mode.AUTO, 2.0)
    assert isinstance(breaker.admit(3.0), Permit)
    assert breaker.admit(4.0) == Refusal("failures", 1.0)


# What the provider says, and how often it has come to this

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
    """Of the words of the failures in the window and the configured time, at most the longest allowed."""
    lab = Lab(HEARS)
    for word in words:
        lab.fail(0.0, told=word)
    assert left(lab, 0.0) == seconds


def test_a_word_ages_with_its_failure() -> None:
    """What a failure outside the window was told counts no more; inside, it counts from when it was told."""
    lab = Lab(HEARS)
    lab.fail(0.0, told=100.0)
    lab.fail(10.0, told=40.0)
    assert lab.state(10.0) is State.CLOSED
    lab.fail(15.0)
    assert left(lab, 15.0) == 35.0


def test_a_probes_word_is_its_own() -> None:
    """In half-open the cooldown is what the probe that failed was told."""
    lab, now = half_open(HEARS)
    lab.settle(lab.admitted(now), OVERLOAD, now, 200.0)
    assert left(lab, now) == 200.0
    assert lab.told[-1].because == "a probe failed: 503; it asks for 200 s"


def test_only_failures_are_heard() -> None:
    """Successes and neutrals carry no word, and a second settle none either."""
    lab = Lab(HEARS)
    for evidence in (SUCCESS, NEUTRAL):
        permit = lab.admitted(0.0)
        lab.settle(permit, evidence, 0.0, 100.0)
    lab.settle(permit, OVERLOAD, 0.0, 100.0)
    lab.fail(0.0, 0.0)
    assert left(lab, 0.0) == 30.0


@pytest.mark.parametrize("evidence", [SUCCESS, NEUTRAL])
def test_what_is_no_failure_extends_nothing(evidence: Evidence) -> None:
    """A success or neutral of a request from before it opened carries no word."""
    lab = Lab(HEARS)
    late = lab.admitted(0.0)
    lab.fail(0.0, 0.0)
    lab.settle(late, evidence, 5.0, 200.0)
    assert left(lab, 5.0) == 25.0


def test_a_later_longer_word_extends_and_no_word_cuts() -> None:
    """Requests from before it opened may still tell of a later time, each once."""
    lab = Lab(HEARS)
    late = [lab.admitted(0.0) for _ in range(4)]
    lab.fail(0.0, 0.0)
    for permit, told, seconds in zip(late, (60.0, 10.0, None, 1000.0), (60.0, 60.0, 60.0, 300.0), strict=True):
        lab.settle(permit, OVERLOAD, 5.0, told)
        assert left(lab, 5.0) == seconds
    lab.settle(late[0], OVERLOAD, 6.0, 290.0)
    assert left(lab, 6.0) == 299.0
    assert lab.breaker.next_due() == 305.0
    assert lab.breaker.statistics(6.0).trips == 1


def test_a_word_moves_no_other_state() -> None:
    """A stale failure's word neither ends half-open nor closes, and forced states have no time at all."""
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
    """Each is a quarter longer, up to one and a half times; the first is what is configured."""
    lab = tripped(HEARS)
    assert left(lab, 0.0) == 30.0
    assert again(lab, 3) == [37.5, 45.0, 45.0]


def test_a_longest_cooldown_below_the_stretch_is_the_bound() -> None:
    """Lengthening ends there, too; and at or below the configured one nothing is lengthened or heard."""
    assert again(tripped(BreakerPolicy(threshold=2, longest_cooldown=40.0)), 3) == [37.5, 40.0, 40.0]
    assert again(tripped(PLAIN), 3) == [30.0] * 3
    lab = Lab(PLAIN)
    lab.fail(*[0.0] * 5, told=100.0)
    assert left(lab, 0.0) == 30.0


def test_chance_lengthens_by_a_fifth_at_most() -> None:
    """All but the first, so that many bridges do not probe together."""
    told: list[Transition] = []
    breaker = Breaker(HEARS, told.append, 0.0, lambda: 0.5)
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
    """Each spell closed, as long as the configured cooldown, takes back one; an operator's word all."""
    lab = tripped(HEARS)
    again(lab, 1)
    for _ in range(3):
        lab.settle(lab.admitted(67.5), SUCCESS, 67.5)
    assert lab.state(67.5) is State.CLOSED
    lab.fail(67.5 + healthy, 67.5 + healthy)
    assert left(lab, 67.5 + healthy) == seconds


def test_an_override_forgets_trips_in_a_row() -> None:
    """Who takes over begins anew."""
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
    """A first trip speaks of no trips in a row, wherever the clock stands."""
    lab = Lab(BreakerPolicy(threshold=1, cooldown=cooldown))
    lab.fail(now)
    assert lab.told[0].because == "1 failure in 10 s, last 503"


def test_what_lengthens_a_cooldown_is_told() -> None:
    """The longer of both is named, with its length: the provider's word, or trips in a row."""
    lab = tripped(HEARS)
    lab.fail(30.0)
    assert lab.told[-1].because == "a probe failed: 503; trip 2 in a row, for 37.5 s"
    lab.fail(67.5, told=44.0)
    assert lab.told[-1].because == "a probe failed: 503; trip 3 in a row, for 45 s"
    lab.fail(112.5, told=50.0)
    assert lab.told[-1].because == "a probe failed: 503; it asks for 50 s"


# The way back

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
    """A tenth, in the middle a little more than half, and at the end all."""
    lab, now = recovered()
    assert [admitted(lab, now + passed) for passed in (0.0, 50.0, 100.0, 1000.0)] == [10, 55, 100, 100]
    assert lab.breaker.statistics(now + 50.0).share == 0.55


def test_whom_a_ramp_refuses_comes_within_what_is_left() -> None:
    """Some time in it, by chance, but a second at least; it is closed all the same, and lets pass what may."""
    lab, now = recovered()
    lab.admitted(now)
    assert lab.refused(now) == Refusal("ramp", 1.0)
    lab.breaker._chance = lambda: 0.5
    assert lab.refused(now + 20.0) == Refusal("ramp", 40.0)
    assert lab.state(now) is State.CLOSED
    assert lab.breaker.refusal(now) is None


def test_failures_in_a_ramp_trip_as_ever_and_end_it() -> None:
    """The next half-open is none, and what closes by an operator's word has none either."""
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
    """Forced closed admits all, and so does the way back from it."""
    lab, now = recovered()
    lab.breaker.override(Mode.CLOSE, now)
    assert admitted(lab, now) == 100


# --- What may be one caller's own doing

LIMITED = Evidence(Verdict.FAILURE, "429", overload=True, quota=True, caller_related=True)
LATE = Evidence(Verdict.FAILURE, "no head in time", caller_related=True)


@pytest.mark.parametrize("evidence", [LIMITED, LATE])
def test_one_callers_own_failures_open_nothing_while_another_is_answered(evidence: Evidence) -> None:
    """However many, for however long, as long as another caller's success lies in the window."""
    lab = Lab()
    for now in range(0, 3600, 9):
        lab.meet("other", SUCCESS, now)
        lab.meet("one", evidence, *[now + 8.5] * 20, told=300.0)
    assert lab.path == []
    assert lab.breaker.statistics(3600.0).failures_in_window == 0


@pytest.mark.parametrize("evidence", [LIMITED, LATE])
@pytest.mark.parametrize("who", ["none", "the same", "long ago", "neutral", "failed"])
def test_with_no_other_caller_there_they_trip_as_ever(evidence: Evidence, who: str) -> None:
    """Another caller is there only if it was answered, and in the window."""
    lab = Lab()
    match who:
        case "the same":
            lab.meet("one", SUCCESS, 9.0)
        case "long ago":
            lab.meet("other", SUCCESS, 0.0)
        case "neutral":
            lab.meet("other", NEUTRAL, 9.0)
        case "failed":
            lab.meet("other", OVERLOAD, 9.0)
    lab.meet("one", evidence, 10.0, 10.0, 10.0, 10.0)
    if who != "failed":
        assert lab.path == []
        lab.meet("one", evidence, 10.0)
    assert lab.path == ["open"]


def test_others_failures_always_count() -> None:
    """503s open it, whoever meets them and whoever is answered."""
    lab = Lab()
    lab.meet("other", SUCCESS, 0.0)
    lab.meet("one", LIMITED, *[0.0] * 20)
    lab.meet("one", OVERLOAD, 1.0, 1.0, 1.0, 1.0)
    assert lab.path == []
    lab.meet("one", BROKEN, 1.0)
    assert lab.path == ["open"]


def test_own_failures_do_not_push_others_out_of_the_window() -> None:
    """What does not count takes no room from what does."""
    lab = Lab()
    lab.meet("other", SUCCESS, 0.0)
    lab.fail(1, 1, 1, 1)
    lab.meet("one", LIMITED, *[2.0] * 50)
    lab.fail(3)
    assert lab.path == ["open"]


def test_two_callers_own_failures_count() -> None:
    """Then it is no longer what one caller meets, and all of them count."""
    lab = Lab()
    lab.meet("third", SUCCESS, 0.0)
    lab.meet("one", LIMITED, 1, 1, 1, 1, 1, 1)
    assert lab.path == []
    lab.meet("two", LIMITED, 2)
    assert lab.told[-1].because == "5 failures in 10 s, last 429"


def test_failures_of_long_ago_make_no_second_caller() -> None:
    """Another caller's own failure ages with the window."""
    lab = Lab()
    lab.meet("two", LIMITED, 0)
    lab.meet("third", SUCCESS, 9)
    lab.meet("one", LIMITED, *[10] * 9)
    assert lab.path == []


def test_what_does_not_count_says_nothing_of_when_to_come_back() -> None:
    """Where 503s open it, one caller's 300 s are its own; so are those of a request from before."""
    lab = Lab(BreakerPolicy())
    slow = lab.admitted(0.0, "one")
    lab.meet("other", SUCCESS, 0.0)
    lab.meet("one", LIMITED, 1, 1, told=300.0)
    lab.fail(*[2] * 5)
    lab.settle(slow, LIMITED, 3.0, told=300.0)
    assert lab.breaker.statistics(3.0).cooldown_left == 29.0


def test_one_caller_does_not_keep_it_open() -> None:
    """Half-open, one caller's own failures are no verdict if others were refused meanwhile: those may probe."""
    lab = Lab(BreakerPolicy())
    lab.meet("one", LIMITED, *[0] * 5, told=300.0)
    assert lab.refused(10.0, "other").wait == 290.0
    lab.meet("one", LIMITED, 300, 301, 302, told=300.0)
    assert lab.state(303) is State.HALF_OPEN
    lab.meet("other", SUCCESS, 340, 341)
    lab.meet("one", LIMITED, 342, told=300.0)
    lab.meet("other", SUCCESS, 343)
    lab.meet("one", LIMITED, *[343] * 9, told=300.0)
    assert lab.state(343) is State.CLOSED


def test_one_caller_alone_reopens_it() -> None:
    """With nobody else there its own failures are all that is known."""
    lab = Lab(BreakerPolicy())
    lab.meet("one", LIMITED, *[0] * 5)
    lab.refused(10.0, "one")
    lab.meet("one", LIMITED, 30)
    assert lab.path == ["open", "half-open", "open"]


def test_who_was_refused_is_expected_for_so_long() -> None:
    """Until the moment it was told, a fifth of chance and a window later; then nobody else is there."""
    lab = Lab(BreakerPolicy())
    lab.fail(*[0] * 5)
    lab.refused(10.0, "other")  # 20 s: from 30 to 34 s
    lab.meet("one", LIMITED, 43.75)
    assert lab.state(43.75) is State.HALF_OPEN
    lab.meet("one", LIMITED, 44)
    assert lab.state(44) is State.OPEN


def test_two_callers_reopen_it() -> None:
    """Both of them meet it: it is the provider."""
    lab = Lab(BreakerPolicy())
    lab.fail(*[0] * 5)
    lab.refused(10.0, "one")
    lab.refused(10.0, "two")
    lab.meet("one", LIMITED, 31)
    assert lab.state(31) is State.HALF_OPEN
    lab.meet("two", LIMITED, 32)
    assert lab.state(32) is State.OPEN


def test_a_callers_refusal_is_forgotten_when_it_closes() -> None:
    """In closed only answers show that another is there."""
    lab = Lab(BreakerPolicy())
    lab.fail(*[0] * 5)
    lab.refused(29.0, "other")
    lab.meet("one", SUCCESS, 30, 30, 30)
    lab.meet("one", LIMITED, *[31] * 5)
    assert lab.state(31) is State.OPEN


def test_in_a_row_is_forgotten_with_health() -> None:
    """What is told of trips in a row grows less while it is closed, one for each cooldown."""
    lab = Lab(BreakerPolicy())
    now = 0.0
    for _ in range(100):
        while lab.state(now) is not State.OPEN:
            lab.fail(now)
        now += lab.breaker.statistics(now).cooldown_left or 0.0
    assert lab.breaker.statistics(now).in_a_row == 100
    for _ in range(3):
        lab.settle(lab.admitted(now), SUCCESS, now)
    told = [lab.breaker.statistics(now + seconds).in_a_row for seconds in (0, 29, 30, 90, 30 * 63, 30 * 64, 1e9)]
    assert told == [100, 100, 99, 97, 37, 0, 0]
