"""All workers, under one supervisor."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.settings import Settings
from aibridge_trio.errors import CommandError
from aibridge_trio.workers.crew import Crew, part
from aibridge_trio.workers.member import Member
from aibridge_trio.workers.worker import Start


def start(number: int) -> Start:
    """What a worker begins with."""
    return Start(number, Settings(), {}, last=False)


def test_memory_the_queue_and_connections_are_divided() -> None:
    """Each worker has its part, at least 1, of what is not counted in common; nothing becomes unlimited."""
    settings = Settings(max_concurrency=5, queue_size=5, max_connections=3, max_buffered=1 << 20)
    one = part(settings, 4)
    assert (one.queue_size, one.max_connections, one.max_buffered) == (2, 1, 1 << 18)
    assert (one.max_concurrency, one.state_file) == (5, None)
    assert part(Settings(), 4).max_connections == 0


async def test_workers_that_cannot_start_end_the_supervisor(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not try for ever if none has ever served, and pauses between two attempts."""

    async def live(member: Member) -> str:
        await trio.sleep(0.1)
        member._on_message(member, "ended", None)
        return "ended with status 1"

    monkeypatch.setattr(Member, "_live", live)
    said: list[str] = []
    crew = Crew(2, start=start, warn=said.append)
    with pytest.RaisesGroup(pytest.RaisesExc(CommandError, match="before they serve")):
        await crew.run(lambda: None)
    assert trio.current_time() > 0.5
    assert "worker 1 ended with status 1; it starts again in 0.5 s" in said


async def test_the_others_do_not_wait_for_one_that_fails(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They serve after a while without it."""

    async def live(member: Member) -> str:
        if member.number == 1:
            await trio.sleep(0.1)
        else:
            member.phase = "serving"
            member._on_message(member, "ready", None)
            await trio.sleep(math.inf)
        member._on_message(member, "ended", None)
        return "ended with status 1"

    monkeypatch.setattr(Member, "_live", live)
    crew = Crew(2, start=start, warn=lambda _: None)
    ready = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crew.run, ready.set)
        await ready.wait()
        assert len(crew.serving) == 1
        nursery.cancel_scope.cancel()


def test_one_that_has_not_agreed_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that came between reading and applying does not stay behind the others."""
    crew = Crew(3, start=start, warn=lambda _: None)
    settings = Settings()
    told: list[tuple[int, str]] = []
    monkeypatch.setattr(Member, "tell", lambda self, name, _value=None: told.append((self.number, name)))
    for member in crew.members[:2]:
        member.phase = "serving"
    crew.members[0].agreed = settings
    crew.apply(settings)
    assert told == [(1, "apply"), (2, "stop")]
