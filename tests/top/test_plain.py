"""Frames and JSON without a screen, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from aibridge_trio.admin.client import AdminClient, Unreachable
from aibridge_trio.top import plain
from tests.support.pictures import a_document


async def test_the_pace_of_json(
    capsys: pytest.CaptureFixture[str], autojump_clock: trio.testing.MockClock
) -> None:
    """There is a line every --interval, however often the bridge says something, and one for each event."""

    class Bridge(AdminClient):
        async def follow(self, hear: Callable[[Any], None]) -> None:
            for quarter in range(21):
                hear({"quarter": quarter, "events": ["start", "breaker"][: 1 + (quarter >= 6)]})
                await trio.sleep(0.25)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await plain.print_json(Bridge("http://x"), interval=1.05, once=False)
    told = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["quarter"] for line in told] == [0, 4, 6, 10, 14, 18]


async def test_a_lost_bridge_is_reported_once(
    capsys: pytest.CaptureFixture[str], autojump_clock: trio.testing.MockClock
) -> None:
    """However often it is tried again in vain, there is one line on stderr each time that the bridge goes."""
    days = iter([True, False, False, False, True, False, False, False])

    class Bridge(AdminClient):
        async def follow(self, hear: Callable[[Any], None]) -> None:
            if (up := next(days, None)) is None:
                raise KeyboardInterrupt
            if up:
                hear({})
            raise Unreachable(self.url, "connection refused")

    with pytest.raises(KeyboardInterrupt):
        await plain.print_json(Bridge("http://x"), interval=1.0, once=False)
    assert capsys.readouterr().err == "aibridge: no bridge at http://x (connection refused); trying again\n" * 2


@pytest.mark.parametrize(("interval", "lasts"), [(1.0, 1), (10.0, 10), (36_000.0, 240)])
async def test_one_frame_comes_in_time(
    autojump_clock: trio.testing.MockClock, interval: float, lasts: float
) -> None:
    """It takes an --interval, and never longer than what rates are worked out over."""

    class Bridge(AdminClient):
        async def follow(self, hear: Callable[[Any], None]) -> None:
            for second in range(100_000):
                hear(a_document(1000.0 + second))
                await trio.sleep(1.0)

    with trio.fail_after(1000):
        await plain.print_frame(Bridge("http://x"), interval, styled=False)
    assert trio.current_time() == pytest.approx(lasts, rel=0.11)
