"""The whole path in memory: a provider with several keys, of which some are refused."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
import trio
from backports import zstd
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import KeyChoice, KeyTable, ProviderTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.core.terms import Rate
from aibridge_trio.events import Finished, KeyChanged
from aibridge_trio.gateway import replay
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.http.message import Reply, Request
from tests.support.failing_provider import CHAT, JSON, MESSAGES, SSE, WORD, breaker, reason
from tests.support.network import Network, Running

Said = tuple[int, dict[str, str], bytes]
RATE: Said = (429, {"retry-after": "20"}, b'{"error":{"code":"rate_limit_exceeded"}}')
SPENT: Said = (429, {}, b'{"error":{"code":"insufficient_quota"}}')
INVALID: Said = (401, {}, b'{"error":{"code":"invalid_api_key"}}')
BREAKER: dict[str, Any] = {"circuit_breaker": True, "circuit_breaker_failure_threshold": 2}
EMBEDDINGS = "/openai/v1/embeddings"


class Provider:
    """Answers each key as tests say, 200 by default; keeps the keys and the bodies that it got."""

    def __init__(self, **answers: Said) -> None:
        self.answers = answers
        self.keys: list[str] = []
        self.bodies: list[bytes] = []
        self.slow = 0.0

    async def __call__(self, request: Request, reply: Reply) -> None:
        sent = request.header(b"authorization") or request.header(b"x-api-key") or b""
        key = sent.decode().removeprefix("Bearer ").removeprefix("sk-")
        self.keys.append(key)
        self.bodies.append(b"".join([piece async for piece in request.body]))
        status, headers, body = self.answers.get(key, (200, {}, b"{}"))
        await trio.sleep(self.slow)
        found = [(name.encode(), value.encode()) for name, value in headers.items()]
        await reply.answer(status, [*JSON, *found], body)


def table(keys: Iterable[KeyTable], choice: KeyChoice = "weighted", **options: Any) -> ProviderTable:
    options = {"name": "openai", "dialect": "openai", "base_url": "http://openai/v1", **options}
    return ProviderTable(keys=tuple(keys), key_choice=choice, **options)


def with_keys(*names: str, choice: KeyChoice = "weighted", **options: Any) -> dict[str, Any]:
    """Return the settings of an OpenAI with these keys, labelled as files of their names."""
    keys = [KeyTable(label=f"file-{name}", secret=Secret(f"sk-{name}")) for name in names]
    return {"provider_tables": (table(keys, choice),), **options}


def pool_of(bridge: Running) -> ProviderKeys:
    backend = bridge.bridge.router.get("openai")
    assert backend
    assert backend.key
    assert backend.key.keys
    return backend.key.keys


def keys_in_status(bridge: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bridge.bridge.status.document()["providers"][0]["keys"]
    return found


async def post(bridge: Running, path: str = CHAT, **options: Any) -> httpx.Response:
    # A kept connection may end in the very moment in which virtual time jumps to.
    options["headers"] = {"connection": "close", **options.get("headers", {})}
    return await bridge.client.post(path, **{"content": b'{"model":"m"}', **options})


async def test_a_429_rests_the_key_and_the_next_one_answers(autojump_clock: MockClock, network: Network) -> None:
    """The caller gets the next key's answer; the breaker counts nothing; the key is back after its hint."""
    provider = Provider(a=RATE)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b"), **BREAKER) as bridge:
        for _ in range(4):
            answer = await post(bridge)
            assert (answer.status_code, answer.content) == (200, b"{}")
        assert provider.keys == ["a", "b", "b", "b", "b"]
        assert set(provider.bodies) == {b'{"model":"m"}'}
        assert breaker(bridge)["failures_in_window"] == 0
        [a, b] = keys_in_status(bridge)
        assert (a["label"], a["state"], a["in_use"], a["left_s"]) == ("file-a", "resting", 0, 20.0)
        assert (b["label"], b["state"], b["left_s"]) == ("file-b", "ready", 0.0)
        assert await bridge.metric("keys", provider="openai", state="resting") == 1
        assert await bridge.metric("key_rests_total", provider="openai") == 1
        provider.answers.clear()
        await trio.sleep(20)
        assert [each["state"] for each in keys_in_status(bridge)] == ["ready", "ready"]
        for _ in range(4):
            await post(bridge)
        assert Counter(provider.keys[5:]) == {"a": 2, "b": 2}
    [first, *others] = bridge.published(Finished)
    assert (first.status, first.sent_again, first.verdict) == (200, 1, "success")
    assert {each.sent_again for each in others} == {0}
    changes = [(each.label, each.state, each.seconds) for each in bridge.published(KeyChanged)]
    assert changes == [("file-a", KeyState.RESTING, 20.0), ("file-a", KeyState.READY, None)]


