"""Which models a caller may use, through the whole path."""

from __future__ import annotations

import gzip
import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio import providers
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.terms import Terms
from aibridge_trio.errors import ModelNotAllowed
from aibridge_trio.gateway.buffering import BufferedBody, BufferMemory
from aibridge_trio.gateway.model_access import WANTED, check_model
from aibridge_trio.http.message import Reply, Request
from tests.support.known_callers import DEV, KNOWN, LIMITED, bearer
from tests.support.network import Network, Running

POST = "/openai/v1/chat/completions"
LONG = "x" * 40_000
FORBIDDEN = "gpt-4o"


class Provider:
    """Keeps the bodies that came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.bodies.append(b"".join([piece async for piece in request.body]))
        await reply.answer(200, [(b"content-type", b"application/json")], b"{}")


async def provider_of(network: Network) -> Provider:
    provider = Provider()
    for name in ("openai", "anthropic", "copilot"):
        await network.answer(name, provider)
    return provider


async def reason(bridge: Running, content: bytes, path: str = POST, **headers: str) -> str | None:
    """Return what a restricted caller's request is rejected with, None if it is not."""
    answer = await bridge.client.post(path, content=content, headers={**bearer(LIMITED), **headers})
    assert answer.status_code in ((200,) if "x-aibridge-reject" not in answer.headers else (403,))
    found: str | None = answer.headers.get("x-aibridge-reject")
    return found


async def test_a_model_of_the_callers_list_goes_up_as_it_came(autojump_clock: MockClock, network: Network) -> None:
    """By name or prefix; the bytes are the same, however long the body is."""
    provider = await provider_of(network)
    async with network.bridge(known_callers=KNOWN) as bridge:
        bodies = [
            json.dumps({"model": model, "input": text}).encode()
            for model, text in product(("gpt-5", "claude-x"), ("", LONG))
        ]
        for body in bodies:
            assert await reason(bridge, body) is None
    assert provider.bodies == bodies


@pytest.mark.parametrize(
    "body",
    [
        {"model": FORBIDDEN},
        {"model": "gpt-5x"},
        {"model": "Claude-x"},
        {"model": ["gpt-5"]},
        {"model": None},
        {},
        [],
        {"input": {"model": "gpt-5"}},
        {"model": "gpt-5", "Model": FORBIDDEN},
        {"MODEL": FORBIDDEN, "model": "gpt-5"},
        {"model": "gpt-5", "models": [FORBIDDEN]},
    ],
    ids=repr,
)
@pytest.mark.parametrize("more", ["", LONG], ids=["short", "long"])
async def test_any_other_body_is_rejected(
    autojump_clock: MockClock, network: Network, body: object, more: str
) -> None:
    """Another model, none, one elsewhere, or one that a lenient provider could read instead."""
    provider = await provider_of(network)
    async with network.bridge(known_callers=KNOWN) as bridge:
        content = json.dumps({**body, "z": more} if isinstance(body, dict) else [more]).encode()
        assert await reason(bridge, content) == "model_not_allowed"
    assert provider.bodies == []


@pytest.mark.parametrize("more", ["", LONG], ids=["short", "long"])
async def test_of_two_models_the_last_counts(autojump_clock: MockClock, network: Network, more: str) -> None:
    """As providers read them, also where the name is escaped."""
    await provider_of(network)
    async with network.bridge(known_callers=KNOWN) as bridge:
        for name in ("model", "mod\\u0065l"):
            first = f'{{"model": "gpt-5", "z": "{more}", "{name}": "{FORBIDDEN}"}}'
            assert await reason(bridge, first.encode()) == "model_not_allowed"
            last = f'{{"{name}": "{FORBIDDEN}", "z": "{more}", "model": "gpt-5"}}'
            assert await reason(bridge, last.encode()) is None


@pytest.mark.parametrize(
    "content", [b"", b"model=gpt-5", b'{"model": "gpt-5"', b'{"model": "gpt-5",}', b'\xff{"a":1}']
)
async def test_what_is_no_json_is_rejected(autojump_clock: MockClock, network: Network, content: bytes) -> None:
    """Its provider might read it otherwise."""
    provider = await provider_of(network)
    async with network.bridge(known_callers=KNOWN) as bridge:
        assert await reason(bridge, content) == "model_not_allowed"
    assert provider.bodies == []


async def test_compressed_and_multipart_bodies_are_rejected_unread(
    autojump_clock: MockClock, network: Network
) -> None:
    """The message says which it is."""
    await provider_of(network)
    body = gzip.compress(b'{"model": "gpt-5"}')
    async with network.bridge(known_callers=KNOWN) as bridge:
        for headers, word in (
            ({"content-encoding": "gzip"}, "compressed"),
            ({"content-type": "multipart/form-data; boundary=x"}, "multipart"),
        ):
            answer = await bridge.client.post(
                "/openai/v1/audio/transcriptions", content=body, headers=bearer(LIMITED) | headers
            )
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")
            assert word in answer.json()["message"]
            assert (await bridge.client.post(POST, content=body, headers=bearer(DEV) | headers)).status_code == 200


