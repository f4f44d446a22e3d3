"""Reloads that take away a provider while requests wait for it, are held for it, or are between two providers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import ProviderTable, RouteTable
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import JSON, ok
from tests.support.network import Network

CHAT = "/v1/chat/completions"


def provider(name: str, **options: Any) -> ProviderTable:
    return ProviderTable(name=name, dialect="openai", base_url=f"http://{name}", keyless=True, **options)


ROUTED: dict[str, Any] = {
    "provider_tables": (provider("a"), provider("b")),
    "routes": (RouteTable(model="m", providers=("a", "b")),),
}
WITHOUT_B: dict[str, Any] = {
    "provider_tables": (provider("a"),),
    "routes": (RouteTable(model="m", providers=("a",)),),
}


def slow(seconds: float, status: int = 200) -> Any:
    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await trio.sleep(seconds)
        await reply.answer(status, JSON, b"{}")

    return handler


@pytest.mark.parametrize("adaptive", [False, True])
async def test_the_next_provider_is_gone(autojump_clock: MockClock, network: Network, adaptive: bool) -> None:
    """The request was accepted for both: it still goes to the second one, whose connections are there."""
    await network.answer("a", slow(30, 429))
    await network.answer("b", ok)
    async with network.bridge(**ROUTED, adaptive=adaptive) as bridge, trio.open_nursery() as nursery:
        answers: list[httpx.Response] = []

        async def ask() -> None:
            answers.append(await bridge.client.post(CHAT, json={"model": "m"}))

        nursery.start_soon(ask)
        await trio.sleep(1)
        await bridge.reload(**WITHOUT_B)
        await trio.sleep(60)
        assert [each.status_code for each in answers] == [200]


async def test_a_queued_request_of_a_provider_that_is_gone(autojump_clock: MockClock, network: Network) -> None:
    """It was accepted, and is served in its turn."""
    await network.answer("a", slow(30))
    await network.answer("b", ok)
    options: dict[str, Any] = {"max_concurrency": 1, "queue_size": 5, "queue_timeout": 60.0}
    async with network.bridge(**ROUTED, **options) as bridge, trio.open_nursery() as nursery:
        answers: list[int] = []

        async def ask(path: str) -> None:
            answers.append((await bridge.client.post(path, json={"model": "m"})).status_code)

        nursery.start_soon(ask, "/a/v1/chat/completions")
        await trio.sleep(1)
        nursery.start_soon(ask, "/b/v1/chat/completions")
        await trio.sleep(1)
        await bridge.reload(**WITHOUT_B)
        await trio.sleep(60)
        assert answers == [200, 200]