async def test_while_all_keys_rest_requests_are_rejected(autojump_clock: MockClock, network: Network) -> None:
    """The last key's 429 is the caller's answer and counts; then nothing goes up until the first key is back."""
    provider = Provider(a=RATE, b=(429, {"retry-after": "5"}, b"{}"))
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b"), **BREAKER) as bridge:
        answer = await post(bridge)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        assert breaker(bridge)["failures_in_window"] == 1
        for path in (CHAT, "/openai/v1/responses"):
            answer = await post(bridge, path)
            assert (answer.status_code, reason(answer)) == (503, "keys_resting")
            assert 5000 <= int(answer.headers["retry-after-ms"]) <= 6000
            assert "any of AI Bridge's keys" in answer.json()["error"]["message"]
        assert provider.keys == ["a", "b"]
        await trio.sleep(5)
        provider.answers.pop("b")
        assert (await post(bridge)).status_code == 200
        assert provider.keys == ["a", "b", "b"]


async def test_a_spent_quota_rests_longest(autojump_clock: MockClock, network: Network) -> None:
    """Without a hint a 429 rests its key for the cooldown, a spent quota for the longest one."""
    provider = Provider(a=(429, {}, b"{}"), b=SPENT, c=(402, {}, b"{}"))
    await network.answer("openai", provider)
    options = with_keys("a", "b", "c", "d", circuit_breaker_cooldown=7.0, circuit_breaker_max_cooldown=70.0)
    async with network.bridge(**options) as bridge:
        assert (await post(bridge)).status_code == 200
        assert [each["left_s"] for each in keys_in_status(bridge)] == [7.0, 70.0, 70.0, 0.0]


async def test_a_401_takes_a_key_out(autojump_clock: MockClock, network: Network) -> None:
    """The caller does not notice; the key is not used again, however long; and it is said once."""
    provider = Provider(a=INVALID)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b"), **BREAKER) as bridge:
        for _ in range(3):
            assert (await post(bridge)).status_code == 200
        await trio.sleep(100_000)
        assert (await post(bridge)).status_code == 200
        assert provider.keys == ["a", "b", "b", "b", "b"]
        assert [each["state"] for each in keys_in_status(bridge)] == ["out", "ready"]
        event = (await bridge.status())["events"][-1]
        assert (event["kind"], event["provider"], event["to"]) == ("key", "openai", "out")
        assert event["because"] == "openai file-a: the provider does not accept it"
        assert await bridge.metric("keys", provider="openai", state="out") == 1
        verdicts = breaker(bridge)["verdicts"]
        assert (verdicts["neutral"], verdicts["failure"]) == (1, 0)
    [change] = bridge.published(KeyChanged)
    assert (change.label, change.state) == ("file-a", KeyState.OUT)


async def test_when_all_are_out_callers_get_the_providers_401(autojump_clock: MockClock, network: Network) -> None:
    """Each request goes up with one key, in turn; the first that the provider accepts brings all back."""
    provider = Provider(a=INVALID, b=INVALID)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b"), **BREAKER) as bridge:
        for _ in range(3):
            answer = await post(bridge)
            assert (answer.status_code, answer.content) == (401, INVALID[2])
        assert provider.keys == ["a", "b", "a", "b"]
        provider.answers.clear()
        assert (await post(bridge)).status_code == 200
        assert [each["state"] for each in keys_in_status(bridge)] == ["ready", "ready"]


