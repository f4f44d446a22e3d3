"""Providers of the operator's own, in front of the whole bridge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import KeyTable, ProviderTable, RouteTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, JSON, failing, ok, recording
from tests.support.network import Network

KEY = KeyTable(label="azure", secret=Secret("k-azure"))
AZURE = ProviderTable(
    name="azure",
    dialect="openai",
    base_url="http://azure/openai/v1",
    keys=(KEY,),
    key_header="api-key",
    headers=(("x-team", "blue"), ("user-agent", "bridge")),
)
VLLM = ProviderTable(name="vllm", dialect="openai", base_url="http://vllm:8000/v1", keyless=True)
BEDROCK = ProviderTable(name="bedrock", dialect="anthropic", base_url="http://bedrock/anthropic", keys=(KEY,))


async def test_each_has_its_prefix_and_its_key(autojump_clock: MockClock, network: Network) -> None:
    """The key goes up in the header of the API or its own; no credential of the caller does."""
    seen: list[Request] = []
    for host in ("azure", "vllm:8000", "bedrock"):
        await network.answer(host.partition(":")[0], recording(seen))
    own = {"authorization": "Bearer own", "api-key": "own", "x-api-key": "own"}
    async with network.bridge(provider_tables=(AZURE, VLLM, BEDROCK)) as bridge:
        for path in ("/azure/v1/chat/completions", "/vllm/v1/chat/completions", "/bedrock/v1/messages"):
            assert (await bridge.client.post(path, headers=own)).status_code == 200
    assert [request.path for request in seen] == [
        b"/openai/v1/chat/completions",
        b"/v1/chat/completions",
        b"/anthropic/v1/messages",
    ]
    names = (b"authorization", b"api-key", b"x-api-key")
    sent = [[header for header in request.headers if header[0] in names] for request in seen]
    assert sent == [[(b"api-key", b"k-azure")], [], [(b"x-api-key", b"k-azure")]]


async def test_headers_of_an_instance_replace_the_callers(autojump_clock: MockClock, network: Network) -> None:
    """They go up with every request, once each."""
    seen: list[Request] = []
    await network.answer("azure", recording(seen))
    async with network.bridge(provider_tables=(AZURE,)) as bridge:
        await bridge.client.post("/azure/v1/embeddings", headers={"x-team": "red", "User-Agent": "c"})
    assert seen[0].header_values(b"x-team") == [b"blue"]
    assert seen[0].header_values(b"user-agent") == [b"bridge"]


async def test_a_provider_that_is_switched_off_is_not_found(autojump_clock: MockClock, network: Network) -> None:
    """Its routes are no routes; the dialect of the reject is OpenAI's."""
    await network.answer("anthropic", ok)
    async with network.bridge(disabled_providers=frozenset({"anthropic"})) as bridge:
        answer = await bridge.client.post("/anthropic/v1/messages")
        assert answer.headers["x-aibridge-reject"] == "not_found"
        assert "anthropic" not in [each["name"] for each in (await bridge.status())["providers"]]
    assert "anthropic" not in network.dialled


async def test_a_breaker_is_an_instance_s_own(autojump_clock: MockClock, network: Network) -> None:
    """One that fails opens its own breaker; metrics, status and overrides go by its name."""
    await network.answer("openai", ok)
    await network.answer("vllm", failing(503))
    path = "/vllm/v1/chat/completions"
    async with network.bridge(
        provider_tables=(VLLM,), circuit_breaker=True, circuit_breaker_failure_threshold=1
    ) as bridge:
        assert (await bridge.client.post(path)).status_code == 503
        answer = await bridge.client.post(path)
        assert answer.headers["x-aibridge-reject"] == "circuit_open"
        assert answer.json()["message"].startswith("vllm is currently unavailable")
        assert (await bridge.client.post(CHAT)).status_code == 200
        assert await bridge.metric("circuit_breaker_state", provider="vllm") == 1
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 0
        assert (await bridge.admin.post("/breakers/vllm", json={"mode": "close"})).status_code == 200
        *_, vllm = (await bridge.status())["providers"]
        assert (vllm["name"], vllm["type"], vllm["breaker"]["state"]) == ("vllm", "openai", "closed")


async def test_stored_data_of_a_keyless_provider_is_not_served(
    autojump_clock: MockClock, network: Network
) -> None:
    """All callers share its account, as with a central key."""
    await network.answer("vllm", ok)
    async with network.bridge(provider_tables=(VLLM,)) as bridge:
        headers = {"authorization": "Bearer own"}
        assert (await bridge.client.get("/vllm/v1/responses/r", headers=headers)).status_code == 404


@pytest.mark.parametrize("status", [200, 401])
async def test_a_key_of_an_instance_is_masked(autojump_clock: MockClock, network: Network, status: int) -> None:
    """An error that echoes it does not show it."""
    await network.answer("azure", failing(status, b'{"error":{"message":"bad key k-azure"}}'))
    async with network.bridge(provider_tables=(AZURE,)) as bridge:
        answer = await bridge.client.post("/azure/v1/chat/completions")
    assert "k-azure" not in answer.text


async def test_a_reload_changes_keys_headers_and_routes_of_the_next_request(
    autojump_clock: MockClock, network: Network
) -> None:
    """A request that is on its way keeps its own; a provider that is gone ends its requests first."""
    seen: list[Request] = []
    release = trio.Event()

    async def slow(request: Request, reply: Reply) -> None:
        seen.append(request)
        await reply.start(200, JSON)
        await release.wait()
        await reply.send(b"{}")
        await reply.end()

    await network.answer("azure", slow)
    await network.answer("bedrock", recording(seen))
    await network.answer("vllm", recording(seen))
    route = RouteTable(model="m", providers=("azure", "vllm"))
    changed = replace(
        AZURE, key_header=None, headers=(("x-team", "red"),), keys=(replace(KEY, secret=Secret("k-new")),)
    )
    ask: dict[str, Any] = {"url": "/v1/chat/completions", "json": {"model": "m"}}
    async with network.bridge(provider_tables=(AZURE, VLLM), routes=(route,)) as bridge:
        answers: list[int] = []

        async def call() -> None:
            answers.append((await bridge.client.post(**ask)).status_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await trio.sleep(1)
            await bridge.reload(provider_tables=(changed, VLLM))
            nursery.start_soon(call)
            await trio.sleep(1)
            await bridge.reload(provider_tables=(VLLM,), routes=(replace(route, providers=("vllm",)),))
            assert (await bridge.client.post(**ask)).status_code == 200
            assert (await bridge.client.post("/azure/v1/chat/completions")).status_code == 404
            assert not answers
            release.set()
        assert answers == [200, 200]
    assert [request.header(b"api-key") for request in seen] == [b"k-azure", None, None]
    assert [request.header(b"authorization") for request in seen] == [None, b"Bearer k-new", None]
    assert [request.header(b"x-team") for request in seen] == [b"blue", b"red", None]
    assert [request.header(b"host") for request in seen] == [b"azure", b"azure", b"vllm:8000"]
