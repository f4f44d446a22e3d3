"""Several bridges that share one ledger: what one of them learns of a provider, all know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.http.message import Reply, Request
from tests.support.failing_provider import BY_KEY, CHAT, MESSAGES, RULES, Provider, breaker, fail
from tests.support.handlers import JSON
from tests.support.ledger_store import Common
from tests.support.network import Network, Running

SPREAD = 0.1
BODY = b'{"model":"ill"}'


@pytest.fixture(autouse=True)
def _one_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """All bridges know callers by the same hashes."""
    made = CallerIdentifier.__init__

    def init(self: CallerIdentifier, *args: Any) -> None:
        made(self, *args)
        self._secret = bytes(32)

    monkeypatch.setattr(CallerIdentifier, "__init__", init)


@asynccontextmanager
async def replicas(
    network: Network, common: Common, count: int = 2, first: int = 0, **options: Any
) -> AsyncIterator[list[Running]]:
    """Run so many bridges with these settings."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                network.bridge(host=f"b{number}", common_store=common.store(), **options)
            )
            for number in range(first, first + count)
        ]


async def post(bridge: Running, key: str = "k") -> httpx.Response:
    return await bridge.client.post(
        CHAT, content=BODY, headers={"authorization": f"Bearer {key}", "connection": "close"}
    )


def reject(answer: httpx.Response) -> str:
    return str(answer.headers.get("x-aibridge-reject", answer.status_code))


async def test_one_learns_and_all_reject(autojump_clock: MockClock, network: Network) -> None:
    """Within 100 ms the other rejects without a call, with the reason and the time that is left."""
    provider, common = Provider(503, {"retry-after": "40"}), Common()
    await network.answer("openai", provider)
    async with replicas(network, common, **RULES) as (one, other):
        await fail(one)
        await trio.sleep(SPREAD)
        calls = len(provider.bodies)
        answer = await post(other)
        assert (answer.status_code, reject(answer)) == (503, "circuit_open")
        left = breaker(one)["cooldown_left_s"]
        assert abs(breaker(other)["cooldown_left_s"] - left) < 0.05
        assert left <= float(answer.headers["retry-after"]) <= left * 1.2 + 1
        assert len(provider.bodies) == calls
        assert (breaker(one)["trips"], breaker(other)["trips"]) == (1, 0)


async def test_failures_of_both_count_together(autojump_clock: MockClock, network: Network) -> None:
    """One failure on each opens both, if two are the threshold."""
    await network.answer("openai", Provider(503))
    async with replicas(network, Common(), **RULES) as bridges:
        for each in bridges:
            await fail(each, 1)
        await trio.sleep(SPREAD)
        assert [reject(await post(each)) for each in bridges] == ["circuit_open"] * 2


async def test_probes_are_capped_over_both(autojump_clock: MockClock, network: Network) -> None:
    """In half-open no more requests are at the provider than there may be probes; then both are closed."""
    provider, common = Provider(503), Common()
    await network.answer("openai", provider)
    rules = {**RULES, "circuit_breaker_half_open_max_requests": 3}
    async with replicas(network, common, **rules) as bridges:
        await fail(bridges[0])
        await trio.sleep(breaker(bridges[0])["cooldown_left_s"] + 0.5)
        assert {breaker(each)["state"] for each in bridges} == {"half-open"}
        provider.status, provider.body_after, calls = 200, 2.0, len(provider.bodies)
        found: list[str] = []

        async def one(bridge: Running) -> None:
            found.append(reject(await post(bridge)))

        async with trio.open_nursery() as nursery:
            for number in range(16):
                nursery.start_soon(one, bridges[number % 2])
            await trio.sleep(1)
            assert len(provider.bodies) - calls == 3
        assert sorted(found) == ["200"] * 3 + ["circuit_open"] * 13
        await trio.sleep(SPREAD)
        assert {breaker(each)["state"] for each in bridges} == {"closed"}


