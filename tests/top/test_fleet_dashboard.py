"""The dashboard of several replicas, in virtual time: rows, one alone, orders, and names that resolve anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.admin.client import AdminClient, Refused, Unreachable
from aibridge_trio.errors import CommandError
from aibridge_trio.top.fleet_dashboard import FleetDashboard
from aibridge_trio.top.view import View
from aibridge_trio.top.watched_fleet import RESOLVE
from tests.support.pictures import a_document
from tests.top.test_dashboard import Paper
from tests.top.test_plain_fleet import Gone, Good


class Obedient(Good):
    """A bridge that notes its orders."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.orders: list[str] = []

    async def override(self, provider: str, mode: str, **more: Any) -> str:
        await trio.sleep(0.5)
        self.orders.append(f"{provider} {mode}")
        return f"{provider}: {mode}, mode {mode}"


class Defiant(Good):
    """A bridge that does no orders."""

    async def override(self, provider: str, mode: str, **more: Any) -> str:
        raise Unreachable(self.url, "it hung up")


class Draining(Good):
    """A bridge that drains for half a minute, and is gone."""

    async def follow(self, hear: Callable[[Any], None]) -> None:
        for second in range(30 - int(trio.current_time())):
            hear(a_document(1000.0 + second, self.is_itself) | {"draining": True})
            await trio.sleep(1.0)
        raise Unreachable(self.url, "connection refused")


class Names:
    """What a name resolves to, now."""

    def __init__(self, *clients: AdminClient) -> None:
        self.clients: Sequence[AdminClient] = clients

    async def find(self) -> Sequence[AdminClient]:
        await trio.lowlevel.checkpoint()
        if not self.clients:
            raise CommandError("257 replicas are more than 256")
        return self.clients


@asynccontextmanager
async def shown(names: Names) -> AsyncIterator[Paper]:
    """Run the dashboard of these replicas for as long as the block lasts, after three seconds."""
    paper = Paper()
    dashboard = FleetDashboard(names.clients, names.find, paper, View())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dashboard.run)
        await trio.sleep(3.0)
        yield paper
        await paper.press.send("q")


async def pressed(paper: Paper, *keys: str) -> list[str]:
    """What stands on the screen after these keys."""
    for key in keys:
        await paper.press.send(key)
        await trio.sleep(0.2)
    return paper.lines


async def test_all_one_and_all_again(autojump_clock: MockClock) -> None:
    """Enter looks at the chosen one, Esc at all; a replica that comes is a row within seconds."""
    names = Names(Good("http://a"), Gone("http://b"))
    async with shown(names) as paper:
        assert "1 of 2 replicas" in paper.lines[0]
        # The worst is the first, and chosen.
        assert "▸http://b LOST" in paper.lines[4]
        assert "connection refused" in paper.lines[4]
        lines = await pressed(paper, "down", "enter")
        assert "http://a" in lines[0]
        assert "up " in lines[0]
        await pressed(paper, "escape")
        names.clients = [*names.clients, Good("http://c")]
        await trio.sleep(RESOLVE)
        assert "2 of 3 replicas" in paper.lines[0]
        assert "Enter looks at one" in (await pressed(paper, "<"))[-1]
        assert "PAUSED" in (await pressed(paper, "p"))[0]


async def test_orders_to_all(autojump_clock: MockClock) -> None:
    """A provider is chosen across; the question says for how many; other keys than y do nothing."""
    bridges = [Obedient("http://a"), Obedient("http://b"), Obedient("http://c")]
    async with shown(Names(*bridges)) as paper:
        assert any(line.startswith("▸openai") for line in paper.lines)
        assert any(line.startswith("▸anthropic") for line in await pressed(paper, "right"))
        asked = (await pressed(paper, "o"))[-1]
        assert asked.startswith("anthropic at all 3 replicas: force open and refuse its requests?  y yes  n no")
        await pressed(paper, "n", "left", "c", "escape", "a", "y")
        await trio.sleep(0.5)
        assert paper.lines[-1].strip() == "openai: automatic again at all 3 replicas"
    assert [bridge.orders for bridge in bridges] == [["openai auto"]] * 3


