"""A worker, as its supervisor sees it."""

from __future__ import annotations

import errno
import sys

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.settings import Settings
from aibridge_trio.workers import member
from aibridge_trio.workers.member import Member, command
from aibridge_trio.workers.worker import Start


def test_the_command_is_this_programs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's options and the way to the program are the supervisor's; flags are not handed over."""
    monkeypatch.setattr(sys, "argv", ["/venv/bin/aibridge", "serve", "--workers", "2"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-I", "/venv/bin/aibridge", "serve", "--workers", "2"])
    assert command(7) == [sys.executable, "-I", "/venv/bin/aibridge", "worker", "7"]
    monkeypatch.setattr(sys, "orig_argv", ["aibridge", "serve", "--workers", "2"])
    assert command(7) == [sys.executable, "worker", "7"]


def test_its_end_is_put_into_words() -> None:
    """The status, or the signal's name."""
    assert member._ending(3) == "ended with status 3"
    assert member._ending(-9) == "was ended by SIGKILL"
    assert member._ending(-99) == "was ended by signal 99"


async def test_a_process_that_cannot_be_started_is_tried_again(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may be short of memory or of processes for a moment: that is an end like any other."""

    async def open_process(*_: object, **__: object) -> None:
        await trio.lowlevel.checkpoint()
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr("trio.lowlevel.open_process", open_process)
    said: list[str] = []
    told: list[str] = []
    start = Start(1, Settings(), {}, last=False)
    one = Member(1, start=lambda _: start, on_message=lambda _, name, __: told.append(name), warn=said.append)
    with trio.move_on_after(2):
        await one.run()
    assert told == ["ended"] * 4
    assert said[1] == "worker 1 cannot be started: Resource temporarily unavailable; it starts again in 0.5 s"
    assert one.phase == "ended"


async def test_one_that_stops_is_not_started() -> None:
    """A worker that is to stop before it began begins nothing."""

    def start(_number: int) -> Start:
        raise AssertionError

    one = Member(1, start=start, on_message=lambda *_: None, warn=lambda _: None)
    one.stop()
    await one.run()
    assert (one.phase, one.pid, one.restarts) == ("ended", None, -1)
