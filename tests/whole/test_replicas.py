"""Several bridges that share one ledger: their limits hold for all of them together."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.core.terms import Rate, Terms, TokenBudget
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, JSON, ok
from tests.support.ledger_store import Common
from tests.support.network import Network, Running
from tests.support.spenders import ask, body, known, spender, using

BODY = b'{"model":"m","messages":[]}'


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
    network: Network, common: Common, count: int = 2, **options: Any
) -> AsyncIterator[list[Running]]:
    """Run so many bridges with these settings."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                network.bridge(host=f"b{number}", common_store=common.store(), **options)
            )
            for number in range(count)
        ]


def rated(rate: Rate) -> KnownCallers:
    """One caller, `a`, that has a rate."""
    return KnownCallers(callers=(replace(spender("a"), terms=Terms(rate=rate)),))


class Provider:
    """Counts what is in flight."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.now = self.most = self.all = 0

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.now += 1
        self.all += 1
        self.most = max(self.most, self.now)
        try:
            async for _ in request.body:
                pass
            await trio.sleep(self.seconds)
        finally:
            self.now -= 1
        await reply.answer(200, JSON, b"{}")


async def post(bridge: Running, found: list[str], key: str = "k") -> httpx.Response:
    answer = await bridge.client.post(CHAT, content=BODY, headers={"authorization": f"Bearer {key}"})
    found.append(answer.headers.get("x-aibridge-reject", str(answer.status_code)))
    return answer


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_concurrency": 3}, "capacity"),
        ({"max_concurrency_per_caller": 3}, "caller_capacity"),
        ({"max_concurrency_per_provider": 3}, "provider_capacity"),
    ],
)
async def test_in_flight_over_all(
    autojump_clock: MockClock, network: Network, options: dict[str, int], reason: str
) -> None:
    """No more than the limit are in flight over both; what ends is free for either at once."""
    common, provider, found = Common(), Provider(), list[str]()
    await network.answer("openai", provider)
    async with replicas(network, common, **options) as bridges:
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(post, bridges[number % 2], found)
        assert sorted(found) == ["200"] * 3 + [reason] * 5
        assert provider.most == 3
        assert not common.held
        await trio.sleep(0.2)
        await post(bridges[0], found)
        await post(bridges[1], found)
        assert found[-2:] == ["200", "200"]


async def test_a_full_bridge_does_not_ask_for_each_refusal(autojump_clock: MockClock, network: Network) -> None:
    """While another replica has all slots, one ask is denied, and hundreds are refused without any."""
    common, found = Common(), list[str]()
    await network.answer("openai", Provider(20.0))
    async with replicas(network, common, max_concurrency=2) as (first, second), trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(post, first, list[str]())
        await trio.sleep(0.1)
        before = common.asks
        for _ in range(500):
            await post(second, found)
            await trio.sleep(0.01)
        assert set(found) == {"capacity"}
        assert common.asks - before == 1
        nursery.cancel_scope.cancel()
    await trio.sleep(1)
    assert not common.held


async def test_queue_over_all(autojump_clock: MockClock, network: Network) -> None:
    """A request that the store denies waits in its replica's queue, and goes soon after another one has ended."""
    common, provider, found = Common(), Provider(1.0), list[str]()
    await network.answer("openai", provider)
    async with replicas(network, common, max_concurrency=2, queue_size=50, queue_timeout=60.0) as bridges:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(post, bridges[number % 2], found, f"k{number % 3}")
        assert found == ["200"] * 20
        assert provider.most == 2
        assert trio.current_time() - began < 10 * (1.0 + 0.2)
        assert not common.held


async def test_rate_over_all(autojump_clock: MockClock, network: Network) -> None:
    """A caller's rate is that of all replicas; a refused request has its turn named, and headers are true."""
    common, found = Common(), list[str]()
    await network.answer("openai", ok)
    async with replicas(network, common, known_callers=rated(Rate(4, 10.0))) as bridges:
        left = [
            (await post(bridges[n % 2], found, "token of a")).headers["x-ratelimit-remaining"] for n in range(4)
        ]
        assert left == ["3", "2", "1", "0"]
        answer = await post(bridges[0], found, "token of a")
        assert answer.headers["x-aibridge-reject"] == "rate_limit"
        assert 9_900 < int(answer.headers["retry-after-ms"]) <= 12_100  # and a spread
        asks = common.asks
        later = await post(bridges[0], found, "token of a")
        assert common.asks == asks
        assert int(later.headers["retry-after-ms"]) > int(answer.headers["retry-after-ms"]) + 2000
        assert later.headers["x-ratelimit-remaining"] == "0"
        await trio.sleep(10)
        await post(bridges[1], found, "token of a")
        assert found == ["200"] * 4 + ["rate_limit"] * 2 + ["200"]


