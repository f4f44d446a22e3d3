"""The one ask of a request, on its different ways: see also tests/whole/test_replicas.py."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import ProviderTable, RouteTable
from aibridge_trio.events import Held
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import JSON, ok
from tests.support.ledger_store import Common
from tests.support.network import Network

MODEL = b'{"model":"m","messages":[]}'


def routed(**limits: int) -> dict[str, Any]:
    """Options for a model with two providers, each with as many in flight as these say."""
    tables = tuple(
        ProviderTable(name=name, dialect="openai", base_url=f"http://{name}/v1", max_concurrency=limit)
        for name, limit in limits.items()
    )
    return {"provider_tables": tables, "routes": (RouteTable(model="m", providers=tuple(limits)),)}


async def slow(request: Request, reply: Reply) -> None:
    async for _ in request.body:
        pass
    await trio.sleep(10)
    await reply.answer(200, JSON, b"{}")


@pytest.mark.parametrize("path", ["/", "/openai/v1/models", "/openai/v1/chat/completions"])
async def test_each_request_asks_once(autojump_clock: MockClock, network: Network, path: str) -> None:
    """Those that the bridge answers itself, too."""
    common = Common()
    await network.answer("openai", ok)
    async with network.bridge(
        common_store=common.store(), max_concurrency=5, max_concurrency_per_provider=5
    ) as bridge:
        await bridge.client.request("POST" if "chat" in path else "GET", path, content=MODEL)
        assert common.asks == 1
        assert not common.held


async def test_another_provider_is_asked_for_when_the_first_is_full_elsewhere(
    autojump_clock: MockClock, network: Network
) -> None:
    """The request goes to the next provider of its route, and later ones go there without asking for the first."""
    common = Common()
    await network.answer("one", slow)
    await network.answer("two", ok)
    options = routed(one=1, two=5)
    async with (
        network.bridge(host="b0", common_store=common.store(), **options) as first,
        network.bridge(host="b1", common_store=common.store(), **options) as second,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(lambda: first.client.post("/v1/chat/completions", content=MODEL))
        await trio.sleep(1)
        assert common.held == {"provider:one": 1}
        for asks in (3, 4):
            answer = await second.client.post("/v1/chat/completions", content=MODEL)
            assert answer.status_code == 200
            assert answer.content == b'{"ok":true}'
            assert common.asks == asks
        await trio.sleep(20)
        assert not common.held


async def test_it_waits_for_any_provider_if_all_are_full_elsewhere(
    autojump_clock: MockClock, network: Network
) -> None:
    """And goes soon after one of them is free; without a queue it is rejected."""
    common = Common()
    await network.answer("one", slow)
    await network.answer("two", slow)
    for queue_size, status in ((9, 200), (0, 503)):
        options = {**routed(one=1, two=1), "queue_size": queue_size, "queue_timeout": 60.0}
        async with (
            network.bridge(host="b0", common_store=common.store(), **options) as first,
            network.bridge(host="b1", common_store=common.store(), **options) as second,
        ):
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(lambda: first.client.post("/v1/chat/completions", content=MODEL))
                    await trio.sleep(1)
                began = trio.current_time()
                answer = await second.client.post("/v1/chat/completions", content=MODEL)
                took = trio.current_time() - began
            assert answer.status_code == status
            assert (17.9 < took < 18.3) if queue_size else (took < 1)
            assert not common.held
        del network.listeners["b0"], network.listeners["b1"]


async def test_closed_refuses_only_what_is_limited(autojump_clock: MockClock, network: Network) -> None:
    """While the store is away, what the bridge answers is served, and what only limits in shadow concern."""
    common = Common()
    await network.answer("one", ok)
    store = common.store("closed")
    for shadow, status in (((), 503), (("concurrency-per-provider",), 200)):
        options = {"shadow": shadow, "max_concurrency_per_provider": 5, **routed(one=5)}
        async with network.bridge(common_store=store, **options) as bridge:
            store.cut()
            answer = await bridge.client.post("/v1/chat/completions", content=MODEL)
            assert answer.status_code == status
            store.mend()
        del network.listeners["bridge"]
    async with network.bridge(common_store=store, max_concurrency=5, **routed(one=5)) as bridge:
        store.cut()
        assert (await bridge.client.get("/v1/models")).json()["data"][0]["id"] == "m"
        assert (await bridge.client.get("/")).status_code == 200
        store.mend()
    await trio.sleep(1)
    assert not common.held


async def test_a_held_request_that_the_store_s_absence_ends(autojump_clock: MockClock, network: Network) -> None:
    """Where nothing goes without the store, the hold's outcome is that of a reject: its caller has not left."""

    async def pushes_back(request: Request, reply: Reply) -> None:
        store.cut()
        await reply.answer(529, JSON, b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}')

    await network.answer("anthropic", pushes_back)
    store = Common().store("closed")
    async with network.bridge(common_store=store, max_concurrency=1, adaptive=True) as bridge:
        answer = await bridge.client.post("/anthropic/v1/messages", content=MODEL)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "store_unavailable")
        assert bridge.published(Held)[-1].outcome == "rejected"


async def test_a_held_request_asks_again_before_it_goes_up_again(
    autojump_clock: MockClock, network: Network
) -> None:
    """While it is held others may have its slot; denied, it is back in line, and goes when the slot is free."""
    common, answers = Common(), list[float]()
    await network.answer("openai", slow)
    refusals = 2

    async def pushes_back(request: Request, reply: Reply) -> None:
        nonlocal refusals
        async for _ in request.body:
            pass
        refusals -= 1
        if refusals >= 0:
            await reply.answer(529, JSON, b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}')
        else:
            await reply.answer(200, JSON, b"{}")

    await network.answer("anthropic", pushes_back)
    options = {"max_concurrency": 1, "adaptive": True}

    async def held(client: httpx.AsyncClient) -> None:
        answers.append((await client.post("/anthropic/v1/messages", content=MODEL)).status_code)
        answers.append(trio.current_time() - began)

    async with (
        network.bridge(host="b0", common_store=common.store(), **options) as first,
        network.bridge(host="b1", common_store=common.store(), **options) as second,
        trio.open_nursery() as nursery,
    ):
        began = trio.current_time()
        nursery.start_soon(held, first.client)
        await trio.sleep(0.1)
        assert not common.held
        answer = await second.client.post("/openai/v1/chat/completions", content=MODEL)
        assert answer.status_code == 200
        await trio.sleep(15)
        assert answers[0] == 200
        assert 10 < answers[1] < 20
        assert not common.held
        assert not first.bridge.admission.statistics().in_flight