@pytest.mark.parametrize(
    "types",
    [
        ["application/x-www-form-urlencoded"],
        ["application/json", "multipart/form-data; boundary=x"],
        ["application/json, Multipart/Form-Data; boundary=x"],
    ],
)
async def test_a_form_that_begins_with_json_is_rejected(
    autojump_clock: MockClock, network: Network, types: list[str]
) -> None:
    """Its reader ignores what is before the first boundary, or sees one more field; the model is in the rest."""
    provider = await provider_of(network)
    field = b"content-disposition: form-data; name=model\r\n\r\ngpt-5"
    body = b'{"model": "claude-x"}&model=gpt-5\r\n--x\r\n%b\r\n--x--' % field
    headers = [*bearer(LIMITED).items(), *(("content-type", each) for each in types)]
    async with network.bridge(known_callers=KNOWN) as bridge:
        answer = await bridge.client.post(POST, content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")
    assert provider.bodies == []


async def test_models_may_be_listed_and_a_hidden_model_is_rejected(
    autojump_clock: MockClock, network: Network
) -> None:
    """A batch names models of its own, wherever it names another one."""
    await provider_of(network)
    own = bearer("sk-own-0123456789") | {"x-aibridge-token": LIMITED}
    async with network.bridge(known_callers=KNOWN) as bridge:
        for path in ("/openai/v1/models", "/openai/v1/models/gpt-4o", "/copilot/models", "/openai/v1/files"):
            assert (await bridge.client.get(path, headers=own)).status_code == 200
        for path in ("/openai/v1/batches", "/anthropic/v1/messages/batches", "/copilot/agents/x"):
            answer = await bridge.client.post(path, json={"model": "gpt-5"}, headers=own)
            assert answer.headers["x-aibridge-reject"] == "model_not_allowed"
        answer = await bridge.client.post("/anthropic/api/event_logging/batch", json={}, headers=own)
        assert answer.status_code == 200


@pytest.mark.parametrize("endpoint", ["chat/completions", "completions", "embeddings"])
async def test_a_deployments_name_counts_like_a_models(
    autojump_clock: MockClock, network: Network, endpoint: str
) -> None:
    """The class AzureOpenAI names it in the path, and again in the body: both must be allowed."""
    await provider_of(network)
    rejected = "model_not_allowed"
    async with network.bridge(known_callers=KNOWN) as bridge:
        for name, model, expected in (
            ("gpt-5", "gpt-5", None),
            ("gpt%2D5", "gpt-5", None),
            (FORBIDDEN, "gpt-5", rejected),
            ("gpt-5", FORBIDDEN, rejected),
        ):
            path = f"/openai/v1/deployments/{name}/{endpoint}"
            assert await reason(bridge, json.dumps({"model": model}).encode(), path) == expected


async def test_the_message_names_what_is_allowed(autojump_clock: MockClock, network: Network) -> None:
    """In the dialect of the path."""
    async with network.bridge(known_callers=KNOWN) as bridge:
        answer = await bridge.client.post(
            "/anthropic/v1/messages", json={"model": FORBIDDEN}, headers={"x-api-key": LIMITED}
        )
        assert answer.status_code == 403
        assert answer.json()["error"]["type"] == "permission_error"
        assert answer.json()["message"] == 'limited may not use the model "gpt-4o", but: claude-*, gpt-5'
        assert answer.headers["x-should-retry"] == "false"


def test_every_post_that_makes_a_model_run_shows_it_or_is_hidden() -> None:
    """A new route is hidden unless its row says otherwise: forgetting it lets no model through."""
    shown = {
        (each.name, route.pattern)
        for each in providers.ALL
        for route in each.routes
        if route.model == "none" and route.methods != frozenset({"GET", "HEAD"})
    }
    assert shown == {
        ("anthropic", "/api/event_logging/*"),
        ("copilot", "/models"),
        ("copilot", "/models/*"),
        ("copilot", "/mcp/*"),
        ("copilot", "/.well-known/*"),
    }


@given(st.dictionaries(st.sampled_from(WANTED), st.sampled_from(["gpt-5", "claude-1", FORBIDDEN])))
def test_only_one_plain_allowed_model_passes(found: dict[str, str]) -> None:
    """Whatever else a body has of these names."""
    body = BufferedBody(BufferMemory(1), None)
    body.found = dict(found)
    caller = Caller(b"", "", authenticated=False, name="x", terms=Terms(models=("gpt-5", "claude-*")))
    if set(found) == {"model"} and found["model"] != FORBIDDEN:
        check_model(body, caller)
    else:
        with pytest.raises(ModelNotAllowed):
            check_model(body, caller)