async def test_one_key_is_as_ever(autojump_clock: MockClock, network: Network) -> None:
    """Its 429s are the provider's and open the breaker; its 401 goes to the caller, and is said once a minute."""
    provider = Provider(a=INVALID)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a"), **BREAKER) as bridge:
        for _ in range(3):
            answer = await post(bridge)
            assert (answer.status_code, answer.content) == (401, INVALID[2])
        assert [each.state for each in bridge.published(KeyChanged)] == [KeyState.OUT]
        await trio.sleep(60)
        await post(bridge)
        assert [each.state for each in bridge.published(KeyChanged)] == [KeyState.OUT, KeyState.OUT]
        provider.answers.clear()
        await post(bridge)
        assert keys_in_status(bridge)[0]["state"] == "ready"
        provider.answers["a"] = RATE
        assert [(await post(bridge)).status_code for _ in range(2)] == [429, 429]
        answer = await post(bridge)
        assert (answer.status_code, reason(answer)) == (503, "circuit_open")
        assert keys_in_status(bridge)[0]["state"] == "ready"
        assert {each.sent_again for each in bridge.published(Finished)} == {0}


async def test_an_error_of_the_request_is_not_the_keys(autojump_clock: MockClock, network: Network) -> None:
    """A restricted key's missing scope, and any other error, goes to the caller; the key stays."""
    scopes = b'{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: x"}}'
    provider = Provider(a=(401, {}, scopes), b=(403, {}, b'{"error":{"type":"permission_error"}}'))
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b")) as bridge:
        answers = [await post(bridge) for _ in range(2)]
        assert [each.status_code for each in answers] == [401, 403]
        assert answers[0].content == scopes
        assert provider.keys == ["a", "b"]
        assert [each["state"] for each in keys_in_status(bridge)] == ["ready", "ready"]
    assert not bridge.published(KeyChanged)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "br"])
@pytest.mark.parametrize("invalid", [True, False])
async def test_errors_are_read_in_their_coding(
    autojump_clock: MockClock, network: Network, coding: str, invalid: bool
) -> None:
    """On a route that is passed through; of one in another coding it is not known whether the key is at fault."""
    scopes = b'{"error":{"message":"Missing scopes: model.read"}}'
    said = INVALID[2] if invalid else scopes
    packed = {
        "gzip": gzip.compress(said),
        "deflate": zlib.compress(said),
        "zstd": bytes(zstd.compress(said)),
        "br": b"\x0b" + said,
    }[coding]
    provider = Provider(a=(401, {"content-encoding": coding}, packed))
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b")) as bridge:
        async with bridge.client.stream("POST", EMBEDDINGS, content=b"{}") as answer:
            content = b"".join([piece async for piece in answer.aiter_raw()])
        out = invalid and coding != "br"
        assert (answer.status_code, content) == ((200, b"{}") if out else (401, packed))
        assert [each["state"] for each in keys_in_status(bridge)] == ["out" if out else "ready", "ready"]


@pytest.mark.parametrize("size", [0, 1, 100_000, replay.MOST_KEPT])
async def test_the_same_body_goes_up_again(autojump_clock: MockClock, network: Network, size: int) -> None:
    """Of an announced length or in chunks, up to what is kept; all memory is given back."""
    provider = Provider(a=RATE, b=INVALID)
    await network.answer("openai", provider)
    body = b"x" * (size - 100)

    async def pieces() -> Any:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    async with network.bridge(**with_keys("a", "b", "c")) as bridge:
        keys = pool_of(bridge)
        assert (await post(bridge, content=body)).status_code == 200
        assert provider.keys == ["a", "b", "c"]
        keys.apply([KeyTable(label=name, secret=Secret(f"sk-{name}")) for name in "xyz"])
        provider.answers = dict.fromkeys("xy", RATE)
        assert (await post(bridge, content=pieces())).status_code == 200
        assert provider.keys[3:] == ["x", "y", "z"]
        assert provider.bodies == [body] * 6
        assert keys.memory.used == 0
        assert all(key.in_use == 0 for key in keys.pool)


