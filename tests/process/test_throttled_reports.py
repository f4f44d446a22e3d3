"""Items are reported at once, then at most once a second, and every item is counted."""

from __future__ import annotations

from itertools import pairwise

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.process.throttled_reports import Throttled


async def test_the_first_is_reported_at_once_and_the_rest_in_time(autojump_clock: MockClock) -> None:
    """A burst is two tellings: its first, and a second later its last, with the count of all but the first."""
    told: list[tuple[float, int, int]] = []
    began = trio.current_time()
    repeats = Throttled[int](lambda what, count: told.append((trio.current_time() - began, what, count)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(repeats.run)
        await trio.testing.wait_all_tasks_blocked()
        for n in range(10):
            repeats.add(n)
        await trio.sleep(3)
        repeats.add(10)
        assert told == [(0, 0, 1), (1, 9, 9), (3, 10, 1)]
        nursery.cancel_scope.cancel()


async def test_at_the_end_nothing_is_kept_back(autojump_clock: MockClock) -> None:
    """A delayed item is reported when `run` is cancelled."""
    told: list[tuple[str, int]] = []
    repeats = Throttled[str](lambda what, count: told.append((what, count)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(repeats.run)
        await trio.testing.wait_all_tasks_blocked()
        repeats.add("a")
        repeats.add("b")
        nursery.cancel_scope.cancel()
    assert told == [("a", 1), ("b", 1)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 3), max_size=30))
def test_never_twice_within_a_second_and_none_forgotten(pauses: list[float]) -> None:
    """Whenever they come: tellings are a second apart, and their counts add up."""
    told: list[tuple[float, int]] = []

    async def play() -> None:
        repeats = Throttled[int](lambda _, count: told.append((trio.current_time(), count)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(repeats.run)
            for n, pause in enumerate(pauses):
                await trio.sleep(pause)
                repeats.add(n)
            await trio.sleep(2)
            nursery.cancel_scope.cancel()

    trio.run(play, clock=MockClock(autojump_threshold=0))
    times = [at for at, _ in told]
    assert all(after - before > 0.999 for before, after in pairwise(times))
    assert sum(count for _, count in told) == len(pauses)
