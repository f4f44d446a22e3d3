"""What a bill asks of the store and gives back; what it charges here is in test_spending.py."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import ProviderTable
from aibridge_trio.core.terms import Rate, TokenBudget
from aibridge_trio.http.message import Reply, Request
from tests.support.ledger_store import Common
from tests.support.network import Network
from tests.support.spenders import ask, body, known, spender, using


def held(common: Common) -> dict[str, int]:
    """What is held, by the beginnings of keys."""
    return {":".join(key.split(":")[:3]): amount for key, amount in common.held.items()}


async def test_estimates_are_held_while_requests_run(autojump_clock: MockClock, network: Network) -> None:
    """For caller, class and budget; afterwards the store knows what was used."""
    common = Common()
    await network.answer("openai", using(90, 20, after=5))
    callers = known(spender("a", "k", tokens=1000, budget=TokenBudget(200, "day")), k=2000)
    async with network.bridge(common_store=common.store(), known_callers=callers) as bridge:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, bridge.client, "a", body(100, max_tokens=300))
            await trio.sleep(1)
            assert held(common) == {"use:60:tokens": 400, "budget:spent:caller": 400}
        assert not common.held
        answer = await ask(bridge.client, "a", body(100, max_tokens=100))
        assert answer.headers["x-ratelimit-remaining-tokens"] == "690"
        assert (await ask(bridge.client, "a", body(10))).headers["x-aibridge-reject"] == "budget_exhausted"


async def test_what_did_not_go_up_costs_nothing(autojump_clock: MockClock, network: Network) -> None:
    """Neither tokens nor one of the provider's requests, without a connection."""
    common = Common()
    table = ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", rate=Rate(3, 60.0))
    async with network.bridge(
        common_store=common.store(), known_callers=known(spender("a", tokens=1000)), provider_tables=(table,)
    ) as bridge:
        for _ in range(5):
            assert (await ask(bridge.client, "a", body(100, max_tokens=500))).status_code == 502
        await network.answer("openai", using(10, 10))
        found = [await ask(bridge.client, "a", body(50, max_tokens=10)) for _ in range(4)]
        assert [each.headers.get("x-aibridge-reject") for each in found] == [None, None, None, "rate_limit"]
        assert not common.held


@pytest.mark.parametrize("tokens", [3000, 500])
async def test_while_the_store_is_away_a_part_may_be_used(
    autojump_clock: MockClock, network: Network, tokens: int
) -> None:
    """Half of a limit or of a budget, with two replicas; and what was used counts when the store is back."""
    common = Common()
    await network.answer("openai", using(300, 100))
    budget = TokenBudget(1000, "day") if tokens == 3000 else None
    callers = known(spender("a", tokens=tokens, budget=budget))
    async with (
        network.bridge(host="b0", common_store=common.store(), known_callers=callers) as first,
        network.bridge(host="b1", common_store=common.store(), known_callers=callers),
    ):
        await trio.sleep(2)
        for store in common.stores:
            store.cut()

        async def one() -> httpx.Response:
            return await ask(first.client, "a", body(50, max_tokens=100))

        assert (await one()).status_code == 200
        reasons = [(await one()).headers.get("x-aibridge-reject") for _ in range(2)]
        assert reasons == ([None, "token_limit"] if budget else ["token_limit"] * 2)
        for store in common.stores:
            store.mend()
        await trio.sleep(70)
        assert not common.held
        answer = await one()
        if budget:
            assert answer.status_code == 200
            assert (await one()).headers["x-aibridge-reject"] == "budget_exhausted"


async def test_what_the_store_said_of_a_budget_is_not_forgotten_while_it_is_away(
    autojump_clock: MockClock, network: Network
) -> None:
    """A request that a replica's part of the slots refuses says nothing of what is spent."""
    common, found = Common(latency=0.5), list[str]()
    usage = iter([9000])

    async def answer(request: Request, reply: Reply) -> None:
        await using(next(usage, 100), 100, after=1)(request, reply)

    await network.answer("openai", answer)
    callers = known(spender("a", budget=TokenBudget(10_000, "day")))
    options: dict[str, Any] = {"max_concurrency": 2, "known_callers": callers}
    async with (
        network.bridge(host="b0", common_store=common.store(), **options) as first,
        network.bridge(host="b1", common_store=common.store(), **options),
    ):

        async def one() -> None:
            answer = await ask(first.client, "a", body(50, max_tokens=100))
            found.append(answer.headers.get("x-aibridge-reject", "ok"))

        await trio.sleep(2)
        await one()
        await one()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            nursery.start_soon(one)
            await trio.sleep(0.2)
            common.stores[0].cut()
        assert sorted(found) == ["capacity", "ok", "ok", "ok"]
        found.clear()
        for _ in range(6):
            await one()
        # Half of the 1,000 that are left is its part.
        assert found.count("ok") <= 2
