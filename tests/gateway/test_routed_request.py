"""Requests under the base URL /v1, in front of the whole bridge: where they go, and where they go next."""

from __future__ import annotations

import json
from functools import partial
from itertools import product
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.caller_tokens import new_token, token_hash
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.provider_tables import KeyTable, ProviderTable, RouteTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.terms import Rate, Terms
from aibridge_trio.events import Finished, PassedOver
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import JSON, SSE, failing, ok, recording
from tests.support.network import Network, Running

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"


def provider(name: str, dialect: str = "openai", **options: Any) -> ProviderTable:
    """Return a provider at the host of its name, without a key."""
    options = {"keyless": "keys" not in options, **options}
    return ProviderTable(name=name, dialect=dialect, base_url=f"http://{name}", **options)  # type: ignore[arg-type]


def key(secret: str) -> KeyTable:
    return KeyTable(label=secret, secret=Secret(secret))


ROUTED: dict[str, Any] = {
    "provider_tables": (provider("a"), provider("b"), provider("c", "anthropic")),
    "routes": (
        RouteTable(model="m*", providers=("a", "b")),
        RouteTable(model="claude", providers=("c",)),
        RouteTable(model="m-only-b", providers=("b",)),
    ),
}


async def ask(bridge: Running, path: str = CHAT, model: str = "m", **more: Any) -> httpx.Response:
    """Send a small request."""
    headers = more.pop("headers", {})
    return await bridge.client.post(path, json={"model": model, **more}, headers=headers)


def said_by(name: str, seen: list[str], status: int = 200) -> Any:
    """Return a provider that notes the models it is asked for as `name:model`, and answers with its name."""

    async def handler(request: Request, reply: Reply) -> None:
        body = b"".join([piece async for piece in request.body])
        seen.append(f"{name}:{json.loads(body)['model']}")
        await reply.answer(status, JSON, json.dumps({"by": name}).encode())

    return handler


@pytest.fixture
async def seen(network: Network) -> list[str]:
    found: list[str] = []
    for host in "abc":
        await network.answer(host, said_by(host, found))
    return found


async def test_the_model_decides_and_goes_up_unchanged(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """Exact names first, then prefixes; OpenAI's paths are beneath /v1, Anthropic's begin with it."""
    async with network.bridge(**ROUTED) as bridge:
        for path, model in ((CHAT, "m-1"), (CHAT, "m-only-b"), (MESSAGES, "claude"), ("/v1/embeddings", "m-2")):
            assert (await ask(bridge, path, model)).status_code == 200
        assert await bridge.metric("requests_total", provider="b", route="/chat/completions", status="200") == 1
        assert await bridge.metric("requests_total", provider="c", route="/v1/messages", status="200") == 1
    assert seen == ["a:m-1", "b:m-only-b", "c:claude", "a:m-2"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        (CHAT, b'{"model": "gpt"}', 404, "no route for the model gpt"),
        (MESSAGES, b'{"model": "m"}', 404, "its providers speak another dialect"),
        (CHAT, b'{"model": "claude"}', 404, "its providers speak another dialect"),
        (CHAT, b'{"messages": []}', 400, "names no model"),
        (CHAT, b'{"model": 5}', 400, "names no model"),
        (CHAT, b"", 400, "names no model"),
        (CHAT, b'{"model": "m', 400, "the model cannot be read"),
        ("/v1/conversations", b'{"model": "m"}', 404, "route not supported"),
    ],
)
async def test_what_has_no_route_is_said(
    autojump_clock: MockClock, network: Network, seen: list[str], path: str, body: bytes, status: int, said: str
) -> None:
    """In the dialect of the path, and no provider is called."""
    async with network.bridge(**ROUTED) as bridge:
        answer = await bridge.client.post(path, content=body)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]
    assert "request_id" in answer.json()
    assert not seen


