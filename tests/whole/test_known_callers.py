"""Known callers through the whole path: every route and method, with every kind of token."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio import providers
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.provider_tables import ProviderTable, RouteTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.terms import Rate
from aibridge_trio.events import Finished
from aibridge_trio.http.message import Reply, Request
from tests.support import failing_provider
from tests.support.known_callers import DEV, EXPIRED, KNOWN, LIMITED, OTHER, REVOKED, bearer
from tests.support.network import Network
from tests.support.rejected import ALL, ANTHROPIC, OPENAI, Way, each

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OWN = "sk-own-0123456789abcdef"


def routes() -> Iterator[tuple[str, str]]:
    """Yield every method and path: each route's, and ones that no route allows."""
    for provider in providers.ALL:
        for route in provider.routes:
            for method in METHODS:
                yield method, provider.prefix + route.pattern.replace("*", "x")
    for path in ("/nothing", "/openai/v1/nothing", "/nowhere/v1/messages", "/openai/v1/../x", "/openai//v1"):
        for method in METHODS:
            yield method, path


class Provider:
    """Keeps what came, and answers 200."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.requests.append(request)
        async for _ in request.body:
            pass
        await reply.answer(200, [(b"content-type", b"application/json")], b'{"ok": true}')


def with_rate(limit: int) -> KnownCallers:
    """Return the known callers, each with a rate."""
    return replace(
        KNOWN,
        callers=tuple(replace(each, terms=replace(each.terms, rate=Rate(limit))) for each in KNOWN.callers),
    )


async def provider_of(network: Network) -> Provider:
    provider = Provider()
    for name in ("openai", "anthropic", "copilot"):
        await network.answer(name, provider)
    return provider


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-aibridge-token"])
@pytest.mark.parametrize("token", [None, REVOKED, EXPIRED, OWN], ids=["without", "revoked", "expired", "wrong"])
async def test_no_route_and_no_method_is_open(
    autojump_clock: MockClock, network: Network, token: str | None, header: str
) -> None:
    """Not even one that does not exist: what there is shows to known callers only. No slot is taken."""
    provider = await provider_of(network)
    value = f"Bearer {token}" if header == "authorization" else token
    async with network.bridge(known_callers=KNOWN, openai_api_key=Secret("sk-central")) as bridge:
        for method, path in routes():
            await trio.sleep(1)  # not to be limited
            answer = await bridge.client.request(method, path, headers={header: value} if value and token else {})
            assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (401, "unknown_caller"), path
            assert answer.headers["www-authenticate"].startswith('Bearer realm="AI Bridge"')
    assert provider.requests == []
    assert "openai" not in network.dialled


async def test_a_known_caller_may_use_every_route(autojump_clock: MockClock, network: Network) -> None:
    """With its token alone each request gets what it would get without known callers, and no token goes up."""
    provider = await provider_of(network)
    async with network.bridge(known_callers=KNOWN) as known:
        for method, path in routes():
            answer = await known.client.request(method, path, headers=bearer(DEV))
            assert answer.status_code in (200, 400, 404, 405), (method, path)
            assert answer.headers.get("x-aibridge-reject") in (
                None,
                "bad_request",
                "not_found",
                "method_not_allowed",
            )
    assert provider.requests
    assert all(DEV not in repr(request.headers) for request in provider.requests)
    assert all(request.header_values(b"authorization") == [] for request in provider.requests)


async def test_another_callers_token_is_that_callers(autojump_clock: MockClock, network: Network) -> None:
    """Its rate, its models, its name are those of the token."""
    await provider_of(network)
    async with network.bridge(known_callers=with_rate(1)) as bridge:
        assert (await bridge.client.get("/openai/v1/models", headers=bearer(DEV))).status_code == 200
        assert (await bridge.client.get("/openai/v1/models", headers=bearer(OTHER))).status_code == 200
        assert (await bridge.client.get("/openai/v1/models", headers={"x-api-key": OTHER})).status_code == 429
        answer = await bridge.client.post(OPENAI.intercepted, json={"model": "gpt-4o"}, headers=bearer(LIMITED))
        assert answer.status_code == 403


async def test_own_keys_and_several_tokens_buy_nothing(autojump_clock: MockClock, network: Network) -> None:
    """One caller has one rate, whatever keys it invents beside its token."""
    await provider_of(network)
    async with network.bridge(known_callers=with_rate(3)) as bridge:
        statuses = [
            (
                await bridge.client.get(
                    "/openai/v1/models", headers=bearer(f"sk-invented-{n}") | {"x-aibridge-token": DEV}
                )
            ).status_code
            for n in range(6)
        ]
    assert statuses == [200] * 3 + [429] * 3


@pytest.mark.parametrize(
    "path", ["/", "/openai/v1", "/openai/v1/", "/anthropic", "/copilot", "/anthropic/api/hello"]
)
async def test_pings_stay_open(autojump_clock: MockClock, network: Network, path: str) -> None:
    """GET and HEAD, with or without a token; they still pass the slot. Other methods do not."""
    async with network.bridge(known_callers=KNOWN) as bridge:
        for headers in ({}, bearer(REVOKED), bearer(DEV)):
            assert (await bridge.client.get(path, headers=headers)).status_code == 200
            assert (await bridge.client.head(path, headers=headers)).status_code == 200
        assert (await bridge.client.post(path)).status_code == 401


@each(*ALL)
async def test_the_reject_in_each_dialect(autojump_clock: MockClock, network: Network, way: Way) -> None:
    """SDKs raise their AuthenticationError by the status; the type is the provider's own for it."""
    async with network.bridge(known_callers=KNOWN) as bridge:
        answer = await bridge.client.post(way.intercepted, json={})
        error = answer.json()["error"]
        if way.anthropic:
            assert error["type"] == "authentication_error"
        else:
            assert (error["type"], error["code"]) == ("invalid_request_error", "unknown_caller")
        assert "X-AIBridge-Token" in answer.json()["message"] == error["message"]
        assert answer.headers["x-should-retry"] == "false"