async def test_a_body_that_is_not_kept_goes_up_once(autojump_clock: MockClock, network: Network) -> None:
    """Its caller gets the provider's answer; the key rests for others."""
    provider = Provider(a=RATE)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b")) as bridge:
        answer = await post(bridge, content=b"x" * (replay.MOST_KEPT + 1))
        assert answer.status_code == 429
        assert (await post(bridge)).status_code == 200
        assert provider.keys == ["a", "b"]


async def test_a_callers_own_key_never_enters_the_pool(autojump_clock: MockClock, network: Network) -> None:
    """Where callers' own keys go up their refusals are theirs: nothing is sent again, and no key rests."""
    provider = Provider(own=RATE, theirs=INVALID)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b", forward_caller_keys=True), **BREAKER) as bridge:
        for own, status in (("own", 429), ("theirs", 401)):
            answer = await post(bridge, headers={"authorization": f"Bearer {own}"})
            assert answer.status_code == status
        assert provider.keys == ["own", "theirs"]
        assert [each["label"] for each in keys_in_status(bridge)] == ["file-a", "file-b"]
        assert {each["state"] for each in keys_in_status(bridge)} == {"ready"}
        assert (await post(bridge)).status_code == 200


async def test_keys_rest_for_a_passed_through_route_alone(autojump_clock: MockClock, network: Network) -> None:
    """The limit of embeddings is not that of chats: while all keys rest for the one, the other is served."""
    provider = Provider(a=RATE, b=RATE)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b")) as bridge:
        assert (await post(bridge, EMBEDDINGS)).status_code == 429
        assert reason(await post(bridge, EMBEDDINGS)) == "keys_resting"
        provider.answers.clear()
        assert (await post(bridge)).status_code == 200
        assert [each["state"] for each in keys_in_status(bridge)] == ["resting", "resting"]


async def test_keys_rest_by_model_where_the_breaker_does(autojump_clock: MockClock, network: Network) -> None:
    """With scope model a key that rests for one model is used for others."""
    provider = Provider(a=RATE, b=RATE)
    await network.answer("openai", provider)
    options = {**BREAKER, "circuit_breaker_scope": "model", "circuit_breaker_models": ("m",)}
    async with network.bridge(**with_keys("a", "b"), **options) as bridge:
        assert (await post(bridge)).status_code == 429
        assert reason(await post(bridge)) == "keys_resting"
        provider.answers.clear()
        assert (await post(bridge, content=b'{"model":"other"}')).status_code == 200


async def test_an_answer_that_has_begun_is_never_replaced(autojump_clock: MockClock, network: Network) -> None:
    """What is sent again had no byte for its caller; a stream that breaks stays broken."""
    seen: list[bytes | None] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(request.header(b"authorization"))
        await reply.start(200, SSE)
        await reply.send(WORD)
        raise trio.BrokenResourceError

    async def broken(request: Request, reply: Reply) -> None:
        try:
            await provider(request, reply)
        except trio.BrokenResourceError:
            reply.reset() if hasattr(reply, "reset") else None

    await network.answer("openai", broken)
    async with network.bridge(**with_keys("a", "b")) as bridge:
        with pytest.raises(httpx.HTTPError):
            await post(bridge)
        assert len(seen) == 1


async def test_cancelled_requests_give_their_key_back(autojump_clock: MockClock, network: Network) -> None:
    """Whenever a caller leaves: during the first key's answer, or the second's."""
    provider = Provider(a=RATE)
    provider.slow = 1.0
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b", choice="least-used")) as bridge:
        keys = pool_of(bridge)
        for leaves, tried in ((0.5, ["a"]), (0.5, ["b"]), (1.5, ["a", "b"])):
            provider.keys.clear()
            with trio.move_on_after(leaves):
                await post(bridge)
            await trio.sleep(5)
            assert provider.keys == tried
            assert [key.in_use for key in keys.pool] == [0, 0]
            assert keys.memory.used == 0


async def test_least_used_goes_by_what_is_in_flight(autojump_clock: MockClock, network: Network) -> None:
    """Of six requests at once each key of three has two."""
    provider = Provider()
    provider.slow = 1.0
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b", "c", choice="least-used")) as bridge:
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(post, bridge)
        assert Counter(provider.keys) == {"a": 2, "b": 2, "c": 2}


