"""Timers of backends that come and go."""

from __future__ import annotations

from typing import Any

import trio
from trio.testing import MockClock

from aibridge_trio.bridge.backend_tasks import BackendTasks
from aibridge_trio.gateway.router import Router
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
    tasks = BackendTasks(backends(one), tuple)
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
    """Timeouts apply to a stream that its provider's removal outlasts; later requests do not matter."""
    one = Fake("one")
    router = Router([])
    tasks = BackendTasks(backends(one), router.former)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tasks.run)
        await trio.sleep(1)
        generation = router.generation
        generation.requests = 1
        for _ in range(3):
            router.apply([], ())
            tasks.apply([])
            await trio.sleep(100)
        router.generation.requests = 1
        assert router.former() == (generation,)
        assert one.running() == [1, 1]
        generation.requests = 0
        await trio.sleep(2)
        assert one.running() == [0, 0]
        nursery.cancel_scope.cancel()
