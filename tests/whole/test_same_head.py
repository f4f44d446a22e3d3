"""A head that comes again on its connection: what was remembered of it never outlives what it followed from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from trio.testing import MockClock

from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.terms import Rate, Terms
from aibridge_trio.http.message import Request
from tests.support.handlers import recording
from tests.support.known_callers import DEV, KNOWN, OTHER, bearer
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"
ASK = {"model": "gpt-5", "messages": []}


class Provider:
    """Answers 200; `requests` are those that came."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def last(self, name: bytes) -> bytes | None:
        """Return a header of the last request."""
        return self.requests[-1].header(name)


@pytest.fixture
async def provider(network: Network) -> Provider:
    provider = Provider()
    await network.answer("openai", recording(provider.requests))
    return provider


async def ask(bridge: Any, headers: dict[str, str] | None = None, times: int = 1) -> httpx.Response:
    """Send requests whose heads are the same; return the last answer."""
    for _ in range(times):
        answer: httpx.Response = await bridge.client.post(CHAT, json=ASK, headers=headers)
    return answer


def without(name: str) -> KnownCallers:
    return replace(KNOWN, callers=tuple(each for each in KNOWN.callers if each.name != name))


def changed(name: str, terms: Terms) -> KnownCallers:
    return replace(
        KNOWN, callers=tuple(replace(each, terms=terms) if each.name == name else each for each in KNOWN.callers)
    )


async def test_another_credential_is_another_caller(
    autojump_clock: MockClock, network: Network, provider: Provider
) -> None:
    """On the same connection, and back again: each goes up with its own, and is counted by itself."""
    async with network.bridge(rate_limit=2) as bridge:
        for key in ("sk-a", "sk-b", "sk-a", "sk-b"):
            assert (await ask(bridge, bearer(key))).status_code == 200
            assert provider.last(b"authorization") == f"Bearer {key}".encode()
        assert (await ask(bridge, bearer("sk-a"))).status_code == 429
        assert (await ask(bridge, bearer("sk-c"))).status_code == 200


async def test_a_token_goes_up_never(autojump_clock: MockClock, network: Network, provider: Provider) -> None:
    """It is removed of each request, not of the first one only; other headers go up each time."""
    async with network.bridge(known_callers=KNOWN, openai_api_key=Secret("sk-central")) as bridge:
        for _ in range(3):
            answer = await ask(bridge, bearer(DEV) | {"x-aibridge-token": OTHER, "openai-beta": "x"})
            assert answer.status_code == 200
            request = provider.requests[-1]
            assert request.header(b"authorization") == b"Bearer sk-central"
            assert request.header(b"openai-beta") == b"x"
            assert not [value for _, value in request.headers if DEV.encode() in value or OTHER.encode() in value]


@pytest.mark.parametrize(
    ("after", "status"),
    [
        (dict[str, Any](known_callers=without("dev-07")), 401),
        (dict[str, Any](known_callers=changed("dev-07", Terms(models=("claude-*",)))), 403),
        (dict[str, Any](known_callers=changed("dev-07", Terms(rate=Rate(1, 60.0)))), 429),
        (dict[str, Any](known_callers=KNOWN, max_body=10), 413),
    ],
    ids=["a revoked token", "models", "a rate", "--max-body"],
)
async def test_a_reload_holds_for_the_next_request(
    autojump_clock: MockClock, network: Network, provider: Provider, after: dict[str, Any], status: int
) -> None:
    """Whatever has changed: the request that comes next on the same connection is judged by it."""
    central = {"openai_api_key": Secret("sk-central"), "anthropic_api_key": Secret("sk-central")}
    async with network.bridge(known_callers=KNOWN, **central) as bridge:
        assert (await ask(bridge, bearer(DEV), times=2)).status_code == 200
        await bridge.reload(**central, **after)
        seen = len(provider.requests)
        assert (await ask(bridge, bearer(DEV), times=2)).status_code == status
        assert len(provider.requests) <= seen + (status == 429)


async def test_a_new_key_goes_up_with_the_next_request(
    autojump_clock: MockClock, network: Network, provider: Provider
) -> None:
    """And so do the headers that the operator adds."""
    async with network.bridge(openai_api_key=Secret("sk-old"), openai_organization="old") as bridge:
        await ask(bridge, times=2)
        assert (provider.last(b"authorization"), provider.last(b"openai-organization")) == (
            b"Bearer sk-old",
            b"old",
        )
        await bridge.reload(openai_api_key=Secret("sk-new"), openai_organization="new")
        await ask(bridge)
        assert (provider.last(b"authorization"), provider.last(b"openai-organization")) == (
            b"Bearer sk-new",
            b"new",
        )


async def test_each_request_has_an_id_of_its_own(
    autojump_clock: MockClock, network: Network, provider: Provider
) -> None:
    """The one that goes up is the one that the caller gets."""
    async with network.bridge() as bridge:
        ids = set()
        for _ in range(3):
            answer = await ask(bridge)
            assert answer.headers["x-request-id"].encode() == provider.last(b"x-request-id")
            ids.add(answer.headers["x-request-id"])
        assert len(ids) == 3


async def test_what_connection_names_goes_up_never(
    autojump_clock: MockClock, network: Network, provider: Provider
) -> None:
    """A header that `Connection` names is this hop's, in each request."""
    async with network.bridge() as bridge:
        for _ in range(2):
            await ask(bridge, {"connection": "keep-alive, x-private", "x-private": "a"})
            assert provider.last(b"x-private") is None
        await ask(bridge, {"x-private": "a"})
        assert provider.last(b"x-private") == b"a"