async def test_the_key_that_was_used_is_masked(autojump_clock: MockClock, network: Network) -> None:
    """A provider that quotes the key it got discloses none, whichever it was; in the other dialect, too."""
    keys = ["sk-ant-canary-1", "sk-ant-canary-2"]
    quoted = {key[3:]: (400, {"x-key": key}, f'{{"error":"{key}"}}'.encode()) for key in keys}
    provider = Provider(**quoted)
    await network.answer("anthropic", provider)
    tables = [KeyTable(label=f"file-{number}", secret=Secret(key)) for number, key in enumerate(keys)]
    own = table(tables, name="anthropic", dialect="anthropic", base_url="http://anthropic")
    async with network.bridge(provider_tables=(own,)) as bridge:
        for _ in keys:
            answer = await post(bridge, MESSAGES)
            assert answer.headers["x-key"] == "*" * len(keys[0])
            assert answer.json() == {"error": "*" * len(keys[0])}
        backend = bridge.bridge.router.get("anthropic")
        assert "canary" not in repr(backend) + str(bridge.bridge.status.document()) + repr(bridge.events)
        assert provider.keys == [key[3:] for key in keys]


async def test_a_429_is_neutral_while_another_key_is_ready(autojump_clock: MockClock, network: Network) -> None:
    """Even if its request cannot be sent again: only the last key's counts against the provider."""
    provider = Provider(a=RATE, b=RATE)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b"), **BREAKER) as bridge:
        for failures in (0, 1):
            answer = await post(bridge, content=b"x" * (replay.MOST_KEPT + 1))
            assert answer.status_code == 429
            assert breaker(bridge)["failures_in_window"] == failures


async def test_a_rate_in_an_answer_rests_the_key(autojump_clock: MockClock, network: Network) -> None:
    """Its caller gets the answer as it is; the next requests go up with the other key."""
    seen: list[bytes | None] = []

    async def provider(request: Request, reply: Reply) -> None:
        seen.append(request.header(b"authorization"))
        if len(seen) == 1:
            await reply.answer(200, SSE, b'data: {"error":{"code":"rate_limit_exceeded"}}\n\n')
        else:
            await reply.answer(200, SSE, WORD)

    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b")) as bridge:
        answer = await post(bridge)
        assert b"rate_limit_exceeded" in answer.content
        for _ in range(3):
            assert (await post(bridge)).content == WORD
        assert seen == [b"Bearer sk-a", *[b"Bearer sk-b"] * 3]
        assert [each["state"] for each in keys_in_status(bridge)] == ["resting", "ready"]


async def test_a_key_whose_quota_is_nearly_spent_is_spared(autojump_clock: MockClock, network: Network) -> None:
    """As its headers say: the others are used before it, and it is used if none has more."""
    spent = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "60s",
    }
    provider = Provider(a=(200, spent, b"{}"))
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b")) as bridge:
        for _ in range(4):
            await post(bridge)
        assert provider.keys == ["a", "b", "b", "b"]
        await trio.sleep(2)  # which refills it
        for _ in range(2):
            await post(bridge)
        assert set(provider.keys[4:]) == {"a", "b"}
        provider.answers["b"] = provider.answers["a"]
        for _ in range(4):
            assert (await post(bridge)).status_code == 200


async def test_limits_of_a_key(autojump_clock: MockClock, network: Network) -> None:
    """No key gets more requests than its rate; when all have had theirs the reject says when the first is free."""
    keys = [KeyTable(label=name, secret=Secret(f"sk-{name}"), rate=Rate(2, 10.0)) for name in "ab"]
    provider = Provider()
    await network.answer("openai", provider)
    async with network.bridge(provider_tables=(table(keys),)) as bridge:
        for _ in range(4):
            assert (await post(bridge)).status_code == 200
        assert Counter(provider.keys) == {"a": 2, "b": 2}
        answer = await post(bridge)
        assert (answer.status_code, reason(answer)) == (503, "keys_resting")
        assert 10_000 <= int(answer.headers["retry-after-ms"]) <= 12_000
        pool_of(bridge).apply(keys)
        assert reason(await post(bridge)) == "keys_resting", "what is counted stays"
        await trio.sleep(10)
        provider.answers["a"] = RATE
        assert (await post(bridge)).status_code == 200
        assert Counter(provider.keys[4:]) == {"a": 1, "b": 1} or provider.keys[4:] == ["b"]


