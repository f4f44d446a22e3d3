"""The whole path in memory: breakers by endpoint and by model."""

from __future__ import annotations

import json
from typing import Any

from trio.testing import MockClock

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.errors import BodyTooLarge
from aibridge_trio.events import Finished, Transitioned
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.providers import OPENAI
from tests.support.failing_provider import (
    CHAT,
    JSON,
    RESPONSES,
    RULES,
    Provider,
    breaker,
    fail,
    reason,
)
from tests.support.network import Network


async def test_each_endpoint_has_its_own(autojump_clock: MockClock, network: Network) -> None:
    """With scope endpoint one route's outage refuses that route; others, and what passes through, go on."""

    async def provider(request: Request, reply: Reply) -> None:
        await reply.answer(503 if request.path.endswith(b"/completions") else 200, JSON, b"{}")

    await network.answer("openai", provider)
    async with network.bridge(**RULES, circuit_breaker_scope="endpoint") as bridge:
        await fail(bridge)
        assert reason(await bridge.client.post(CHAT)) == "circuit_open"
        assert reason(await bridge.client.post(RESPONSES)) == "200"
        assert reason(await bridge.client.get("/openai/v1/models")) == "200"
        state = breaker(bridge)
        assert (state["scope"], state["state"], state["trips"], state["rejects"]) == ("endpoint", "open", 1, 1)
        scopes = {scope["name"]: (scope["state"], scope["trips"], scope["rejects"]) for scope in state["scopes"]}
        assert scopes.pop("/chat/completions") == ("open", 1, 1)
        others = {route.pattern for route in OPENAI.routes if route.intercepted} - {"/chat/completions"}
        assert scopes == dict.fromkeys(others, ("closed", 0, 0))
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 1
        labels = {"provider": "openai", "scope": "/chat/completions"}
        assert await bridge.metric("circuit_breaker_scope_state", **labels) == 1
        assert await bridge.metric("circuit_breaker_scope_trips_total", **labels) == 1
        assert await bridge.metric("circuit_breaker_scope_rejects_total", **labels) == 1
    [trip] = bridge.published(Transitioned)
    assert trip.scope == "/chat/completions"
    assert [event.scope for event in bridge.published(Finished)] == ["/chat/completions"] * 3 + [
        "/responses",
        None,
    ]


BY_MODEL: dict[str, Any] = {
    **RULES,
    "circuit_breaker_scope": "model",
    "circuit_breaker_models": ("gpt-5", "o*"),
}


def asking(model: object, padding: int = 0) -> bytes:
    """Return a request's body, with the model behind the rest of it, as SDKs send it."""
    return json.dumps({"messages": [{"model": "gpt-5", "content": "x" * padding}], "model": model}).encode()


async def test_named_models_have_their_own(autojump_clock: MockClock, network: Network) -> None:
    """One model's outage refuses that model, wherever its name stands in the body; all others share one."""

    async def provider(request: Request, reply: Reply) -> None:
        body = b"".join([piece async for piece in request.body])
        ill = json.loads(body)["model"] in ("gpt-5", "unknown-1") if body else False
        await reply.answer(503 if ill else 200, JSON, b"{}")

    await network.answer("openai", provider)
    async with network.bridge(**BY_MODEL) as bridge:

        async def ask(model: object, padding: int = 0) -> str:
            return reason(await bridge.client.post(CHAT, content=asking(model, padding)))

        assert [await ask("gpt-5", 300_000) for _ in range(3)] == ["503", "503", "circuit_open"]
        assert [await ask("o3"), await ask("gpt-4")] == ["200", "200"]
        assert [await ask("unknown-1") for _ in range(2)] == ["503", "503"]
        assert [await ask("unknown-2"), await ask("gpt-5-mini"), await ask(7)] == ["circuit_open"] * 3
        assert await ask("o3") == "200"
        assert reason(await bridge.client.get("/openai/v1/models")) == "200"
        scopes = {scope["name"]: scope["state"] for scope in breaker(bridge)["scopes"]}
        assert scopes == {"gpt-5": "open", "o*": "closed", "other": "open"}


async def test_a_body_that_was_read_ahead_goes_up_as_it_came(autojump_clock: MockClock, network: Network) -> None:
    """A buffered body goes up byte for byte, sized or chunked, and --max-body bounds it."""
    provider = Provider()
    await network.answer("openai", provider)

    async def pieces() -> Any:
        for at in range(0, len(body), 1000):
            yield body[at : at + 1000]

    body = asking("gpt-5", 5000)
    async with network.bridge(**BY_MODEL, max_body=10_000) as bridge:
        assert (await bridge.client.post(CHAT, content=body)).status_code == 200
        assert (await bridge.client.post(CHAT, content=pieces())).status_code == 200
        assert (await bridge.client.post(CHAT)).status_code == 200
        body = asking("gpt-5", 20_000)
        for content in (body, pieces()):
            answer = await bridge.client.post(CHAT, content=content)
            assert reason(answer) == BodyTooLarge.reason
    assert provider.bodies == [asking("gpt-5", 5000), asking("gpt-5", 5000), b""]


async def test_a_body_is_not_read_when_all_is_open(autojump_clock: MockClock, network: Network) -> None:
    """A request that is certain to be refused is rejected before its upload."""
    async with network.bridge(**BY_MODEL) as bridge:
        backend = bridge.bridge.router.get("openai")
        assert backend
        backend.circuits.override(Mode.OPEN)
        stream = network.dial("bridge")
        await stream.send_all(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\ncontent-length: 9\r\n"
            b"expect: 100-continue\r\n\r\n"
        )
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 503 ")
        await stream.aclose()


async def test_what_passes_through_is_refused_while_all_is_open(
    autojump_clock: MockClock, network: Network
) -> None:
    """An override applies to all scopes."""
    await network.answer("openai", Provider())
    async with network.bridge(**BY_MODEL) as bridge:
        answer = await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        assert {scope["state"] for scope in answer.json()["scopes"]} == {"open"}
        assert reason(await bridge.client.get("/openai/v1/models")) == "circuit_open"
        await bridge.admin.post("/breakers/openai", json={"mode": "auto"})
        assert reason(await bridge.client.get("/openai/v1/models")) == "200"


async def test_names_that_callers_send_make_nothing_grow(autojump_clock: MockClock, network: Network) -> None:
    """However many models are asked for, there are as many breakers and series as are configured."""
    await network.answer("openai", Provider())
    async with network.bridge(**BY_MODEL) as bridge:
        before = len((await bridge.admin.get("/metrics")).text.splitlines())
        for n in range(100):
            await bridge.client.post(CHAT, content=asking(f"m-{n}"))
        after = (await bridge.admin.get("/metrics")).text
        assert len(after.splitlines()) == before
        assert "m-7" not in after