async def test_without_routes_there_is_no_such_path(autojump_clock: MockClock, network: Network) -> None:
    """The hint names the base URL, as ever."""
    async with network.bridge() as bridge:
        answer = await ask(bridge)
    assert answer.status_code == 404
    assert "/openai/v1" in answer.json()["message"]


async def test_the_next_provider_is_tried_when_none_listens(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """A connection that cannot be established costs nothing; the request counts where it was served."""
    del network.listeners["a"]
    async with network.bridge(**ROUTED) as bridge:
        assert (await ask(bridge)).json() == {"by": "b"}
        assert await bridge.metric("upstream_errors_total", provider="a", phase="connect") == 1
        assert await bridge.metric("route_passed_over_total", provider="a", cause="refused") == 1
        providers = {each["name"]: each for each in (await bridge.status())["providers"]}
        assert [providers[name]["in_flight"] for name in "ab"] == [0, 0]
        assert [providers[name]["unanswered"] for name in "ab"] == [0, 0]
    [finished] = [each for each in bridge.published(Finished) if each.path is None and each.status == 200]
    assert (finished.provider, finished.passed_over) == ("b", ("a:refused",))
    assert seen == ["b:m"]


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("url", ["https://a", "http://blackhole"])
async def test_no_connection_is_one_whatever_the_cause(
    autojump_clock: MockClock, network: Network, seen: list[str], url: str, adaptive: bool
) -> None:
    """TLS that fails, and a machine that does not answer: nothing has gone up."""
    network.blackholes.add("blackhole")
    lost = ProviderTable(name="a", dialect="openai", base_url=url, keyless=True)
    options = {**ROUTED, "provider_tables": (lost, provider("b")), "connect_timeout": 2.0, "adaptive": adaptive}
    async with network.bridge(**options) as bridge:
        assert (await ask(bridge)).json() == {"by": "b"}
        assert await bridge.metric("route_passed_over_total", provider="a", cause="refused") == 1


async def test_a_request_whose_time_is_over_goes_to_no_other(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """--max-duration is the request's, not one provider's."""
    network.blackholes.add("a")
    async with network.bridge(**ROUTED, max_duration=1.0) as bridge:
        answer = await ask(bridge)
    assert answer.headers["x-aibridge-reject"] == "upstream_timeout"
    assert not seen


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_the_next_provider_is_tried_after_a_pushback(
    autojump_clock: MockClock, network: Network, seen: list[str], status: int
) -> None:
    """Its answer goes to the caller, who learns of the first one nothing; both are judged."""
    await network.answer("a", said_by("a", seen, status))
    async with network.bridge(**ROUTED) as bridge:
        assert (await ask(bridge)).json() == {"by": "b"}
        assert await bridge.metric("verdicts_total", provider="a", verdict="failure") == 1
        assert await bridge.metric("verdicts_total", provider="b", verdict="success") == 1
        assert await bridge.metric("route_passed_over_total", provider="a", cause=str(status)) == 1
    assert seen == ["a:m", "b:m"]


@pytest.mark.parametrize("status", [400, 401, 404, 500, 502])
async def test_other_errors_are_the_answer(
    autojump_clock: MockClock, network: Network, seen: list[str], status: int
) -> None:
    """They may be the request's own fault, or have cost tokens already."""
    await network.answer("a", said_by("a", seen, status))
    async with network.bridge(**ROUTED) as bridge:
        assert (await ask(bridge)).status_code == status
    assert seen == ["a:m"]


async def test_a_quota_that_is_spent_for_good_is_the_answer(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """A 429 that says that waiting does not help is no pushback."""
    body = b'{"error":{"code":"insufficient_quota","message":"m"}}'
    await network.answer("a", failing(429, body))
    async with network.bridge(**ROUTED) as bridge:
        answer = await ask(bridge)
    assert (answer.status_code, answer.content) == (429, body)
    assert not seen


async def test_the_last_pushback_is_the_answer(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """If all push it back, the caller gets the last one's words, with its headers."""
    for host in "ab":
        await network.answer(host, said_by(host, seen, 503))
    async with network.bridge(**ROUTED) as bridge:
        answer = await ask(bridge)
    assert (answer.status_code, answer.json()) == (503, {"by": "b"})
    assert seen == ["a:m", "b:m"]


async def test_an_open_breaker_is_passed_over(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """Without a call; if all are open, the reject is the one with the shortest wait."""
    for host in "ab":
        await network.answer(host, said_by(host, seen, 503))
    options = {**ROUTED, "circuit_breaker": True, "circuit_breaker_failure_threshold": 1}
    async with network.bridge(**options) as bridge:
        await bridge.client.post("/a/v1/chat/completions", json={"model": "m"})
        await trio.sleep(10)
        seen.clear()
        assert (await ask(bridge)).json() == {"by": "b"}
        assert seen == ["b:m"]
        answer = await ask(bridge)
        assert answer.headers["x-aibridge-reject"] == "circuit_open"
        assert answer.json()["message"].startswith("a is currently unavailable")
        assert 20 <= float(answer.headers["retry-after"]) <= 25
        assert await bridge.metric("circuit_breaker_rejects_total", provider="a") == 1
    assert [(each.provider, each.cause) for each in bridge.published(PassedOver)] == [("a", "circuit_open")]


async def test_a_full_provider_is_passed_over(
    autojump_clock: MockClock, network: Network, seen: list[str], nursery: trio.Nursery
) -> None:
    """Without a queue the request of which all are full is provider_capacity."""
    started, release = [trio.Event(), trio.Event()], trio.Event()

    def slow(name: str, began: trio.Event) -> Any:
        async def handler(request: Request, reply: Reply) -> None:
            began.set()
            await release.wait()
            await said_by(name, seen)(request, reply)

        return handler

    await network.answer("a", slow("a", started[0]))
    await network.answer("b", slow("b", started[1]))
    async with network.bridge(**ROUTED, max_concurrency_per_provider=1) as bridge:
        nursery.start_soon(ask, bridge)
        await started[0].wait()
        nursery.start_soon(ask, bridge)
        await started[1].wait()
        answer = await ask(bridge)
        assert answer.headers["x-aibridge-reject"] == "provider_capacity"
        release.set()
        await trio.sleep(1)
        assert await bridge.metric("route_passed_over_total", provider="a", cause="provider_capacity") == 1
    assert sorted(seen) == ["a:m", "b:m"]


async def test_a_request_queues_for_the_first_share_of_any(
    autojump_clock: MockClock, network: Network, seen: list[str], nursery: trio.Nursery
) -> None:
    """With a queue it waits for whichever of its providers is free first."""

    def slow(name: str, seconds: float) -> Any:
        async def handler(request: Request, reply: Reply) -> None:
            await trio.sleep(seconds)
            await said_by(name, seen)(request, reply)

        return handler

    await network.answer("a", slow("a", 5))
    await network.answer("b", slow("b", 2))
    async with network.bridge(**ROUTED, max_concurrency_per_provider=1, queue_size=9) as bridge:
        nursery.start_soon(ask, bridge)
        await trio.sleep(0.1)
        nursery.start_soon(ask, bridge)
        await trio.sleep(0.1)
        began = trio.current_time()
        assert (await ask(bridge)).json() == {"by": "b"}
        assert trio.current_time() - began == pytest.approx(3.9, abs=0.1)
        assert (await bridge.status())["queue"]["waiting"] == 0
        await trio.sleep(10)


async def test_a_key_that_rests_is_passed_over_only_for_central_keys(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """A caller's own key goes to one provider at most: another one must not learn it."""
    tables = (provider("a", keyless=False), provider("b", keyless=False), provider("c", keys=(key("k"),)))
    routes = (RouteTable(model="m", providers=("a", "b", "c")),)
    await network.answer("a", failing(429))
    got: list[Request] = []
    await network.answer("b", recording(got))
    await network.answer("c", recording(got))
    async with network.bridge(provider_tables=tables, routes=routes) as bridge:
        assert (await ask(bridge, headers={"authorization": "Bearer own"})).status_code == 200
    assert [request.header_values(b"authorization") for request in got] == [[b"Bearer k"]]
    assert not seen


@pytest.mark.parametrize(
    "named",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"input": [{"type": "item_reference", "id": "i"}]},
        {"input": [{"content": [{"type": "input_file", "file_id": "f"}]}]},
    ],
)
async def test_stored_data_is_asked_of_the_first_provider_only(
    autojump_clock: MockClock, network: Network, seen: list[str], named: dict[str, Any]
) -> None:
    """No other provider has it: the pushback is the answer."""
    await network.answer("a", said_by("a", seen, 503))
    async with network.bridge(**ROUTED) as bridge:
        assert (await ask(bridge, RESPONSES, **named)).status_code == 503
        assert (await ask(bridge, RESPONSES)).json() == {"by": "b"}
    assert seen == ["a:m", "a:m", "b:m"]


async def test_references_are_checked_for_the_provider_that_is_chosen(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """Only a central key is shared by callers."""
    tables = (provider("a", keyless=False), provider("b", keys=(key("k"),)))
    routes = (RouteTable(model="m", providers=("a", "b")), RouteTable(model="n", providers=("b",)))
    async with network.bridge(provider_tables=tables, routes=routes, stored_references=False) as bridge:
        answer = await ask(bridge, RESPONSES, "n", previous_response_id="r")
        assert answer.headers["x-aibridge-reject"] == "stored_reference"
        own = {"authorization": "Bearer own"}
        assert (await ask(bridge, RESPONSES, previous_response_id="r", headers=own)).json() == {"by": "a"}
        assert (await ask(bridge, RESPONSES, "n", background=True)).status_code == 400
    assert seen == ["a:m"]


async def test_an_answer_that_has_begun_stays(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """A stream that breaks off is not asked for again elsewhere."""

    async def breaking(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(200, SSE)
        await reply.send(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        await trio.sleep_forever()

    await network.answer("a", breaking)
    async with network.bridge(**ROUTED, idle_timeout=5) as bridge:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(bridge, stream=True)
    assert not seen


async def test_a_large_body_goes_to_the_next_provider_whole(autojump_clock: MockClock, network: Network) -> None:
    """All of it is kept, and its memory is free again in the end."""
    sizes: list[int] = []

    async def counting(request: Request, reply: Reply) -> None:
        sizes.append(sum([len(piece) async for piece in request.body]))
        await reply.answer(200, JSON, b"{}")

    await network.answer("a", failing(503))
    await network.answer("b", counting)
    body = json.dumps({"model": "m", "x": "y" * 6_000_000}).encode()
    async with network.bridge(**ROUTED) as bridge:
        assert (await bridge.client.post(CHAT, content=body)).status_code == 200
        assert bridge.bridge.body_buffer.memory.used == 0
    assert sizes == [len(body)]


# Whatever they do

KINDS = ("ok", "429", "503", "500", "gone", "open")


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("kinds", list(product(KINDS, repeat=2)), ids="-".join)
async def test_each_provider_is_asked_once_at_most_and_all_is_given_back(
    autojump_clock: MockClock, network: Network, kinds: tuple[str, str], adaptive: bool
) -> None:
    """The first that serves it answers; without one the caller gets the last word of those that were asked."""
    seen: list[str] = []
    for host, kind in zip("ab", kinds, strict=True):
        if kind == "gone":
            continue
        await network.answer(host, said_by(host, seen, 200 if kind in ("ok", "open") else int(kind)))
    options = {**ROUTED, "adaptive": adaptive, "circuit_breaker": True, "max_concurrency_per_provider": 1}
    async with network.bridge(**options) as bridge:
        for host, kind in zip("ab", kinds, strict=True):
            if kind == "open":
                await bridge.admin.post(f"/breakers/{host}", json={"mode": "open"})
        answer = await ask(bridge, headers={"x-stainless-read-timeout": "4"})
        served = next((kind for kind in kinds if kind in ("ok", "500")), None)
        if served:
            assert answer.status_code == (200 if served == "ok" else 500)
        else:
            assert answer.status_code in (429, 502, 503)
        status = await bridge.status()
        assert [each["in_flight"] for each in status["providers"]] == [0] * 6
        assert [each["unanswered"] for each in status["providers"]] == [0] * 6
        assert status["concurrency"]["in_flight"] == 0
        assert bridge.bridge.body_buffer.memory.used == 0
        again = await ask(bridge, headers={"x-stainless-read-timeout": "4"})  # no share was left behind
        assert again.headers.get("x-aibridge-reject") != "provider_capacity"
    assert adaptive or all(seen.count(f"{host}:m") <= 2 for host in "ab")


async def test_a_known_callers_models_are_checked_first(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """A model that is not the caller's is that, with a route or without; its list has its own only."""
    token = new_token()
    terms = Terms(models=("m-1",))
    known = KnownCallers(
        callers=(KnownCaller(name="dev", terms=terms, token_sha256=(token_hash(token.encode()),)),)
    )
    async with network.bridge(**ROUTED, known_callers=known) as bridge:
        headers = {"authorization": f"Bearer {token}"}
        assert (await ask(bridge, model="m-1", headers=headers)).json() == {"by": "a"}
        for model in ("m-2", "unknown"):
            answer = await ask(bridge, model=model, headers=headers)
            assert answer.headers["x-aibridge-reject"] == "model_not_allowed"
        assert (await bridge.client.get("/v1/models", headers=headers)).json()["data"] == []
        assert (await bridge.client.get("/v1/models")).status_code == 401
        assert (await ask(bridge)).status_code == 401
    assert seen == ["a:m-1"]


async def test_limits_of_a_provider_are_passed_over(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """Its requests a second, and its keys that rest."""
    tables = (provider("a", rate=Rate(1, 60.0)), provider("b", keys=(key("k1"), key("k2"))), provider("c"))
    routes = (RouteTable(model="m", providers=("a", "b", "c")),)
    await network.answer("b", failing(429))
    async with network.bridge(provider_tables=tables, routes=routes) as bridge:
        assert [(await ask(bridge)).json()["by"] for _ in range(3)] == ["a", "c", "c"]
        assert await bridge.metric("route_passed_over_total", provider="a", cause="rate_limit") == 2
        assert await bridge.metric("route_passed_over_total", provider="b", cause="429") == 1
        assert await bridge.metric("route_passed_over_total", provider="b", cause="keys_resting") == 1


# With --adaptive


async def test_another_provider_is_tried_before_a_request_is_held(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """After a pushback at once; while the first holds requests, without asking it."""
    await network.answer("a", said_by("a", seen, 503))
    async with network.bridge(**ROUTED, adaptive=True) as bridge:
        began = trio.current_time()
        for _ in range(3):
            assert (await ask(bridge)).json() == {"by": "b"}
        assert trio.current_time() - began < 1
        assert await bridge.metric("adaptive_pushbacks_total", provider="a") >= 1
        assert await bridge.metric("adaptive_held", provider="a") == 0
    assert seen.count("b:m") == 3


async def test_it_is_held_if_no_provider_takes_it(
    autojump_clock: MockClock, network: Network, seen: list[str]
) -> None:
    """And goes up when one does."""
    outage = True

    def recovering(name: str) -> Any:
        async def handler(request: Request, reply: Reply) -> None:
            await said_by(name, seen, 503 if outage else 200)(request, reply)

        return handler

    for host in "ab":
        await network.answer(host, recovering(host))
    async with network.bridge(**ROUTED, adaptive=True) as bridge:
        async with trio.open_nursery() as nursery:
            answers: list[httpx.Response] = []

            async def one() -> None:
                answers.append(await ask(bridge))

            nursery.start_soon(one)
            await trio.sleep(1)
            assert not answers
            outage = False
        assert answers[0].status_code == 200
        assert bridge.bridge.body_buffer.memory.used == 0


@pytest.mark.parametrize("where", ["queue", "line", "provider"])
async def test_a_caller_that_leaves_leaves_nothing_behind(
    autojump_clock: MockClock, network: Network, seen: list[str], where: str
) -> None:
    """While its request queues for a share, is held, or is at its second provider."""

    async def busy(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await trio.sleep(20)
        await reply.answer(200, JSON, b"{}")

    await network.answer("a", failing(503) if where != "queue" else busy)
    await network.answer("b", failing(503) if where == "line" else busy)
    options = {"queue": {"max_concurrency_per_provider": 1, "queue_size": 9, "queue_timeout": 60.0}}
    more: dict[str, Any] = options.get(where, {"adaptive": where == "line"})
    async with network.bridge(**ROUTED, **more) as bridge, trio.open_nursery() as nursery:
        for _ in range(2 if where == "queue" else 0):
            nursery.start_soon(ask, bridge)
        await trio.sleep(0.5)
        with trio.move_on_after(1):
            await ask(bridge)
        await trio.sleep(1)
        status = await bridge.status()
        assert status["concurrency"]["in_flight"] == (2 if where == "queue" else 0)
        assert status["queue"]["waiting"] == 0
        assert [each["in_flight"] for each in status["providers"]][3:5] == ([1, 1] if where == "queue" else [0, 0])
        await trio.sleep(30)
        assert bridge.bridge.body_buffer.memory.used == 0


# The list of models


async def test_models_are_listed_in_the_dialect_that_is_asked_for(
    autojump_clock: MockClock, network: Network
) -> None:
    """The exact names, where they can be used."""
    async with network.bridge(**ROUTED) as bridge:
        openai = (await bridge.client.get("/v1/models")).json()
        assert openai["object"] == "list"
        assert [each["id"] for each in openai["data"]] == ["m-only-b"]
        version = {"anthropic-version": "2023-06-01"}
        anthropic = (await bridge.client.get("/v1/models", headers=version)).json()
        assert ([each["id"] for each in anthropic["data"]], anthropic["has_more"]) == (["claude"], False)
        assert (await bridge.client.get("/v1/models/m-only-b")).json()["object"] == "model"
        missing = await bridge.client.get("/v1/models/claude")
        assert (missing.status_code, missing.headers["x-aibridge-reject"]) == (404, "not_found")
        assert (await bridge.client.get("/v1/models/m", headers=version)).json()["type"] == "error"


async def test_ok_providers_are_not_needed(autojump_clock: MockClock, network: Network) -> None:
    """A route may name a provider that is switched off: the others take its requests."""
    await network.answer("openai", ok)
    routes = (RouteTable(model="m", providers=("copilot", "openai")),)
    async with network.bridge(routes=routes, disabled_providers=frozenset({"copilot"})) as bridge:
        assert (await ask(bridge)).status_code == 200


async def test_a_body_that_has_gone_up_is_released_while_its_answer_streams(
    autojump_clock: MockClock, network: Network
) -> None:
    """With several keys it goes up by way of a copy, which ends with its announced length."""

    async def streaming(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(200, SSE)
        await reply.send(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        await trio.sleep(60)
        await reply.end()

    await network.answer("a", streaming)
    options = {**ROUTED, "provider_tables": (provider("a", keys=(key("sk-one"), key("sk-two"))), provider("b"))}
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(partial(ask, bridge, stream=True, input="x" * 50_000))
        await trio.sleep(30)
        assert bridge.bridge.body_buffer.memory.used == 0
