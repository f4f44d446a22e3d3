"""A backend's calls are measured: those with a reply by their time, the others are counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.measured import Measured


class Slow:
    """Answers after a second; `listened` is set by `listen`."""

    listened = False

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()

    async def execute(self, batch: bytes) -> bytes:
        await trio.sleep(1)
        if batch == b"bad":
            raise StoreError("bad")
        return batch

    async def listen(self, wake: Callable[[], None]) -> None:
        wake()


async def test_calls_are_measured(autojump_clock: trio.testing.MockClock) -> None:
    """A failed and a cancelled one got no reply."""
    seen: list[float | None] = []
    measured = Measured(Slow(), seen.append)
    assert await measured.execute(b"x") == b"x"
    with pytest.raises(StoreError):
        await measured.execute(b"bad")
    with trio.move_on_after(0.5):
        await measured.execute(b"x")
    assert seen == [pytest.approx(1), None, None]


async def test_the_rest_is_passed_on() -> None:
    """Running and listening."""
    woken: list[int] = []
    measured = Measured(Slow(), lambda _seconds: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(measured.run)
        await measured.listen(lambda: woken.append(1))
    assert woken == [1]