async def test_tokens_and_budgets_over_all(autojump_clock: MockClock, network: Network) -> None:
    """Estimates that run on one replica count on the other, and then what was used."""
    common = Common()
    await network.answer("openai", using(90, 20, after=5))
    callers: KnownCallers = known(
        spender("a", tokens=1000),
        spender("b", budget=TokenBudget(1000, "day")),
        spender("c", class_name="k"),
        k=600,
    )
    answers: list[httpx.Response] = []

    async def one(bridge: Running, name: str, tokens: int) -> None:
        answers.append(await ask(bridge.client, name, body(tokens, max_tokens=300)))

    async with replicas(network, common, known_callers=callers) as (first, second):
        for name, tokens in (("a", 500), ("b", 700), ("c", 200)):
            answers.clear()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one, first, name, tokens)
                await trio.sleep(1)
                nursery.start_soon(one, second, name, tokens)
            assert [each.headers.get("x-aibridge-reject") for each in answers] == ["token_limit", None], name
            await one(second, name, 100)
            assert answers[-1].status_code == 200, name
            held = [key for key in common.held if not key.startswith("slots")]
            assert not held


async def test_a_budget_that_one_replica_spent_is_spent_for_the_other(
    autojump_clock: MockClock, network: Network
) -> None:
    """403 by what the store says, and then without asking."""
    common = Common()
    await network.answer("openai", using(900, 200))
    async with replicas(network, common, known_callers=known(spender("b", budget=TokenBudget(1000, "day")))) as (
        first,
        second,
    ):
        assert (await ask(first.client, "b", body(100))).status_code == 200
        for _ in range(2):
            answer = await ask(second.client, "b", body(100))
            assert answer.headers["x-aibridge-reject"] == "budget_exhausted"
        assert common.asks == 2


async def test_away_and_back(autojump_clock: MockClock, network: Network) -> None:
    """While the store is away each replica has its part; when it is back, nothing jumps above the limit."""
    common, provider, found = Common(), Provider(1.0), list[str]()
    await network.answer("openai", provider)
    async with replicas(network, common, max_concurrency=4) as bridges:
        await post(bridges[0], found)
        await trio.sleep(2)
        for store in common.stores:
            store.cut()
        for away in (True, False):
            found.clear()
            async with trio.open_nursery() as nursery:
                for number in range(16):
                    nursery.start_soon(post, bridges[number % 2], found)
            assert sorted(found) == ["200"] * 4 + ["capacity"] * 12
            assert provider.most <= 4
            if away:
                for store in common.stores:
                    store.mend()
        await trio.sleep(5)
        async with trio.open_nursery() as nursery:
            found.clear()
            for _ in range(6):
                nursery.start_soon(post, bridges[0], found)
        assert sorted(found) == ["200"] * 4 + ["capacity"] * 2
        assert not common.held


async def test_closed(autojump_clock: MockClock, network: Network) -> None:
    """With --store-failure closed nothing goes while the store is away."""
    common, found = Common(), list[str]()
    await network.answer("openai", ok)
    store = common.store("closed")
    async with network.bridge(host="b0", common_store=store, max_concurrency=4) as bridge:
        store.cut()
        answer = await post(bridge, found)
        assert (answer.status_code, found) == (503, ["store_unavailable"])
        store.mend()
        await post(bridge, found)
        assert found[-1] == "200"


async def test_nothing_is_asked_without_limits(autojump_clock: MockClock, network: Network) -> None:
    """A request with nothing to count costs no round trip."""
    common, found = Common(), list[str]()
    await network.answer("openai", ok)
    async with replicas(network, common) as (first, _):
        await post(first, found)
    assert found == ["200"]
    assert common.asks == 0


async def test_shadow_refuses_nothing(autojump_clock: MockClock, network: Network) -> None:
    """Over all replicas too a limit in shadow only counts, what would have been refused as well."""
    common, found = Common(), list[str]()
    await network.answer("openai", Provider(1.0))
    async with replicas(
        network, common, max_concurrency=1, rate_limit=2, shadow=("concurrency", "rate")
    ) as bridges:
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(post, bridges[number % 2], found)
        assert found == ["200"] * 4
        counted = 0.0
        for bridge in bridges:
            shown = (await bridge.admin.get("/metrics")).text
            [line] = re.findall(r'^aibridge_would_reject_total\{reason="capacity"\} (\S+)$', shown, re.MULTILINE)
            counted += float(line)
        assert counted == 3  # all but the first, whichever that is
        assert not common.held


async def test_a_caller_that_leaves_gives_all_back(autojump_clock: MockClock, network: Network) -> None:
    """At the ask itself, in the queue, and at the provider."""
    common = Common(latency=0.5)
    await network.answer("openai", Provider(100.0))
    callers = known(spender("a", tokens=10_000, budget=TokenBudget(100_000, "day")))
    async with replicas(
        network, common, known_callers=callers, max_concurrency=1, queue_size=5, rate_limit=50
    ) as bridges:
        for moment in (0.2, 0.7, 1.5, 3.0):
            with trio.move_on_after(moment):
                async with trio.open_nursery() as nursery:
                    for bridge in bridges:
                        nursery.start_soon(ask, bridge.client, "a", body(100))
            await trio.sleep(3)
            assert not common.held, moment
            assert not common.stores[0].held
