"""Waits that are all equally patient: exact ends, whatever begins and ends in between."""

from __future__ import annotations

import math

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.net.deadline import Deadline


class Waiter:
    """Notes when it was given up."""

    def __init__(self) -> None:
        self.expired: list[float] = []

    def expire(self) -> None:
        self.expired.append(trio.current_time())


async def test_a_wait_ends_when_it_is_due_and_not_before(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A wait expires exactly on time, also one that began while there was no other."""
    deadline, waiter = Deadline(10), Waiter()
    nursery.start_soon(deadline.run)
    await trio.sleep(3)
    deadline.begin(waiter)
    await trio.sleep(9.99)
    assert waiter.expired == []
    await trio.sleep(0.02)
    assert waiter.expired == [13]
    assert deadline.statistics() == 0


async def test_who_ended_in_time_is_left_alone(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """And may end twice, or begin again with all of its time."""
    deadline, waiter = Deadline(10), Waiter()
    nursery.start_soon(deadline.run)
    for _ in range(5):
        deadline.begin(waiter)
        await trio.sleep(9)
        deadline.end(waiter)
        deadline.end(waiter)
    await trio.sleep(100)
    assert waiter.expired == []


async def test_infinite_patience_never_ends(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Infinity is no deadline."""
    deadline, waiter = Deadline(math.inf), Waiter()
    nursery.start_soon(deadline.run)
    deadline.begin(waiter)
    await trio.sleep(1e9)
    assert waiter.expired == []
    assert repr(deadline) == "<Deadline inf s waiting=1>"


async def test_the_longest_wait_is_told(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """The wait that began first, whether there is a timeout or not; 0 without any."""
    for deadline in (Deadline(10), Deadline(math.inf)):
        first, second = Waiter(), Waiter()
        deadline.begin(first)
        await trio.sleep(3)
        deadline.begin(second)
        await trio.sleep(2)
        assert deadline.longest(trio.current_time()) == 5
        deadline.end(first)
        assert deadline.longest(trio.current_time()) == 2
        deadline.end(second)
        assert deadline.longest(trio.current_time()) == 0


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=20))
def test_whoever_waits_longer_than_allowed_expires_then(waits: list[tuple[int, int]]) -> None:
    """Each wait (when it begins, how long it would last) by itself."""

    async def main() -> None:
        deadline = Deadline(10)
        waiters = [Waiter() for _ in waits]

        async def wait(waiter: Waiter, begins: int, lasts: int) -> None:
            await trio.sleep(begins)
            deadline.begin(waiter)
            await trio.sleep(lasts)
            deadline.end(waiter)

        async with trio.open_nursery() as running:
            running.start_soon(deadline.run)
            async with trio.open_nursery() as waiting:
                for waiter, (begins, lasts) in zip(waiters, waits, strict=True):
                    waiting.start_soon(wait, waiter, begins, lasts)
            running.cancel_scope.cancel()
        for waiter, (begins, lasts) in zip(waiters, waits, strict=True):
            if lasts != 10:  # at that instant either may come first
                assert waiter.expired == ([begins + 10] if lasts > 10 else [])

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_another_timeout_is_that_of_waits_that_have_begun(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Shorter, longer, off, and on again: then it begins anew."""
    deadline = Deadline(10.0)
    nursery.start_soon(deadline.run)
    waiters = [Waiter() for _ in range(4)]
    deadline.begin(waiters[0])
    await trio.sleep(1)
    deadline.apply(5.0)
    await trio.sleep_until(4.9)
    assert waiters[0].expired == []
    await trio.sleep_until(5.1)
    assert waiters[0].expired == [5]
    deadline.begin(waiters[1])
    deadline.apply(20.0)
    await trio.sleep_until(25)
    assert waiters[1].expired == []
    deadline.apply(math.inf)
    deadline.apply(math.inf)
    await trio.sleep_until(1000)
    assert waiters[1].expired == []
    deadline.apply(3.0)
    await trio.sleep_until(1004)
    assert waiters[1].expired == [1003]