async def test_an_override_is_seen_by_both(autojump_clock: MockClock, network: Network) -> None:
    """With its reason and its end, at which both decide for themselves again."""
    await network.answer("openai", Provider(200))
    async with replicas(network, Common(), **RULES) as (one, other):
        order = {"mode": "open", "for": "60s", "reason": "INC-12"}
        (await one.admin.post("/breakers/openai", json=order)).raise_for_status()
        await trio.sleep(SPREAD)
        assert reject(await post(other)) == "circuit_open"
        shown = breaker(other)["override"]
        assert (shown["reason"], round(shown["left_s"])) == ("INC-12", 60)
        await trio.sleep(61)
        assert [breaker(each)["mode"] for each in (one, other)] == ["auto", "auto"]


async def test_nothing_is_stuck_after_lost_content(autojump_clock: MockClock, network: Network) -> None:
    """What all knew they know still, one that comes later learns it, and the breaker closes again."""
    provider, common = Provider(503), Common()
    await network.answer("openai", provider)
    async with replicas(network, common, **RULES) as (one, other):
        await fail(one)
        await trio.sleep(SPREAD)
        for _ in range(2):
            common.reset()
            await trio.sleep(2)
        async with replicas(network, common, 1, first=2, **RULES) as (later,):
            await trio.sleep(SPREAD)
            assert {breaker(each)["state"] for each in (one, other, later)} == {"open"}
            provider.status = 200
            await trio.sleep(breaker(one)["cooldown_left_s"] + 0.5)
            common.reset()
            for _ in range(5):
                await post(other)
                await trio.sleep(1)
            assert {breaker(each)["state"] for each in (one, other, later)} == {"closed"}
            await fail(later, 0)
            provider.status = 503
            await fail(later)
            await trio.sleep(SPREAD)
            assert reject(await post(one)) == "circuit_open"
    assert not common.held


async def test_the_store_goes_and_returns(autojump_clock: MockClock, network: Network) -> None:
    """Cut off, each has its own breaker; when it is back, the other learns what it has missed."""
    await network.answer("openai", Provider(503))
    common = Common()
    async with replicas(network, common, **RULES) as (one, other):
        common.stores[0].cut()
        await fail(one)
        await trio.sleep(SPREAD)
        assert (breaker(one)["state"], breaker(other)["state"]) == ("open", "closed")
        common.stores[0].mend()
        await trio.sleep(SPREAD)
        assert reject(await post(other)) == "circuit_open"


async def test_a_caller_s_key_rests_on_both(autojump_clock: MockClock, network: Network) -> None:
    """Its cooldown after a 429 is known to the other bridge within 100 ms; other keys go on."""
    provider = Provider(429, {"retry-after": "25"})
    provider.ill = {b"Bearer sk-limited"}
    await network.answer("openai", provider)
    async with replicas(network, Common(), **BY_KEY) as (one, other):

        async def ask(bridge: Running, key: str) -> httpx.Response:
            headers = {"authorization": f"Bearer {key}", "connection": "close"}
            return await bridge.client.post(CHAT, content=b"{}", headers=headers)

        assert (await ask(one, "sk-limited")).status_code == 429
        await trio.sleep(SPREAD)
        answer = await ask(other, "sk-limited")
        assert reject(answer) == "credential_cooldown"
        assert 24 <= float(answer.headers["retry-after"]) <= 32
        assert (await ask(other, "sk-other")).status_code == 200


async def test_one_canary_in_all(autojump_clock: MockClock, network: Network) -> None:
    """In an outage never more than one request of all bridges is at the provider; after it all are served."""
    now = most = 0
    ill = True

    async def provider(request: Request, reply: Reply) -> None:
        nonlocal now, most
        async for _ in request.body:
            pass
        now += 1
        most = max(most, now)
        await trio.sleep(0.3)
        now -= 1
        if ill:
            await reply.answer(529, JSON, b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}')
        else:
            await reply.answer(200, JSON, b"{}")

    await network.answer("anthropic", provider)
    found: list[int] = []

    async def one(bridge: Running) -> None:
        found.append((await bridge.client.post(MESSAGES, content=b"{}")).status_code)

    async with replicas(network, Common(), 3, adaptive=True) as bridges, trio.open_nursery() as nursery:
        for _ in range(4):
            for each in bridges:
                nursery.start_soon(one, each)
        await trio.sleep(15)
        outages = [(await each.status())["providers"][1]["adaptive"]["outage"] for each in bridges]
        assert outages == [True] * 3
        most = 0
        await trio.sleep(60)
        assert most == 1
        ill = False
        await trio.sleep(60)
        assert found == [200] * 12
