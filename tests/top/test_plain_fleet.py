"""Several replicas without a screen: a slow one holds up nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.admin.client import AdminClient, Unreachable
from aibridge_trio.errors import CommandError
from aibridge_trio.top import plain_fleet
from tests.support.pictures import a_document


class Good(AdminClient):
    async def follow(self, hear: Callable[[Any], None]) -> None:
        for second in range(100_000):
            hear(a_document(1000.0 + second))
            await trio.sleep(1.0)

    async def status(self) -> Any:
        return {"schema": 1}


class Slow(AdminClient):
    async def follow(self, hear: Callable[[Any], None]) -> None:
        await trio.sleep_forever()


class Gone(AdminClient):
    async def follow(self, hear: Callable[[Any], None]) -> None:
        raise Unreachable(self.url, "connection refused")

    async def status(self) -> Any:
        raise Unreachable(self.url, "connection refused")


async def test_a_frame_comes_in_time(autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that do not answer are rows with the cause."""
    with trio.fail_after(5):
        await plain_fleet.print_frame([Good("http://a"), Slow("http://b"), Gone("http://c")], 1.0, styled=False)
    shown = capsys.readouterr().out
    assert "1 of 3 replicas" in shown
    assert "no answer yet" in shown
    assert "connection refused" in shown


async def test_no_answer_at_all_is_an_error(autojump_clock: MockClock) -> None:
    """It names each cause."""
    with pytest.raises(CommandError, match="http://c: connection refused"):
        await plain_fleet.print_frame([Gone("http://c"), Slow("http://b")], 1.0, styled=False)


async def test_json_has_the_replica(autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each."""
    await plain_fleet.print_json([Good("http://a"), Gone("http://c")], 1.0, once=True)
    lines = sorted(map(json.loads, capsys.readouterr().out.splitlines()), key=lambda each: each["replica"])
    assert lines == [
        {"replica": "http://a", "schema": 1},
        {"replica": "http://c", "error": "connection refused"},
    ]
    with pytest.raises(CommandError):
        await plain_fleet.print_json([Gone("http://c")], 1.0, once=True)
