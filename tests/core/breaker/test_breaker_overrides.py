from __future__ import annotations

import pytest

from aibridge_trio.core.breaker.breaker import Mode, Refusal, State
from aibridge_trio.core.breaker.verdict import SUCCESS
from tests.support.breaker_lab import OVERLOAD, Lab, tripped


def test_forced_open_has_no_timer() -> None:
    """Forced open refuses all requests without a wait, for ever."""
    lab = Lab()
    lab.breaker.override(Mode.OPEN, 0.0)
    for now in (0.0, 30.0, 1e6):
        assert lab.refused(now) == Refusal("operator", None)
        assert lab.breaker.refusal(now) == Refusal("operator", None)
    assert lab.breaker.next_due() == float("inf")
    assert lab.breaker.statistics(1e6).cooldown_left is None
    assert lab.path == ["open"]


def test_forcing_open_an_open_breaker_stops_its_timer() -> None:
    """Forcing an open breaker open is no transition, and its cooldown no longer ends."""
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
    assert lab.transitions == []


def test_forced_closed_ends_a_cooldown() -> None:
    """An operator may close an open breaker before its cooldown ends."""
    lab = tripped()
    lab.breaker.override(Mode.CLOSE, 1.0)
    lab.admitted(1.0)
    lab.breaker.advance(31.0)
    assert lab.path == ["open", "closed"]


def test_auto_leads_from_forced_open_to_half_open() -> None:
    """In automatic mode a breaker that was forced open begins to probe."""
    lab = Lab()
    lab.breaker.override(Mode.OPEN, 0.0)
    lab.breaker.override(Mode.AUTO, 5.0)
    assert lab.path == ["open", "half-open"]
    for permit in [lab.admitted(5.0) for _ in range(3)]:
        lab.settle(permit, SUCCESS, 5.0)
    assert lab.path == ["open", "half-open", "closed"]


def test_auto_leads_from_forced_closed_to_closed_and_empty() -> None:
    """In automatic mode a breaker that was forced closed has an empty window."""
    lab = Lab()
    lab.breaker.override(Mode.CLOSE, 0.0)
    lab.fail(*[0.0] * 20)
    lab.breaker.override(Mode.AUTO, 0.0)
    assert lab.breaker.statistics(0.0).failures_in_window == 0
    lab.fail(*[0.0] * 4)
    assert lab.transitions == []


def test_overrides_begin_a_new_generation() -> None:
    """Evidence of requests from before an override does not count after it."""
    lab = Lab()
    old = [lab.admitted(0.0) for _ in range(5)]
    lab.breaker.override(Mode.CLOSE, 0.0)
    lab.breaker.override(Mode.AUTO, 0.0)
    for permit in old:
        lab.settle(permit, OVERLOAD, 0.0)
    assert lab.transitions == []


def test_overrides_are_no_trips() -> None:
    """No override touches the count of trips."""
    lab = tripped()
    for mode in (Mode.OPEN, Mode.CLOSE, Mode.OPEN, Mode.AUTO, Mode.CLOSE, Mode.AUTO):
        lab.breaker.override(mode, 1.0)
    assert lab.breaker.statistics(1.0).trips == 1
    assert [change.trip for change in lab.transitions] == [True, False, False, False, False]


@pytest.mark.parametrize("mode", list(Mode))
def test_the_mode_that_it_has_changes_nothing(mode: Mode) -> None:
    """Repeating an override changes nothing: counts, generation and timers stay."""
    lab = Lab()
    lab.breaker.override(mode, 0.0)
    if mode is not Mode.OPEN:
        lab.fail(0.0, 0.0)
    before, transitions = lab.breaker.statistics(0.0), list(lab.transitions)
    lab.breaker.override(mode, 0.0)
    assert lab.breaker.statistics(0.0) == before
    assert lab.transitions == transitions


def test_auto_on_an_open_breaker_changes_nothing() -> None:
    """An override to `auto` does not end an automatic breaker's cooldown."""
    lab = tripped()
    lab.breaker.override(Mode.AUTO, 10.0)
    assert lab.refused(10.0).wait == 20.0
