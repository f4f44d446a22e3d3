"""One task beside another: its end, its failure and its cancellation are the other's to see."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.upstream.upload_task import SideTask


async def fail() -> None:
    """Raise after a second."""
    await trio.sleep(1)
    raise KeyError


async def test_its_failure_cancels_and_is_raised_as_it_is(autojump_clock: MockClock) -> None:
    """Not in a group; the task that started it is woken for it."""
    beside = SideTask()
    await beside.start(fail)
    with pytest.raises(trio.Cancelled) as cancelled:
        await trio.sleep_forever()
    with pytest.raises(KeyError):
        await beside.close(cancelled.value)
    assert trio.current_time() == 1
    await trio.sleep(1)  # nothing is left of the cancellation


async def test_it_is_waited_for(autojump_clock: MockClock) -> None:
    """Without an error the end is the end of both; a failure in the meantime is raised."""
    beside = SideTask()
    await beside.start(lambda: trio.sleep(5))
    await beside.close(None)
    assert trio.current_time() == 5
    beside = SideTask()
    await beside.start(fail)
    with pytest.raises(KeyError):
        await beside.close(None)


async def test_it_can_be_stopped(autojump_clock: MockClock) -> None:
    """By itself, and by an error, which stays the caller's to raise; closing twice is closing once."""
    for error in (None, ValueError()):
        beside = SideTask()
        await beside.start(trio.sleep_forever)
        if error is None:
            beside.stop()
        await beside.close(error)
        await beside.close(error)
    assert trio.current_time() == 0


async def test_a_cancellation_from_elsewhere_goes_on(autojump_clock: MockClock) -> None:
    """It ends both, and is no failure."""
    beside = SideTask()
    with trio.move_on_after(3) as scope:
        await beside.start(trio.sleep_forever)
        try:
            await trio.sleep_forever()
        except trio.Cancelled as error:
            await beside.close(error)
            raise
    assert scope.cancelled_caught
    assert trio.current_time() == 3
