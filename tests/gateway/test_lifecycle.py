from __future__ import annotations

from typing import Literal

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from aibridge_trio.errors import ShuttingDown
from aibridge_trio.gateway.lifecycle import Lifecycle


@pytest.mark.parametrize(
    ("phase", "draining", "admits"),
    [
        ("starting", False, True),
        ("serving", False, True),
        ("draining", True, True),
        ("stopping", True, False),
    ],
)
def test_only_a_stopping_bridge_refuses_requests(
    phase: Literal["starting", "serving", "draining", "stopping"], draining: bool, admits: bool
) -> None:
    """During the drain's delay requests are served, though a stop signal has arrived; afterwards none is."""
    lifecycle = Lifecycle()
    assert lifecycle.phase == "starting"
    lifecycle.phase = phase
    assert lifecycle.draining == draining
    if admits:
        lifecycle.admit()
    else:
        with pytest.raises(ShuttingDown):
            lifecycle.admit()
    assert repr(lifecycle) == f"<Lifecycle {phase}>"


async def test_the_end_of_waits_reaches_each_of_them(autojump_clock: MockClock) -> None:
    """Every request that waits gets ShuttingDown at once; one that is past its wait goes on."""
    lifecycle, ends = Lifecycle(), list[str]()

    async def wait(name: str, seconds: float) -> None:
        try:
            with lifecycle.interruptible():
                await trio.sleep(seconds)
        except ShuttingDown:
            ends.append(f"{name} refused")
        else:
            await trio.sleep(10)
            ends.append(f"{name} served")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "short", 1.0)
        nursery.start_soon(wait, "long", 100.0)
        nursery.start_soon(wait, "longer", 200.0)
        await trio.sleep(5)
        assert lifecycle.end_waits()
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(ends) == ["long refused", "longer refused"]
        assert not lifecycle.end_waits()
    assert ends[-1] == "short served"


async def test_a_wait_that_its_caller_cancels_is_no_shutdown(autojump_clock: MockClock) -> None:
    """A cancellation from outside passes through, and the wait is forgotten."""
    lifecycle = Lifecycle()
    with trio.move_on_after(1) as scope, lifecycle.interruptible():
        await trio.sleep_forever()
    assert scope.cancelled_caught
    assert not lifecycle.end_waits()


async def test_held_requests_end_apart_from_queued_ones(autojump_clock: MockClock) -> None:
    """The end of holds cancels what is held, and leaves the queue alone."""
    lifecycle, ends = Lifecycle(), list[str]()

    async def wait(name: str) -> None:
        try:
            with lifecycle.held() if name == "held" else lifecycle.interruptible():
                await trio.sleep_forever()
        except ShuttingDown:
            ends.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "held")
        nursery.start_soon(wait, "queued")
        await trio.testing.wait_all_tasks_blocked()
        assert lifecycle.end_holds()
        await trio.testing.wait_all_tasks_blocked()
        assert ends == ["held"]
        assert not lifecycle.end_holds()
        assert lifecycle.end_waits()