async def test_tokens_of_a_key(autojump_clock: MockClock, network: Network) -> None:
    """A request is charged to the key that it is sent with, and what it used is settled there."""
    usage = b'{"choices":[{}],"usage":{"prompt_tokens":10,"completion_tokens":30}}'
    keys = [KeyTable(label=name, secret=Secret(f"sk-{name}"), token_rate=Rate(100, 60.0)) for name in "ab"]
    provider = Provider(a=(200, {}, usage), b=(200, {}, usage))
    await network.answer("openai", provider)
    body = b'{"model":"m","max_tokens":40}'
    async with network.bridge(provider_tables=(table(keys),)) as bridge:
        for _ in range(4):
            assert (await post(bridge, content=body)).status_code == 200
        assert Counter(provider.keys) == {"a": 2, "b": 2}
        assert reason(await post(bridge, content=body)) == "keys_resting"
        for key in pool_of(bridge).pool:
            limits = pool_of(bridge).limits(key)
            assert limits
            assert limits.tokens
            assert limits.tokens.use(trio.current_time()).settled == 80


# With --adaptive


async def test_with_adaptive_the_next_key_is_no_pushback(autojump_clock: MockClock, network: Network) -> None:
    """Nothing is learned of the provider from a key that another one stands in for, and nothing is held."""
    provider = Provider(a=RATE)
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b"), adaptive=True, **BREAKER) as bridge:
        for _ in range(3):
            assert (await post(bridge)).status_code == 200
        assert provider.keys == ["a", "b", "b", "b"]
        [line, *_] = bridge.bridge.status.document()["providers"]
        assert (line["adaptive"]["active"], line["adaptive"]["pushbacks"]) == (False, 0)
    assert {each.held for each in bridge.published(Finished)} == {0.0}


async def test_with_adaptive_requests_wait_while_all_rest(autojump_clock: MockClock, network: Network) -> None:
    """Until the first is back, and not as long as the last one's own hint; those that come meanwhile, too."""
    provider = Provider(a=(429, {"retry-after": "10"}, b"{}"), b=(429, {"retry-after": "200"}, b"{}"))
    await network.answer("openai", provider)
    async with network.bridge(**with_keys("a", "b"), adaptive=True, **BREAKER) as bridge:
        began = trio.current_time()
        answers: list[tuple[int, float]] = []

        async def ask() -> None:
            answers.append(((await post(bridge)).status_code, trio.current_time() - began))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(1)
            provider.answers.pop("a")
            for _ in range(3):
                nursery.start_soon(ask)
        assert [status for status, _ in answers] == [200] * 4
        assert 10 <= min(at for _, at in answers) < 12
        assert max(at for _, at in answers) < 60
        assert provider.keys == ["a", "b", "a", "a", "a", "a"]
        assert all(key.in_use == 0 for key in pool_of(bridge).pool)
        assert pool_of(bridge).memory.used == 0


@pytest.mark.parametrize("shadow", [(), ("adaptive",)])
async def test_with_adaptive_a_body_goes_up_again(
    autojump_clock: MockClock, network: Network, shadow: tuple[str, ...]
) -> None:
    """While requests are held back their bodies are read first; the next key gets the same one, once."""
    provider = Provider(a=INVALID)
    await network.answer("openai", provider)
    body = b"x" * 100_000
    async with network.bridge(**with_keys("a", "b"), adaptive=True, shadow=shadow) as bridge:
        backend = bridge.bridge.router.get("openai")
        assert backend
        assert backend.adaptive
        backend.adaptive.limiter.governor.active = True
        assert (await post(bridge, content=body)).status_code == 200
        assert provider.keys == ["a", "b"]
        assert provider.bodies == [body, body]
        assert pool_of(bridge).memory.used == 0
