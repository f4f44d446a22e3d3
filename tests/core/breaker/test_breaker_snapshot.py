"""A breaker that is saved and restored decides as one that ran on."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibridge_trio.core.breaker.breaker import Breaker, Mode, Refusal, State, Transition
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS
from tests.support.breaker_lab import BROKEN, OVERLOAD

POLICY = BreakerPolicy(threshold=2, ramp=20.0)
EVIDENCE = st.sampled_from([SUCCESS, NEUTRAL, BROKEN, OVERLOAD])


def seconds(least: int, most: int) -> st.SearchStrategy[float]:
    """Times whose sums are exact, whatever the clock."""
    return st.integers(8 * least, 8 * most).map(lambda eighths: eighths / 8)


# A pause, then a request that is judged so, with the provider's retry hint.
STEPS = st.lists(
    st.tuples(seconds(0, 40), EVIDENCE, st.one_of(st.none(), seconds(0, 400))), min_size=1, max_size=30
)


class Driven:
    """A breaker on a clock of its own."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.changes: list[Transition] = []
        self.breaker = Breaker(POLICY, self.changes.append, start)

    def step(self, now: float, evidence: object, hint: float | None) -> object:
        """Send a request and judge it; return what the breaker says of it."""
        now += self.start
        answer = self.breaker.admit(now)
        if isinstance(answer, Permit):
            self.breaker.settle(answer, evidence, now, hint)  # type: ignore[arg-type]
        return answer if isinstance(answer, Refusal) else None

    def shown(self, now: float) -> object:
        """Return its statistics, relative to its clock; the trips of a process are its own."""
        found = self.breaker.statistics(now + self.start)
        return replace(found, since=found.since - self.start, trips=0)


@given(before=STEPS, gap=seconds(30, 900), after=STEPS)
@settings(max_examples=300, deadline=None)
def test_restored_it_decides_as_if_it_had_run_on(
    before: list[tuple[float, object, float | None]],
    gap: float,
    after: list[tuple[float, object, float | None]],
) -> None:
    """Whatever happened before, and however long the restart took: the same refusals, waits, trips and states."""
    old, now = Driven(1000.0), 0.0
    for pause, evidence, hint in before:
        now += pause
        old.step(now, evidence, hint)
    saved = json.loads(json.dumps(old.breaker.snapshot(now + old.start)))
    now += gap  # longer than the window, and than probes may take
    new = Driven(5.0)
    new.breaker.restore(saved, now + new.start, gap)
    assert new.shown(now) == old.shown(now)
    for pause, evidence, hint in after:
        now += pause
        assert new.step(now, evidence, hint) == old.step(now, evidence, hint)
        assert new.shown(now) == old.shown(now)


def tripped(now: float) -> Breaker:
    """Return a breaker that is open for 30 s."""
    breaker = Breaker(POLICY, lambda _: None)
    for _ in range(2):
        permit = breaker.admit(now)
        assert isinstance(permit, Permit)
        breaker.settle(permit, BROKEN, now)
    return breaker


def test_an_open_breaker_stays_open_for_the_rest() -> None:
    """The time that the restart takes counts; that is no trip."""
    saved = tripped(100.0).snapshot(110.0)
    changes: list[Transition] = []
    restored = Breaker(POLICY, changes.append)
    restored.restore(saved, 7.0, 5.0)
    assert restored.refusal(7.0) == Refusal("failures", 15.0)
    assert changes == [Transition(State.CLOSED, State.OPEN, "as before the restart", trip=False)]
    assert restored.next_due() == 22.0
    assert restored.statistics(22.0).state is State.HALF_OPEN
    assert restored.statistics(22.0).in_a_row == 1


def test_a_cooldown_that_ended_meanwhile_leads_to_probes() -> None:
    """Not to all requests: it is not known that the provider is well."""
    restored = Breaker(POLICY, lambda _: None)
    restored.restore(tripped(100.0).snapshot(110.0), 7.0, 20.0)
    assert restored.statistics(7.0).state is State.HALF_OPEN


@pytest.mark.parametrize(("mode", "state"), [(Mode.OPEN, State.HALF_OPEN), (Mode.CLOSE, State.CLOSED)])
def test_an_override_ends_with_its_process(mode: Mode, state: State) -> None:
    """The breaker is restored as if its operator had set it to automatic."""
    forced = Breaker(POLICY, lambda _: None)
    forced.override(mode, 1.0)
    restored = Breaker(POLICY, lambda _: None)
    restored.restore(forced.snapshot(2.0), 0.0, 1.0)
    assert (restored.statistics(0.0).mode, restored.statistics(0.0).state) == (Mode.AUTO, state)


@pytest.mark.parametrize(
    "wrong", [{"state": "ajar"}, {"state": None}, {"left": -1}, {"age": math.inf}, {"trips_in_a_row": "1"}]
)
def test_what_is_no_snapshot_is_refused(wrong: dict[str, object]) -> None:
    """A file that was changed by hand does not confuse a breaker."""
    restored = Breaker(POLICY, lambda _: None)
    with pytest.raises(ValueError, match=r"is no number|is not a valid State"):
        restored.restore({**tripped(100.0).snapshot(110.0), **wrong}, 0.0, 1.0)
