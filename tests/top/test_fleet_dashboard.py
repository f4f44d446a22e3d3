"""The dashboard of several replicas, in virtual time: rows, one alone, and names that resolve anew."""

from __future__ import annotations

from collections.abc import Sequence

import trio
from trio.testing import MockClock

from aibridge_trio.admin.client import AdminClient
from aibridge_trio.top.fleet_dashboard import RESOLVE, FleetDashboard
from aibridge_trio.top.view import View
from tests.top.test_dashboard import Paper
from tests.top.test_plain_fleet import Gone, Good


async def test_all_one_and_all_again(autojump_clock: MockClock) -> None:
    """Enter looks at the chosen one, Esc at all; a replica that comes is a row within seconds."""
    paper = Paper()
    clients: list[AdminClient] = [Good("http://a"), Gone("http://b")]

    async def find() -> Sequence[AdminClient]:
        await trio.lowlevel.checkpoint()
        return [*clients, Good("http://c")]

    dashboard = FleetDashboard(clients, find, paper, View())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dashboard.run)
        await trio.sleep(3.0)
        assert "1 of 2 replicas" in paper.lines[0]
        assert any("LOST" in line and "connection refused" in line for line in paper.lines)
        await paper.press.send("enter")
        await trio.sleep(1.5)
        assert "http://a" in paper.lines[0]
        assert "up " in paper.lines[0]
        await paper.press.send("escape")
        await trio.sleep(RESOLVE)
        assert "2 of 3 replicas" in paper.lines[0]
        await paper.press.send("o")
        await trio.sleep(0.5)
        assert "Enter looks at one" in paper.lines[-1]
        await paper.press.send("q")
