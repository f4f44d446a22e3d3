"""Logs of uses, and turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.sharing.ledger_uses import MOST_TURNS, Turns, UseLog, name_of, next_turn


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=40), st.sampled_from([1.0, 2.5, 10.0]))
def test_a_log_is_exact(steps: list[tuple[float, int]], span: float) -> None:
    """What lies in (now − span, now] counts, and nothing else."""
    log, naive, now = UseLog(), list[tuple[float, int]](), 100.0
    for later, count in steps:
        now += later
        log.expire(now, span)
        log.count(now, count, 10, span)
        naive.append((now, count))
        assert log.total == sum(each for at, each in naive if at + span > now)


@pytest.mark.parametrize("many", [600, 5_000])
def test_many_entries_are_joined_and_count_too_long_never_too_short(many: int) -> None:
    """By a 256th of the span, or a 64th."""
    for settle, width in ((False, 1 / 256), (True, 1 / 64)):
        log, times = UseLog(), [100.0 + index / many for index in range(many)]
        for now in times:
            if settle:
                log.settle(now, 1, 1.0)
            else:
                log.count(now, 1, 1_000, 1.0)
        assert len(log.times) <= 260
        for now in (101.2, 101.5, 101.9):
            exact = sum(at + 1.0 > now for at in times)
            assert exact <= log.expire(now, 1.0) <= exact + many * width + 2


def test_a_use_is_taken_away() -> None:
    """Joined or not; one that is over already takes nothing."""
    log = UseLog()
    for now in (1.0, 2.0, 2.0):
        log.count(now, 1, 10, 10.0)
    log.uncount(2.0)
    log.uncount(1.0)
    assert (log.times, log.counts, log.total) == ([2.0], [1], 1)
    log.uncount(3.0)
    assert log.total == 1
    log.uncount(2.0)
    assert (log.times, log.total, log.reset(3.0, 10.0)) == ([], 0, 0.0)


def test_turns_come_behind_others_and_apart() -> None:
    """Each refused one comes later than the one before it; at most a minute away."""
    log, turns, found = UseLog(), Turns(), []
    for now in (0.0, 0.9):
        log.count(now, 1, 2, 1.0)
    for _ in range(4):
        found.append(next_turn(log, turns, 0, ["r", 2, 1.0, 1], 0.9))
        turns.add(found[-1], 1)
    assert found == pytest.approx([1.0, 1.9, 2.425, 2.95])
    for _ in range(500):
        turns.add(next_turn(log, turns, 0, ["r", 2, 1.0, 1], 0.9), 1)
    assert turns.times[-1] == 60.9
    assert len(turns.times) == MOST_TURNS
    turns.expire(60.9)
    assert not turns.times


def test_running_uses_are_waited_for() -> None:
    """They end now at the earliest, and leave a span after that."""
    log = UseLog()
    log.settle(5.0, 40, 10.0)
    assert next_turn(log, Turns(), 60, ["r", 100, 10.0, 40], 6.0) == 15.0
    assert next_turn(log, Turns(), 60, ["r", 100, 10.0, 41], 6.0) == 16.0
    assert next_turn(log, Turns(), 0, ["r", 0, 10.0, 5], 6.0) == 15.0


def test_a_name_has_the_span() -> None:
    """Another span counts anew."""
    assert name_of("a", 60.0) == "60:a"
    assert name_of("a", 0.1) == "0.1:a"