async def test_a_full_bridge_tells_an_unknown_caller_nothing(autojump_clock: MockClock, network: Network) -> None:
    """The caller is known before a slot is looked for: strangers neither take one nor see that none is free."""

    async def hang(request: Request, reply: Reply) -> None:
        await trio.sleep_forever()

    await network.answer("openai", hang)
    async with network.bridge(known_callers=KNOWN, max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: bridge.client.post(OPENAI.intercepted, headers=bearer(DEV)))
        await trio.sleep(1)
        assert (await bridge.client.post(OPENAI.intercepted)).status_code == 401
        assert (await bridge.client.post(OPENAI.intercepted, headers=bearer(OTHER))).status_code == 503
        nursery.cancel_scope.cancel()


async def test_failures_are_limited_and_callers_are_not(autojump_clock: MockClock, network: Network) -> None:
    """The eleventh is 429 with the true wait, in the dialect; the token works from the same address."""
    await provider_of(network)
    async with network.bridge(known_callers=KNOWN) as bridge:
        answers = [await bridge.client.post(ANTHROPIC.intercepted, headers=bearer(REVOKED)) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        last = answers[-1]
        assert last.headers["x-aibridge-reject"] == "unknown_caller"
        assert last.json()["error"]["type"] == "rate_limit_error"
        assert 1.0 <= int(last.headers["retry-after-ms"]) / 1000 <= 1.2
        assert (await bridge.client.get("/openai/v1/models", headers=bearer(DEV))).status_code == 200
        await trio.sleep(1.0)
        assert (await bridge.client.post(ANTHROPIC.intercepted)).status_code == 401
        assert await bridge.metric("rejects_total", reason="unknown_caller") == 12


async def test_a_preflight_is_answered_as_before(autojump_clock: MockClock, network: Network) -> None:
    """Browsers send no credential with it; the request that follows needs its token."""
    page = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with network.bridge(known_callers=KNOWN, allowed_origins=("https://app.example",)) as bridge:
        assert (await bridge.client.options(OPENAI.intercepted, headers=page)).status_code == 204
        answer = await bridge.client.post(OPENAI.intercepted, headers={"origin": "https://app.example"})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_the_central_key_goes_up_in_place_of_a_token(autojump_clock: MockClock, network: Network) -> None:
    """An own key beside the token goes up only where callers' keys may."""
    provider = await provider_of(network)
    central, own = {"openai_api_key": Secret("sk-central")}, bearer(OWN) | {"x-aibridge-token": DEV}
    for options, headers, sent in (
        (central, bearer(DEV), "Bearer sk-central"),
        (central, {"api-key": DEV}, "Bearer sk-central"),
        (central, own, "Bearer sk-central"),
        (central | {"forward_caller_keys": True}, own, f"Bearer {OWN}"),
        (central | {"forward_caller_keys": True}, bearer(DEV), "Bearer sk-central"),
        ({}, own, f"Bearer {OWN}"),
    ):
        async with network.bridge(known_callers=KNOWN, **options) as bridge:
            assert (await bridge.client.get("/openai/v1/models", headers=headers)).status_code == 200
        last = provider.requests.pop()
        assert last.header_values(b"authorization") == [sent.encode()]
        assert last.header_values(b"api-key") == last.header_values(b"x-aibridge-token") == []


async def test_a_revoked_callers_stream_goes_on_and_its_next_request_does_not(
    autojump_clock: MockClock, network: Network
) -> None:
    """Another list counts for requests to come."""

    async def slow(request: Request, reply: Reply) -> None:
        await reply.start(200, [(b"content-type", b"text/event-stream")])
        for _ in range(10):
            await reply.send(b"data: {}\n\n")
            await trio.sleep(1)
        await reply.end()

    await network.answer("openai", slow)
    async with network.bridge(known_callers=KNOWN) as bridge:
        async with bridge.client.stream("POST", OPENAI.intercepted, headers=bearer(DEV)) as answer:
            assert answer.status_code == 200
            left = KnownCallers(callers=(KnownCaller(name="ci"),))
            authenticator, settings = (
                bridge.bridge.known_callers,
                replace(bridge.bridge.settings, known_callers=left),
            )
            authenticator.apply(settings, authenticator.table(settings))
            assert (await bridge.client.post(OPENAI.intercepted, headers=bearer(DEV))).status_code == 401
            assert len(await answer.aread()) == 10 * len(b"data: {}\n\n")
        await trio.sleep(1)
        assert [event.status for event in bridge.published(Finished)] == [401, 200]


async def test_names_are_shown_and_tokens_are_not(autojump_clock: MockClock, network: Network) -> None:
    """In /status a caller has its name; a stranger its address."""
    await provider_of(network)
    async with network.bridge(known_callers=KNOWN) as bridge:
        await bridge.client.get("/openai/v1/models", headers=bearer(DEV))
        await bridge.client.get("/openai/v1/models", headers=bearer(REVOKED))
        document = await bridge.status()
        assert {each["hint"] for each in document["callers"]} == {"dev-07", "10.0.0.2"}
        for shown in (repr(document), repr(bridge.events), (await bridge.admin.get("/metrics")).text):
            assert not any(token[4:20] in shown or token[-4:] in shown for token in (DEV, REVOKED))
        assert "dev-07" not in (await bridge.admin.get("/metrics")).text


async def test_a_class_is_a_label_from_the_start(autojump_clock: MockClock, network: Network) -> None:
    """Requests and tokens of known callers count by class, `none` for those without; strangers under neither."""

    async def spend(request: Request, reply: Reply) -> None:
        body = b'{"usage": {"prompt_tokens": 30, "completion_tokens": 12}, "choices": [{"index": 0}]}'
        await reply.answer(200, [(b"content-type", b"application/json")], body)

    await network.answer("openai", spend)
    async with network.bridge(known_callers=KNOWN) as bridge:
        for name in ("people", "machines", "none"):
            assert await bridge.metric("class_requests_total", **{"class": name, "status": "200"}) == 0
            assert await bridge.metric("class_tokens_total", **{"class": name, "type": "input"}) == 0
        for token in (DEV, LIMITED, REVOKED):
            await bridge.client.post(OPENAI.intercepted, json={"model": "gpt-5"}, headers=bearer(token))
        for name in ("people", "none"):
            assert await bridge.metric("class_requests_total", **{"class": name, "status": "200"}) == 1
            assert await bridge.metric("class_tokens_total", **{"class": name, "type": "input"}) == 30
            assert await bridge.metric("class_tokens_total", **{"class": name, "type": "output"}) == 12
        for name in ("people", "machines", "none"):
            assert await bridge.metric("class_requests_total", **{"class": name, "status": "401"}) == 0
        classes = {each["hint"]: each["class"] for each in (await bridge.status())["callers"]}
        assert classes == {"dev-07": "people", "limited": None, "10.0.0.2": None}


async def test_an_own_key_rests_apart_from_its_callers_other_keys(
    autojump_clock: MockClock, network: Network
) -> None:
    """What a provider says of a key is about that key, with any caller; limits are about the caller."""
    provider = failing_provider.Provider(429, {"retry-after": "60"})
    provider.ill = {b"Bearer sk-ill-0123456789"}
    await network.answer("openai", provider)

    def with_key(key: str, token: str = DEV) -> dict[str, str]:
        return bearer(key) | {"x-aibridge-token": token}

    async with network.bridge(**failing_provider.BY_KEY, known_callers=KNOWN) as bridge:

        async def ask(headers: dict[str, str]) -> str:
            return failing_provider.reason(await bridge.client.post(OPENAI.intercepted, json={}, headers=headers))

        assert await ask(with_key("sk-ill-0123456789")) == "429"
        assert await ask(with_key("sk-ill-0123456789")) == "credential_cooldown"
        assert await ask(with_key("sk-ill-0123456789", OTHER)) == "credential_cooldown"
        assert await ask(with_key("sk-well-0123456789")) == "200"
        await trio.sleep(60)
        assert await ask(with_key("sk-well-0123456789", OTHER)) == "200"


async def test_a_quota_of_an_own_key_holds_no_other_callers(autojump_clock: MockClock, network: Network) -> None:
    """With --adaptive, too: the line knows keys by what goes up, and callers by their names."""
    provider = failing_provider.Provider(429, {"retry-after": "20"})
    provider.ill = {b"Bearer sk-ill-0123456789"}
    await network.answer("openai", provider)

    async with network.bridge(adaptive=True, known_callers=KNOWN) as bridge, trio.open_nursery() as nursery:

        async def ask(key: str, token: str) -> float:
            began = trio.current_time()
            headers = bearer(key) | {"x-aibridge-token": token}
            with trio.move_on_after(10):
                await bridge.client.post(OPENAI.intercepted, json={"a": 1}, headers=headers)
            return trio.current_time() - began

        nursery.start_soon(ask, "sk-ill-0123456789", DEV)
        await trio.sleep(1)
        assert await ask("sk-well-0123456789", OTHER) < 5
        assert await ask("sk-ill-0123456789", OTHER) == 10


async def test_own_keys_share_their_callers_memory_for_bodies(autojump_clock: MockClock, network: Network) -> None:
    """A caller that invents keys has no more of --max-buffered than with one."""
    owners = set[Hashable]()
    async with network.bridge(known_callers=KNOWN, openai_api_key=Secret("sk-central")) as bridge:
        memory = bridge.bridge.body_buffer.memory
        reserve = memory.try_reserve

        def note(owner: Hashable, size: int) -> bool:
            owners.add(owner)
            return reserve(owner, size)

        memory.try_reserve = note  # type: ignore[method-assign]
        for n in range(3):
            headers = {"x-aibridge-token": DEV, "x-api-key": f"sk-invented-{n}"}
            await bridge.client.post("/openai/v1/responses", json={"model": "m"}, headers=headers)
    assert len(owners) == 1


@pytest.mark.parametrize(
    "headers",
    [
        bearer(LIMITED),
        {"api-key": LIMITED},
        {"x-api-key": LIMITED},
        {"x-aibridge-token": LIMITED, "api-key": "sk-own-0123456789"},
    ],
    ids="+".join,
)
async def test_model_routes_and_providers_of_ones_own(
    autojump_clock: MockClock, network: Network, headers: dict[str, str]
) -> None:
    """Beneath /v1 and a prefix of its own the same holds; a provider without a key gets no credential at all."""
    provider = await provider_of(network)
    tables = (ProviderTable(name="vllm", dialect="openai", base_url="http://openai/v1", keyless=True),)
    routes = tuple(RouteTable(model=model, providers=("vllm",)) for model in ("gpt-5", "gpt-4*"))
    async with network.bridge(known_callers=KNOWN, provider_tables=tables, routes=routes) as bridge:
        for path in ("/v1/models", "/v1/models/gpt-5", "/v1/nothing", "/vllm/v1/models"):
            assert (await bridge.client.get(path)).status_code == 401
        for path in ("/v1", "/v1/", "/vllm/v1", "/"):
            assert (await bridge.client.get(path)).status_code == 200
        for prefix in ("/v1", "/vllm/v1"):
            path = f"{prefix}/chat/completions"
            assert (await bridge.client.post(path, json={"model": "gpt-5"})).status_code == 401
            for model, status in (("gpt-5", 200), ("gpt-4x", 403)):
                answer = await bridge.client.post(path, json={"model": model}, headers=headers)
                assert answer.status_code == status
    assert len(provider.requests) == 2
    for request in provider.requests:
        names = {name for name, _ in request.headers}
        assert not names & {b"authorization", b"x-api-key", b"api-key", b"x-aibridge-token"}
