"""When slots become free: tables, and a comparison with a simulation of steady service."""

from __future__ import annotations

import math
from heapq import heapify, heapreplace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.limits.release_rate import ReleaseRate


def known(slots: int, *held: float) -> ReleaseRate:
    """Return an estimate that has seen slots held for these times."""
    rate = ReleaseRate(slots)
    for number, seconds in enumerate(held):
        rate.acquired(number, 0.0)
        rate.released(number, seconds, counts=True)
    return rate


def taken(rate: ReleaseRate, *since: float) -> ReleaseRate:
    """Let slots be acquired at these times."""
    for number, at in enumerate(since):
        rate.acquired(f"holder {number}", at)
    return rate


def test_nothing_is_known_before_the_first() -> None:
    """Without a slot that was given back, or without a limit, nothing is expected."""
    assert ReleaseRate(4).pace(10.0) is None
    assert ReleaseRate(4).expected_wait(3, 10.0) is None
    unlimited = known(0, 1.0)
    assert (unlimited.pace(1.0), unlimited.expected_wait(1, 1.0)) == (None, None)


def test_the_example_of_ten_slots_taken_together() -> None:
    """Ten slots of three seconds, taken together, and one that comes 2.6 s later, as the eleventh in the queue."""
    rate = taken(known(10, 3.0), *[100.0] * 10)
    assert [rate.expected_wait(turns, 102.6) for turns in (1, 10, 11)] == pytest.approx([0.4, 0.4, 3.4])


@pytest.mark.parametrize(("slots", "held", "pace"), [(1, [2.0], 0.5), (4, [2.0], 2.0), (2, [1.0, 3.0, 2.0], 1.0)])
def test_the_pace_is_slots_by_how_long_they_are_held(slots: int, held: list[float], pace: float) -> None:
    """As many as there are become free in the time for which one is usually held."""
    assert known(slots, *held).pace(0.0) == pace


def test_one_stream_of_an_hour_changes_nothing() -> None:
    """Neither when it has ended nor while it lasts: its slot is one that does not become free."""
    ended = taken(known(2, 3.0, 3.0, 3600.0), 5000.0, 5000.0)
    assert (ended.expected_wait(2, 5000.0), ended.pace(5000.0)) == (3.0, 2 / 3)
    lasts = taken(known(2, 3.0), 0.0, 600.0)
    assert [lasts.expected_wait(turns, 601.0) for turns in (1, 2, 3)] == [2.0, 5.0, 8.0]


def test_a_second_long_stream_is_not_yet_usual() -> None:
    """Of two the shorter counts: rather an optimistic guess than a refusal for nothing."""
    assert taken(known(1, 3600.0, 3.0), 0.0).expected_wait(1, 1.0) == 2.0


def test_a_stall_is_seen_when_it_lasts() -> None:
    """Silence for less than usual is none; then what is late is expected to be late as long again."""
    rate = taken(known(2, 3.0), 0.0, 0.0)
    assert [rate.expected_wait(1, now) for now in (0.0, 2.5, 3.0, 4.0, 30.0)] == [3.0, 0.5, 0.0, 1.0, 27.0]
    assert [rate.pace(now) for now in (0.0, 2.9, 3.0, 30.0)] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2 / 30])
    rate.released("holder 0", 30.0, counts=False)
    assert rate.pace(30.0) == 2 / 3
    rate.acquired("another", 30.0)
    assert (rate.expected_wait(1, 30.0), rate.pace(30.0)) == (3.0, 2 / 3)


def test_a_slot_that_is_no_sample_is_free_all_the_same() -> None:
    """A refused holder's slot is free but no sample; a holder that never acquired one changes nothing."""
    rate = taken(known(1, 1.0), 0.0)
    rate.released("holder 0", 60.0, counts=False)
    assert (rate.pace(60.0), rate.expected_wait(1, 60.0)) == (1.0, 0.0)
    rate.released("unknown", 60.0, counts=True)
    assert rate.pace(60.0) == 1.0


def test_the_last_ones_count() -> None:
    """After a change thirty-two departures later nothing of before is left; half of them decide."""
    assert known(1, *[60.0] * 100, *[2.0] * 16).pace(0.0) == 0.5
    assert known(1, *[60.0] * 100, *[2.0] * 15).pace(0.0) == 1 / 60
    assert known(1, *[2.0] * 100, *[60.0] * 17).pace(0.0) == 1 / 60


def test_no_time_is_no_pace() -> None:
    """What was held for no time at all makes no infinity."""
    rate = known(1, 0.0)
    assert (rate.pace(5.0), rate.expected_wait(9, 5.0)) == (None, 0.0)
    assert repr(rate) == "<ReleaseRate slots=1 held=0 known=1>"


def truth(free: list[float], held: list[float]) -> list[float]:
    """Return when each turn comes, if these slots become free then and each turn holds one for its time."""
    free = sorted(free)
    heapify(free)
    turns = []
    for seconds in held:
        turns.append(free[0])
        heapreplace(free, free[0] + seconds)
    return turns


@given(
    usual=st.floats(0.1, 100),
    ages=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=12),
    turns=st.integers(1, 60),
)
def test_of_steady_service_the_truth_is_known(usual: float, ages: list[float], turns: int) -> None:
    """If all are held for the same time, each turn is foreseen, whenever they were taken."""
    now = 1000.0
    rate = taken(known(len(ages), usual), *sorted(now - age * usual for age in ages))
    expected = truth([usual * (1 - age) for age in ages], [usual] * turns)
    assert [rate.expected_wait(turn, now) for turn in range(1, turns + 1)] == pytest.approx(expected, abs=1e-6)


@given(
    held=st.lists(st.floats(0.9, 1.1), min_size=32, max_size=32),
    slots=st.lists(st.tuples(st.floats(0.9, 1.1), st.floats(0, 1)), min_size=1, max_size=12),
    to_come=st.lists(st.floats(0.9, 1.1), min_size=1, max_size=60),
)
@example(held=[0.9] * 32, slots=[(1.1, 1.0)], to_come=[1.1] * 60)
def test_of_nearly_steady_service_the_truth_is_nearly_known(
    held: list[float], slots: list[tuple[float, float]], to_come: list[float]
) -> None:
    """Times that differ by a tenth of a second make each round of slots wrong by two tenths at most."""
    now = 1000.0
    taken_at = [now - part * seconds for seconds, part in slots]
    rate = taken(known(len(slots), *held), *sorted(taken_at))
    free = [at + seconds - now for at, (seconds, _) in zip(taken_at, slots, strict=True)]
    for turn, true in enumerate(truth(free, to_come), 1):
        rounds = math.ceil(turn / len(slots))
        assert rate.expected_wait(turn, now) == pytest.approx(true, abs=0.2 * rounds + 1e-6)
