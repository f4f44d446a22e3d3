from __future__ import annotations

import pytest
from trio.testing import MockClock

from aibridge_trio.errors import LoopDetected
from aibridge_trio.events import Finished, Started
from aibridge_trio.gateway.loop_detection import HOPS, Hops
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server.asgi import AsgiBody
from tests.support.network import Network


def request(*hops: bytes) -> Request:
    return Request("GET", b"/", b"", [(HOPS, hop) for hop in hops], None, None, AsgiBody())


def test_a_chain_of_bridges_works_and_a_ring_does_not() -> None:
    """Each bridge adds its mark; one that finds its own anywhere in the header rejects the request."""
    first, second, third = Hops(), Hops(), Hops()
    asked = request()
    for each in (first, second, third):
        each.check(asked)
        asked = request(each.mark(asked)[1])
    for each in (first, second, third):
        with pytest.raises(LoopDetected):
            each.check(asked)
    Hops().check(asked)
    with pytest.raises(LoopDetected):
        second.check(request(b"x", b" y,  " + second.mark(request())[1] + b" "))


def test_too_many_bridges_are_a_ring_too() -> None:
    """A ring of replicas or of restarted bridges is found by the number of marks."""
    Hops().check(request(b"a,b,c,d,e,f,g"))
    for hops in ([b"a,b,c,d,e,f,g,h"], [b"a,b,c,d", b"e,f,g,h"], [b"," * 5000]):
        with pytest.raises(LoopDetected):
            Hops().check(request(*hops))


async def test_a_base_url_that_leads_back_costs_one_more_request(
    autojump_clock: MockClock, network: Network
) -> None:
    """The second time the request gets a 508, which is passed on and which SDKs do not retry."""
    async with network.bridge(openai_base_url="http://bridge/openai/v1") as bridge:
        answer = await bridge.client.get("/openai/v1/models")
        assert (answer.status_code, answer.json()["error"]["code"]) == (508, "loop_detected")
        assert answer.headers["x-should-retry"] == "false"
        assert len(bridge.published(Started)) == 1
        assert [event.reject for event in bridge.published(Finished)] == ["loop_detected", None]


async def test_a_ring_of_two_is_found_and_a_chain_is_served(autojump_clock: MockClock, network: Network) -> None:
    """Two bridges that point to each other are found; two in a row are not."""
    seen: list[Request] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(request)
        await reply.answer(200, [], b"{}")

    await network.answer("openai", provider)
    async with network.bridge() as last:
        network.listeners["second"] = network.listeners["bridge"]
        async with network.bridge(openai_base_url="http://second/openai/v1") as first:
            assert (await first.client.get("/openai/v1/models")).status_code == 200
        assert len(last.published(Started)) == 1
    [hops] = seen[0].header_values(HOPS)
    assert len(hops.split(b",")) == 2
