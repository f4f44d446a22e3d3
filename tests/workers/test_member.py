"""A worker, as its supervisor sees it."""

from __future__ import annotations

import sys

import pytest

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


async def test_one_that_stops_is_not_started() -> None:
    """A worker that is to stop before it began begins nothing."""

    def start(_number: int) -> Start:
        raise AssertionError

    one = Member(1, start=start, on_message=lambda *_: None, warn=lambda _: None)
    one.stop()
    await one.run()
    assert (one.phase, one.pid, one.restarts) == ("ended", None, -1)
