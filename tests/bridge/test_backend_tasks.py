"""Timers of backends that come and go."""

from __future__ import annotations

from typing import Any

import trio
from trio.testing import MockClock

from aibridge_trio.bridge.backend_tasks import BackendTasks
from aibridge_trio.gateway.routing import Backend


class Part:
    """Runs until cancelled."""

    def __init__(self) -> None:
        self.running = 0

    async def run(self) -> None:
        """Count that it runs."""
        self.running += 1
        try:
            await trio.sleep_forever()
        finally:
            self.running -= 1


class Fake:
    """Looks like a backend."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.circuits, self.upstream, self.adaptive, self.key = Part(), Part(), None, None

    def running(self) -> list[int]:
        """How often each part runs."""
        return [self.circuits.running, self.upstream.running]


def backends(*fakes: Any) -> list[Backend]:
    return list(fakes)


async def test_timers_run_while_their_backend_is_there(autojump_clock: MockClock) -> None:
    """Each once, from the reload that brings it until the one that takes it away."""
    one, two = Fake("one"), Fake("two")
    tasks = BackendTasks(backends(one), lambda _: False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tasks.run)
        await trio.sleep(1)
        assert (one.running(), two.running()) == ([1, 1], [0, 0])
        tasks.apply(backends(one, two))
        await trio.sleep(1)
        assert (one.running(), two.running()) == ([1, 1], [1, 1])
        tasks.apply(backends(two))
        await trio.sleep(1)
        assert (one.running(), two.running()) == ([0, 0], [1, 1])
        assert repr(tasks) == "<BackendTasks running=2>"
        nursery.cancel_scope.cancel()


async def test_requests_of_a_former_backend_end_with_their_timers(autojump_clock: MockClock) -> None:
    """Timeouts apply to a stream that its provider's removal outlasts."""
    one = Fake("one")
    busy = True
    tasks = BackendTasks(backends(one), lambda name: busy and name == "one")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tasks.run)
        await trio.sleep(1)
        tasks.apply([])
        await trio.sleep(100)
        assert one.running() == [1, 1]
        busy = False
        await trio.sleep(2)
        assert one.running() == [0, 0]
        nursery.cancel_scope.cancel()
