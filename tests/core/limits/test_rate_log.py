"""The log of one caller: exact for small amounts, and never too generous for large ones."""

from __future__ import annotations

from bisect import insort

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.rate_log import RESOLUTION, RateLog, width

STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "drop", "look"]), st.integers(0, 6), st.integers(1, 30)),
    max_size=80,
)


@given(STEPS)
def test_without_slices_it_is_a_list_of_times(steps: list[tuple[str, int, int]]) -> None:
    """Each time stands for itself, and is forgotten exactly a span later."""
    log, model, now = RateLog(), list[float](), 0.0
    for step, ticks, which in steps:
        now += ticks / 4
        model = [time for time in model if time + 3.0 > now]
        assert log.expire(now, 3.0) == len(model)
        if step == "add":
            log.add(now, 0.0)
            model.append(now)
        elif step == "remove":
            at = now - which / 4
            log.remove(at, 0.0)
            if at in model:
                model.remove(at)
        elif step == "drop" and model:
            log.drop_first()
            del model[0]
        assert [log.at(index) for index in range(len(model))] == model == list(log.times)
        assert bool(log) == bool(model)


@given(STEPS, st.integers(1, 5))
def test_with_slices_a_time_counts_for_a_slice_longer_at_most(
    steps: list[tuple[str, int, int]], wide: int
) -> None:
    """Never too short, so that no span ever has more than its amount; and the log stays small."""
    log, model, now, span = RateLog(), list[float](), 0.0, 5.0
    for _, ticks, many in steps:
        now += ticks / 4
        for _ in range(many):
            log.add(now, wide / 4)
            insort(model, now)
        counted = log.expire(now, span)
        assert sum(time + span > now for time in model) <= counted
        assert counted <= sum(time + span + wide / 4 > now for time in model)
        assert len(log.times) <= span / (wide / 4) + 2
        assert all(log.at(index) >= time for index, time in enumerate(model[len(model) - counted :]))


def test_a_time_in_a_slice_can_be_taken_away() -> None:
    """One of those it stands for; a time that is not known any more changes nothing."""
    log = RateLog()
    for time in (0.0, 0.5, 0.75, 2.0):
        log.add(time, 1.0)
    assert list(log.times) == [0.75, 2.0]
    log.remove(0.5, 1.0)
    assert [log.at(index) for index in range(log.total)] == [0.75, 0.75, 2.0]
    log.remove(0.0, 1.0)
    log.remove(0.75, 1.0)
    assert (list(log.times), log.total) == ([2.0], 1)
    log.remove(0.5, 1.0)
    assert repr(log) == "<RateLog total=1 entries=1>"


def test_a_log_begins_to_slice_when_its_rate_grows() -> None:
    """What was counted one by one stays so."""
    log = RateLog()
    for time in (0.0, 0.25, 0.5):
        log.add(time, 0.0)
    for time in (1.0, 1.25):
        log.add(time, 0.5)
    assert (list(log.times), log.total) == ([0.0, 0.25, 0.5, 1.25], 5)
    assert log.expire(1.25, 1.0) == 3


def test_amounts_above_the_resolution_are_sliced() -> None:
    """Up to it, each time is kept."""
    assert width(RESOLUTION, 3600.0) == 0.0
    assert width(RESOLUTION + 1, 3600.0) == 3600.0 / RESOLUTION
