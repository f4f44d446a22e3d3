"""Trio's clock, in fewer calls."""

from __future__ import annotations

import time

import trio

from aibridge_trio.process.clock import PlainClock


def test_it_goes_as_the_systems_clock_does() -> None:
    """Times are those of the C function itself, and Trio sleeps until them."""

    async def main() -> tuple[float, float]:
        began = trio.current_time()
        await trio.sleep(0.01)
        return began, trio.current_time()

    before = time.perf_counter()
    began, woken = trio.run(main, clock=PlainClock())
    assert before <= began <= woken - 0.01 <= time.perf_counter()


def test_a_deadline_is_as_far_as_its_seconds() -> None:
    """One that has passed is not ahead."""
    clock = PlainClock()
    assert 99.0 < clock.deadline_to_sleep_time(clock.current_time() + 100.0) <= 100.0
    assert clock.deadline_to_sleep_time(clock.current_time() - 1.0) < 0.0
