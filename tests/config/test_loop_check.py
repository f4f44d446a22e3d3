"""Requests that come back, and base URLs that would bring them back."""

from __future__ import annotations

import socket

import pytest
from trio.testing import MockClock

from aibridge_trio.config.addresses import Address, UnixSocket
from aibridge_trio.config.loop_check import leads_back
from aibridge_trio.errors import LoopDetected
from aibridge_trio.events import Finished, Started
from aibridge_trio.gateway.loop_detection import HOPS, Hops
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server.asgi import AsgiBody
from tests.support.network import Network


def request(*hops: bytes) -> Request:
    return Request("GET", b"/", b"", [(HOPS, hop) for hop in hops], None, None, AsgiBody())


def test_a_chain_of_bridges_works_and_a_ring_does_not() -> None:
    """Each adds itself; who sees itself again, wherever and however written, refuses."""
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
    """One that a bridge in it can't know by its own mark: replicas, or restarts."""
    Hops().check(request(b"a,b,c,d,e,f,g"))
    for hops in ([b"a,b,c,d,e,f,g,h"], [b"a,b,c,d", b"e,f,g,h"], [b"," * 5000]):
        with pytest.raises(LoopDetected):
            Hops().check(request(*hops))


async def test_a_base_url_that_leads_back_costs_one_more_request(
    autojump_clock: MockClock, network: Network
) -> None:
    """The second time it is 508, which is not tried again; the provider's own answer to the first is that."""
    async with network.bridge(openai_base_url="http://bridge/openai/v1") as bridge:
        answer = await bridge.client.get("/openai/v1/models")
        assert (answer.status_code, answer.json()["error"]["code"]) == (508, "loop_detected")
        assert answer.headers["x-should-retry"] == "false"
        assert len(bridge.told(Started)) == 1
        assert [event.reject for event in bridge.told(Finished)] == ["loop_detected", None]


async def test_a_ring_of_two_is_found_and_a_chain_is_served(autojump_clock: MockClock, network: Network) -> None:
    """Through another bridge and back."""
    seen: list[Request] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(request)
        await reply.answer(200, [], b"{}")

    await network.answer("openai", provider)
    async with network.bridge() as last:
        network.listeners["second"] = network.listeners["bridge"]
        async with network.bridge(openai_base_url="http://second/openai/v1") as first:
            assert (await first.client.get("/openai/v1/models")).status_code == 200
        assert len(last.told(Started)) == 1
    [hops] = seen[0].header_values(HOPS)
    assert len(hops.split(b",")) == 2


BINDS = (Address("127.0.0.1", 4001), UnixSocket("/run/x"), Address("::1", 4003), Address("bridge.internal", 80))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1:4001/openai/v1",
            "http://localhost:4001",
            "http://LocalHost.:4001/x",
            "http://0.0.0.0:4001",
        ),
        *("http://[::1]:4003/v1", "http://localhost:4003", "http://bridge.internal/v1", "http://[::]:4003"),
    ],
)
def test_its_own_addresses(url: str) -> None:
    """By address, as localhost, by the name it was told, on the scheme's own port."""
    assert leads_back(url, BINDS)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:4002", "http://127.0.0.2:4001", "https://bridge.internal", "http://other:4001", "x"),
        *("http://10.9.9.9:4001", "https://api.openai.com/v1"),
    ],
)
def test_other_addresses(url: str) -> None:
    """Other ports, other addresses of the loopback, other hosts."""
    assert leads_back(url, BINDS) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.5.5.5", "localhost", "[::1]", socket.gethostname(), "0.0.0.0"])
def test_everywhere_is_here(host: str) -> None:
    """Who listens on all addresses listens on each of this machine's."""
    assert leads_back(f"http://{host}:4001/v1", [Address("0.0.0.0", 4001)])
    assert leads_back(f"http://{host}:4001/v1", [Address("::", 4001)])
    assert leads_back("http://192.0.2.7:4001/v1", [Address("0.0.0.0", 4001)]) is None
