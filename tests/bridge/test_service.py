"""Which messages the service manager gets, and when, in virtual time."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.bridge.service import Service
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.process.systemd import ServiceManager


class Manager(ServiceManager):
    """Keeps what is sent, with the time."""

    def __init__(self, watchdog: float | None) -> None:
        super().__init__()
        self.watchdog = watchdog
        self.sent: list[tuple[float, str]] = []

    @property
    def present(self) -> bool:
        return True

    def _send(self, *assignments: str) -> None:
        self.sent.append((trio.current_time(), assignments[0]))

    def times(self, assignment: str) -> list[float]:
        """When it was sent."""
        return [at for at, sent in self.sent if sent == assignment]


class Listeners:
    """In place of the self-test: its result, and how long it takes."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.asked = 0

    async def failure(self, within: float) -> str | None:
        """Return the result."""
        self.asked += 1
        await trio.sleep(0.1)
        return self.why


class Scene:
    """A service and what is around it."""

    def __init__(self, watchdog: float | None = 8.0) -> None:
        self.manager, self.listeners, self.lifecycle = Manager(watchdog), Listeners(), Lifecycle()
        self.lifecycle.phase = "serving"
        self.warnings: list[str] = []
        self.summary = "a"
        self.service = Service(
            self.manager,
            lifecycle=self.lifecycle,
            failure=self.listeners.failure,
            status=lambda: self.summary,
            warn=self.warnings.append,
        )

    async def during(self, act: Callable[[], Awaitable[object]]) -> None:
        """Run the service while something else goes on."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.service.run)
            await act()
            nursery.cancel_scope.cancel()


async def test_the_watchdog_is_reset_at_each_half_of_its_time(autojump_clock: MockClock) -> None:
    """As long as the listeners answer."""
    scene = Scene()
    await scene.during(lambda: trio.sleep(20))
    assert scene.manager.times("WATCHDOG=1") == pytest.approx([0.1, 4.1, 8.1, 12.1, 16.1])
    assert not scene.warnings


async def test_listeners_that_do_not_answer_reset_nothing(autojump_clock: MockClock) -> None:
    """It is tested again sooner, so that one failure costs no restart; the log says why."""
    scene = Scene()

    async def fail() -> None:
        await trio.sleep(1)
        scene.listeners.why = "127.0.0.1:4001: no answer within 2 s"
        await trio.sleep(3.5)
        scene.listeners.why = None
        await trio.sleep(3)

    await scene.during(fail)
    assert scene.manager.times("WATCHDOG=1") == pytest.approx([0.1, 5.1])
    assert scene.warnings == [
        "the self-test failed: 127.0.0.1:4001: no answer within 2 s; the service manager's watchdog is not reset"
    ]


async def test_a_late_loop_resets_nothing() -> None:
    """A loop that is blocked for more than a quarter of the time is not well, though it goes on."""
    scene = Scene(watchdog=2.0)

    async def block() -> None:
        await trio.sleep(0.3)
        time.sleep(0.8)
        await trio.sleep(0.5)

    await scene.during(block)
    [warning] = scene.warnings
    assert "the event loop was 0." in warning
    assert len(scene.manager.times("WATCHDOG=1")) == 2


async def test_a_drain_asks_for_the_time_that_it_takes(autojump_clock: MockClock) -> None:
    """The listeners are closed, so they are not asked; the loop alone resets the watchdog."""
    scene = Scene()

    async def drain() -> None:
        await trio.sleep(1)
        scene.lifecycle.phase = "draining"
        scene.service.draining(20.0)
        await trio.sleep(60)

    await scene.during(drain)
    assert scene.manager.times("STOPPING=1") == [1]
    assert scene.manager.times("EXTEND_TIMEOUT_USEC=30000000") == [1, 6, 11, 16, 21, 26]
    assert scene.manager.times("WATCHDOG=1")[-1] == pytest.approx(60, abs=4)
    assert scene.listeners.asked == 1


async def test_a_drain_without_a_limit_asks_for_as_long_as_it_takes(autojump_clock: MockClock) -> None:
    """--graceful-timeout 0s."""
    scene = Scene()

    async def drain() -> None:
        scene.service.draining(math.inf)
        await trio.sleep(1000)

    await scene.during(drain)
    assert len(scene.manager.times("EXTEND_TIMEOUT_USEC=30000000")) >= 200


async def test_the_status_is_shown_when_it_changes(autojump_clock: MockClock) -> None:
    """Not all the time: it stands in the manager's journal."""
    scene = Scene(watchdog=None)

    async def change() -> None:
        scene.service.ready()
        await trio.sleep(20)
        scene.summary = "b"
        await trio.sleep(20)

    await scene.during(change)
    assert [sent for _, sent in scene.manager.sent] == ["READY=1", "STATUS=b"]


async def test_without_a_manager_nothing_runs() -> None:
    """Not even a timer."""
    scene = Scene()
    service = Service(
        ServiceManager(),
        lifecycle=scene.lifecycle,
        failure=scene.listeners.failure,
        status=lambda: "",
        warn=scene.warnings.append,
    )
    with trio.fail_after(5):
        await service.run()
    assert repr(service) == "<Service serving>"