async def test_an_order_that_one_did_not_do(autojump_clock: MockClock) -> None:
    """The others have done it; the notice names the one, and the cause."""
    bridge = Obedient("http://a")
    async with shown(Names(bridge, Defiant("http://b"))) as paper:
        await pressed(paper, "o", "y")
        await trio.sleep(0.5)
        assert paper.lines[-1].strip() == "openai: not done at 1 of 2 replicas: http://b (it hung up)"
    assert bridge.orders == ["openai open"]


async def test_the_order_is_for_those_that_were_asked_about(autojump_clock: MockClock) -> None:
    """One that comes between question and answer is not meant."""
    names = Names(Obedient("http://a"), Obedient("http://b"))
    late = Obedient("http://c")
    async with shown(names) as paper:
        await pressed(paper, "o")
        names.clients = [*names.clients, late]
        await trio.sleep(RESOLVE)
        assert "2 of" not in paper.lines[0]
        await pressed(paper, "y")
        await trio.sleep(0.5)
        assert "at all 2 replicas" in paper.lines[-1]
    assert not late.orders


async def test_a_name_with_one_address_becomes_a_fleet(autojump_clock: MockClock) -> None:
    """Alone it looks as a single bridge; with a second one there are rows, and with one again there are none."""
    one = Good("http://bridges")
    names = Names(one)
    async with shown(names) as paper:
        assert "http://bridges" in paper.lines[0]
        assert "http://bridges" in (await pressed(paper, "escape"))[0]
        names.clients = [Good("http://10.0.0.1"), Good("http://10.0.0.2")]
        await trio.sleep(RESOLVE + 1)
        assert "2 of 2 replicas" in paper.lines[0]
        names.clients = []  # more than can be watched
        await trio.sleep(RESOLVE)
        assert "2 of 2 replicas" in paper.lines[0]
        names.clients = [Good("http://10.0.0.2")]
        await trio.sleep(RESOLVE)
        assert "1 of 1 replicas" in paper.lines[0]


async def test_one_that_drains_stays_until_it_is_gone(autojump_clock: MockClock) -> None:
    """In a rolling update its name does not lead to it any more, but its requests still count."""
    names = Names(Draining("http://a"), Good("http://b"))
    async with shown(names) as paper:
        names.clients = names.clients[1:]
        await trio.sleep(RESOLVE)
        assert "2 of 2 replicas" in paper.lines[0]
        assert any("http://a draining" in line for line in paper.lines)
        await trio.sleep(20 + RESOLVE)
        assert not any("http://a" in line for line in paper.lines)


async def test_one_that_refuses(autojump_clock: MockClock) -> None:
    """It ends the dashboard if it is the only one, as a single bridge does."""

    class Guarded(Good):
        async def follow(self, hear: Callable[[Any], None]) -> None:
            raise Refused(self.url, "a token is needed", 401)

    dashboard = FleetDashboard([Guarded("http://a")], Names(Guarded("http://a")).find, Paper(), View())
    with pytest.raises(CommandError, match="a token is needed"):
        await dashboard.run()
    async with shown(Names(Guarded("http://a"), Good("http://b"))) as paper:
        assert any("LOST" in line and "a token is needed" in line for line in paper.lines)


async def test_the_help_fits(autojump_clock: MockClock) -> None:
    """On 80 × 24, of all and of one alone."""
    async with shown(Names(Good("http://a"), Good("http://b"))) as paper:
        for keys in (["?"], ["enter", "?"]):
            lines = await pressed(paper, *keys)
            assert lines[1].strip() == "Keys"
            assert lines[-1].startswith("any key goes back")
            assert any(line.startswith(("  TOK/S", "  REJ/S, WOULD/S")) for line in lines)
            assert not any("…" in line for line in lines)
            await pressed(paper, "x")  # else the last key would only close the help
