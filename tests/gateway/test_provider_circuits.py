"""The whole path in memory: what a provider says, whose quota it was, which part is ill, and the way back."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.errors import BodyTooLarge
from aibridge_trio.events import Finished, Transitioned
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network, Running

CHAT = "/openai/v1/chat/completions"
RESPONSES = "/openai/v1/responses"
MESSAGES = "/anthropic/v1/messages"
JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]
WORD = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
OVERLOADED = b'data: {"error":{"code":"server_is_overloaded"}}\n\n'
RULES: dict[str, Any] = {"circuit_breaker": True, "circuit_breaker_failure_threshold": 2}


class Provider:
    """Answers with a status and headers, which tests set, after some seconds; keeps what came."""

    def __init__(self, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        self.head_after = self.body_after = 0.0
        self.ill: set[bytes] = set()  # the keys that get a 429; empty for all
        self.bodies: list[bytes] = []

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.bodies.append(b"".join([piece async for piece in request.body]))
        ill = not self.ill or request.header(b"authorization") in self.ill or b"ill" in self.bodies[-1]
        status = self.status if ill else 200
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()] if ill else []
        await trio.sleep(self.head_after)
        await reply.start(status, [*JSON, *headers])
        await trio.sleep(self.body_after)
        await reply.send(b"{}")
        await reply.end()


def breaker(bridge: Running, provider: int = 0) -> dict[str, Any]:
    """Return a provider's breaker as it stands in /status."""
    found: dict[str, Any] = bridge.bridge.status.document()["providers"][provider]["breaker"]
    return found


async def fail(bridge: Running, times: int = 2, path: str = CHAT, headers: dict[str, str] | None = None) -> None:
    """Make requests that the provider fails."""
    for _ in range(times):
        # A kept connection may end in the very moment in which virtual time jumps to.
        once = {"connection": "close", **(headers or {})}
        answer = await bridge.client.post(path, headers=once, content=b'{"model":"ill"}')
        assert "x-aibridge-reject" not in answer.headers


def reason(answer: httpx.Response) -> str:
    """Return the reason of a reject, or the status of any other answer."""
    return answer.headers.get("x-aibridge-reject") or str(answer.status_code)


# What the provider says


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "60"}, 60),
        (503, {"retry-after": "90"}, 90),
        (529, {"retry-after-ms": "45500"}, 45.5),
        (429, {"retry-after": "5"}, 30),  # the configured one is longer
        (503, {"retry-after": "86400"}, 300),  # no word is longer than this
        (429, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s"}, 90),
        (429, {"x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": "1m30s"}, 30),
        (
            429,
            {"retry-after": "40", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "50s"},
            50,
        ),
        (503, {"retry-after": "soon"}, 30),
    ],
)
async def test_the_cooldown_is_the_longest_of_what_was_said(
    autojump_clock: MockClock, network: Network, status: int, headers: dict[str, str], seconds: float
) -> None:
    """Retry-After and the reset times of exhausted quotas lengthen the cooldown, up to five minutes."""
    await network.answer("openai", Provider(status, headers))
    async with network.bridge(**RULES) as bridge:
        await fail(bridge)
        state = breaker(bridge)
        assert (state["state"], state["cooldown_left_s"]) == ("open", seconds)
        answer = await bridge.client.post(CHAT)
        assert reason(answer) == "circuit_open"
        assert seconds * 1000 <= int(answer.headers["retry-after-ms"]) <= seconds * 1200
        await trio.sleep(seconds - 0.1)
        assert breaker(bridge)["state"] == "open"
        await trio.sleep(0.2)
        assert breaker(bridge)["state"] == "half-open"


async def test_anthropics_reset_times_are_read_by_its_own_clock(
    autojump_clock: MockClock, network: Network
) -> None:
    """A reset in RFC 3339 counts from the answer's own Date, whatever our clock says."""
    headers = {
        "date": "Thu, 26 Nov 2020 09:00:00 GMT",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2020-11-26T09:01:15Z",
        "anthropic-ratelimit-requests-remaining": "9",
        "anthropic-ratelimit-requests-reset": "2020-11-26T09:04:00Z",
    }
    await network.answer("anthropic", Provider(429, headers))
    async with network.bridge(**RULES) as bridge:
        await fail(bridge, path=MESSAGES)
        assert breaker(bridge, 1)["cooldown_left_s"] == 75


async def test_a_later_longer_word_extends_and_a_shorter_one_never_cuts(
    autojump_clock: MockClock, network: Network
) -> None:
    """Retry hints of requests that were under way when it opened still count."""
    words = {b"60": 5.0, b"120": 10.0, b"1": 15.0}

    async def provider(request: Request, reply: Reply) -> None:
        seconds = b"".join([piece async for piece in request.body])
        await trio.sleep(words.get(seconds, 0))
        await reply.answer(503, [*JSON, (b"retry-after", seconds or b"0")], b"{}")

    await network.answer("openai", provider)
    left = []
    async with network.bridge(**RULES) as bridge, trio.open_nursery() as nursery:
        for word in words:
            nursery.start_soon(partial(bridge.client.post, CHAT, content=word))
        await trio.sleep(1)
        await fail(bridge, path=RESPONSES)
        for _ in range(4):
            left.append(breaker(bridge)["cooldown_left_s"])
            await trio.sleep(5)
    assert left == [30, 65 - 6, 130 - 11, 130 - 16]  # said at 5 s: a minute, at 10 s: two, at 15 s: a second


async def test_trips_in_a_row_take_longer_and_health_takes_that_back(
    autojump_clock: MockClock, network: Network
) -> None:
    """Each trip without a healthy spell lengthens the cooldown; a spell as long as a cooldown takes one back."""
    provider = Provider(503)
    await network.answer("openai", provider)
    async with network.bridge(**RULES) as bridge:
        lengths: list[float] = []
        for _ in range(3):
            await fail(bridge, 2 if not lengths else 1)
            lengths.append(breaker(bridge)["cooldown_s"])
            await trio.sleep(lengths[-1] + 0.01)
        assert lengths[0] == 30
        assert 30 < lengths[1] < lengths[2] < 300
        provider.status = 200
        await fail(bridge, 3)
        await trio.sleep(3600)
        provider.status = 503
        await fail(bridge)
        assert breaker(bridge)["cooldown_s"] == 30
    causes = [event.because for event in bridge.published(Transitioned) if event.trip]
    assert causes[0] == "2 failures in 10 s, last 503"
    assert causes[1].startswith("a probe failed: 503; trip 2 in a row, for ")


async def test_a_word_counts_from_its_head(autojump_clock: MockClock, network: Network) -> None:
    """A stream that says "overloaded" after a minute has aged the reset times of its head by that minute."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.start(
            200, [*SSE, (b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"100s")]
        )
        await trio.sleep(20)
        await reply.send(OVERLOADED)
        await reply.end()

    await network.answer("openai", provider)
    async with network.bridge(**RULES | {"circuit_breaker_failure_threshold": 1}) as bridge:
        await bridge.client.post(CHAT)
        assert breaker(bridge)["cooldown_left_s"] == 80


# Whose quota it was

BY_KEY: dict[str, Any] = {**RULES, "circuit_breaker_429": "credential"}
ALICE = {"authorization": "Bearer sk-alice-0123456789"}


async def test_a_429_of_a_callers_own_key_is_that_keys(autojump_clock: MockClock, network: Network) -> None:
    """Its next requests are answered here, with the provider's own time; others are served, and nothing trips."""
    provider = Provider(429, {"retry-after": "20"})
    provider.ill = {b"Bearer sk-alice-0123456789"}
    await network.answer("openai", provider)
    async with network.bridge(**BY_KEY) as bridge:
        assert (await bridge.client.post(CHAT, headers=ALICE)).status_code == 429
        for path in (CHAT, RESPONSES, "/openai/v1/models"):
            method = "GET" if path.endswith("/models") else "POST"
            answer = await bridge.client.request(method, path, headers=ALICE)
            assert (answer.status_code, reason(answer)) == (429, "credential_cooldown")
            assert 20_000 <= int(answer.headers["retry-after-ms"]) <= 24_000
        assert len(provider.bodies) == 1
        assert (await bridge.client.post(CHAT, headers={"authorization": "Bearer bob"})).status_code == 200
        state = breaker(bridge)
        assert (state["state"], state["failures_in_window"]) == ("closed", 0)
        assert state["credentials"] == {
            "resting": 1,
            "total": 1,
            "evictions": 0,
            "callers": [{"hint": "…6789", "left_s": 20.0}],
        }
        assert await bridge.metric("credentials_resting", provider="openai") == 1
        assert await bridge.metric("credential_cooldowns_total", provider="openai") == 1
        await trio.sleep(20)
        provider.ill = {b"no key"}
        assert (await bridge.client.post(CHAT, headers=ALICE)).status_code == 200
        assert breaker(bridge)["credentials"]["resting"] == 0
    assert bridge.published(Finished)[0].verdict == "neutral"


async def test_three_keys_are_the_providers_trouble(autojump_clock: MockClock, network: Network) -> None:
    """From the third different key within the window on, each 429 counts."""
    await network.answer("openai", Provider(429, {"retry-after": "20"}))
    async with network.bridge(**BY_KEY) as bridge:
        for name, failures in (("a", 0), ("b", 0), ("c", 1)):
            await fail(bridge, 1, headers={"authorization": f"Bearer {name}"})
            assert breaker(bridge)["failures_in_window"] == failures
        await fail(bridge, 1, headers={"authorization": "Bearer d"})
        assert breaker(bridge)["state"] == "open"


async def test_the_central_key_is_everybodys(autojump_clock: MockClock, network: Network) -> None:
    """The central key's 429s count against the provider, and no caller's key is put in cooldown."""
    await network.answer("openai", Provider(429))
    async with network.bridge(**BY_KEY, openai_api_key=Secret("sk-central")) as bridge:
        await fail(bridge, headers=ALICE)
        assert breaker(bridge)["state"] == "open"
        assert breaker(bridge)["credentials"]["total"] == 0


async def test_other_failures_of_a_key_are_the_providers(autojump_clock: MockClock, network: Network) -> None:
    """A 503 starts no key's cooldown; a rate limit inside a 200 stream does."""

    async def limited(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(b'data: {"error":{"code":"rate_limit_exceeded"}}\n\n')
        await reply.end()

    await network.answer("openai", Provider(503))
    await network.answer("copilot", limited)
    async with network.bridge(**BY_KEY) as bridge:
        await fail(bridge, headers=ALICE)
        assert breaker(bridge)["state"] == "open"
        await bridge.client.post("/copilot/chat/completions", headers=ALICE)
        answer = await bridge.client.post("/copilot/chat/completions", headers=ALICE)
        assert reason(answer) == "credential_cooldown"
        assert 30_000 <= int(answer.headers["retry-after-ms"]) <= 36_000  # nothing was said: the configured one


async def test_an_empty_account_rests_nobody(autojump_clock: MockClock, network: Network) -> None:
    """An exhausted account's 429 starts no cooldown."""

    async def exhausted(_: Request, reply: Reply) -> None:
        await reply.answer(429, JSON, b'{"error":{"code":"insufficient_quota"}}')

    await network.answer("openai", exhausted)
    async with network.bridge(**BY_KEY) as bridge:
        for _ in range(3):
            assert (await bridge.client.post(CHAT, headers=ALICE)).status_code == 429
        assert breaker(bridge)["credentials"]["total"] == 0


# What one caller meets

BOB = {"authorization": "Bearer sk-bob-0123456789"}


async def shared_hour(bridge: Running, greedy: dict[str, str], other: dict[str, str]) -> tuple[int, int]:
    """Let one caller ask every 4 s for an hour, another every 8 s; return the other's 200s and 503s."""
    answers: list[int] = []

    async def ask_often() -> None:
        while True:
            await bridge.client.post(CHAT, headers=greedy)
            await trio.sleep(4)

    async with trio.open_nursery() as nursery:
        answers.append((await bridge.client.post(CHAT, headers=other)).status_code)
        nursery.start_soon(ask_often)
        for _ in range(450):
            await trio.sleep(8)
            answers.append((await bridge.client.post(CHAT, headers=other)).status_code)
        nursery.cancel_scope.cancel()
    return answers.count(200), answers.count(503)


async def test_one_caller_at_its_quota_takes_the_provider_from_nobody(
    autojump_clock: MockClock, network: Network
) -> None:
    """An hour of one key's 429s with 300 s to wait: another caller has all of its answers."""
    provider = Provider(429, {"retry-after": "300"})
    provider.ill = {ALICE["authorization"].encode()}
    await network.answer("openai", provider)
    async with network.bridge(**RULES) as bridge:
        assert await shared_hour(bridge, ALICE, BOB) == (451, 0)
        assert (breaker(bridge)["state"], breaker(bridge)["trips"]) == ("closed", 0)


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_caller_is_there_while_it_waits_for_long_answers(
    autojump_clock: MockClock, network: Network, streamed: bool
) -> None:
    """One answer after the other of 45 s each: in most windows none is completed, and none begins."""

    async def long(request: Request, reply: Reply) -> None:
        if (b"authorization", ALICE["authorization"].encode()) in request.headers:
            await reply.answer(429, JSON, b"{}")
        elif not streamed:
            await trio.sleep(45)
            await reply.answer(200, JSON, b"{}")
        else:
            await reply.start(200, [(b"content-type", b"text/event-stream")])
            for _ in range(45):
                await reply.send(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
                await trio.sleep(1)
            await reply.end()

    await network.answer("openai", long)
    async with network.bridge(**RULES) as bridge, trio.open_nursery() as nursery:

        async def limited() -> None:
            await trio.sleep(50)
            while True:
                await bridge.client.post(CHAT, headers=ALICE)
                await trio.sleep(0.5)

        nursery.start_soon(limited)
        assert [(await bridge.client.post(CHAT, headers=BOB)).status_code for _ in range(9)] == [200] * 9
        assert (breaker(bridge)["state"], breaker(bridge)["trips"]) == ("closed", 0)
        await trio.sleep(57)
        assert breaker(bridge)["state"] == "open"  # the other has gone
        nursery.cancel_scope.cancel()


async def test_one_caller_at_its_quota_does_not_keep_it_open(autojump_clock: MockClock, network: Network) -> None:
    """It opens without another caller; in half-open other callers close it."""
    provider = Provider(429, {"retry-after": "60"})
    provider.ill = {ALICE["authorization"].encode()}
    await network.answer("openai", provider)
    async with network.bridge(**RULES) as bridge:
        await fail(bridge, headers=ALICE)
        assert breaker(bridge)["state"] == "open"
        for second in range(90):
            await trio.sleep(1)
            await bridge.client.post(CHAT, headers=ALICE)
            if second % 10 == 0:
                await bridge.client.post(CHAT, headers=BOB)
        assert (breaker(bridge)["state"], breaker(bridge)["trips"]) == ("closed", 1)


@pytest.mark.parametrize("own_key", [True, False])
async def test_a_429_of_the_central_key_or_of_no_key_always_counts(
    autojump_clock: MockClock, network: Network, own_key: bool
) -> None:
    """Whichever caller gets the 429: the central key is all callers' key."""
    provider = Provider(429)
    provider.ill = {b"never"}
    await network.answer("openai", provider)
    options = {} if own_key else {"openai_api_key": Secret("sk-central")}
    async with network.bridge(**RULES, **options) as bridge:
        await bridge.client.post(CHAT, headers=BOB)
        for _ in range(2):
            await bridge.client.post(CHAT, content=b"ill", headers=ALICE)
        assert breaker(bridge)["state"] == ("closed" if own_key else "open")
        for _ in range(2):
            await bridge.client.post(CHAT, content=b"ill")  # without a key
        assert breaker(bridge)["state"] == "open"


@pytest.mark.parametrize("key", [None, Secret("sk-central")])
@pytest.mark.parametrize(
    "options",
    [{"first_byte_timeout": 5.0}, {"circuit_breaker_slow_first_byte": 5.0}, {"idle_timeout": 5.0}],
    ids=["no head", "a late first byte", "a silent answer"],
)
async def test_one_callers_long_answers_open_nothing_while_others_are_answered(
    autojump_clock: MockClock, network: Network, key: Secret | None, options: dict[str, Any]
) -> None:
    """Timeouts are caller-related with the central key, too."""

    async def thinks(request: Request, reply: Reply) -> None:
        body = b"".join([piece async for piece in request.body])
        if "idle_timeout" in options:
            await reply.start(200, JSON)
            await reply.send(b"{")
        await trio.sleep(30 if b"hard" in body else 0.1)
        await reply.answer(200, JSON, b"{}") if not reply.started else await reply.end()

    async def ask(bridge: Running) -> None:
        with suppress(httpx.RemoteProtocolError):  # an answer that is broken off
            await bridge.client.post(CHAT, content=b"hard", headers=ALICE)

    await network.answer("openai", thinks)
    async with network.bridge(**RULES, openai_api_key=key, **options) as bridge, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask, bridge)
        await trio.sleep(1)
        await bridge.client.post(CHAT, headers=BOB)
        await trio.sleep(10)
        assert breaker(bridge)["verdicts"]["failure"] == 5
        assert breaker(bridge)["state"] == "closed"
        for _ in range(2):
            nursery.start_soon(ask, bridge)
        await trio.sleep(12)  # and no other caller in the window
        assert breaker(bridge)["state"] == "open"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("status", [503, 529])
async def test_what_the_provider_says_of_itself_always_counts(
    autojump_clock: MockClock, network: Network, status: int
) -> None:
    """A 503 to one caller counts against the provider, whichever other callers are answered."""
    provider = Provider(status)
    provider.ill = {ALICE["authorization"].encode()}
    await network.answer("openai", provider)
    async with network.bridge(**RULES) as bridge:
        await bridge.client.post(CHAT, headers=BOB)
        await fail(bridge, headers=ALICE)
        assert breaker(bridge)["state"] == "open"


async def test_a_rate_limit_in_a_stream_is_a_callers_own(autojump_clock: MockClock, network: Network) -> None:
    """A 429 in the middle of a 200 is judged as one in a head."""

    async def limited(request: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(WORD)
        if request.header(b"authorization") == ALICE["authorization"].encode():
            await reply.send(b'data: {"error":{"code":429}}\n\n')
        await reply.end()

    await network.answer("openai", limited)
    async with network.bridge(**RULES) as bridge:
        await bridge.client.post(CHAT, headers=BOB)
        for _ in range(5):
            await bridge.client.post(CHAT, headers=ALICE)
        assert (breaker(bridge)["state"], breaker(bridge)["verdicts"]["failure"]) == ("closed", 5)
        await trio.sleep(10)
        for _ in range(2):
            await bridge.client.post(CHAT, headers=ALICE)
        assert breaker(bridge)["state"] == "open"


# Which part is ill


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
        assert scopes == dict.fromkeys(("/completions", "/responses", "/responses/compact"), ("closed", 0, 0))
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
    """Sized or chunked, in many pieces, byte for byte; and it is bounded."""
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


# Slow is ill too


async def test_a_late_first_byte_is_a_failure(autojump_clock: MockClock, network: Network) -> None:
    """It counts in the moment in which it is late, though the answer comes in the end, and is relayed."""
    provider = Provider()
    provider.body_after = 60.0
    await network.answer("openai", provider)
    options = {**RULES, "circuit_breaker_slow_first_byte": 20.0}
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(bridge.client.post, CHAT)
        await trio.sleep(19.9)
        assert breaker(bridge)["state"] == "closed"
        await trio.sleep(0.2)
        assert breaker(bridge)["state"] == "open"
        await trio.sleep(50)
    assert [(event.status, event.verdict) for event in bridge.published(Finished)] == [(200, "failure")] * 2
    assert bridge.published(Transitioned)[0].because == "2 failures in 10 s, last no first byte in 20 s"


@pytest.mark.parametrize("asked", [True, False])
async def test_a_first_byte_in_time_is_none(autojump_clock: MockClock, network: Network, asked: bool) -> None:
    """What comes in time is judged as ever; without the option nothing is ever late."""
    provider = Provider()
    provider.head_after, provider.body_after = (5.0, 14.0) if asked else (300.0, 200.0)
    await network.answer("openai", provider)
    options = {"circuit_breaker_slow_first_byte": 20.0} if asked else {}
    async with network.bridge(**RULES, **options) as bridge:
        assert (await bridge.client.post(CHAT)).status_code == 200
        await trio.sleep(60)
        assert breaker(bridge)["verdicts"] == {"success": 1, "failure": 0, "neutral": 0}


async def test_a_slow_upload_is_not_the_providers_slowness(autojump_clock: MockClock, network: Network) -> None:
    """The time runs from when all of the request is on its way."""
    provider = Provider()
    await network.answer("openai", provider)

    async def slowly() -> Any:
        for _ in range(5):
            await trio.sleep(15)
            yield b"x" * 20_000

    async with network.bridge(**RULES, circuit_breaker_slow_first_byte=20.0) as bridge:
        assert (await bridge.client.post(CHAT, content=slowly())).status_code == 200
        assert breaker(bridge)["verdicts"]["failure"] == 0


# The way back


async def test_a_ramp_admits_more_and_more(autojump_clock: MockClock, network: Network) -> None:
    """After closing a tenth is admitted, half-way a little more than half, at the end all."""
    provider = Provider(503)
    await network.answer("openai", provider)
    async with network.bridge(**RULES, circuit_breaker_ramp=100.0) as bridge:
        await fail(bridge)
        provider.status = 200
        await trio.sleep(30)
        for _ in range(3):
            assert reason(await bridge.client.post(CHAT)) == "200"
        assert breaker(bridge)["share"] == 0.1

        async def admitted() -> float:
            found = [reason(await bridge.client.post(CHAT)) for _ in range(100)]
            assert set(found) <= {"200", "circuit_open"}
            return found.count("200") / 100

        assert await admitted() == pytest.approx(0.1, abs=0.011)
        answers = [await bridge.client.post(CHAT) for _ in range(2)]  # of which one is refused
        refused = next(answer for answer in answers if reason(answer) == "circuit_open")
        assert "is coming back from an outage" in refused.json()["message"]
        assert 1000 <= int(refused.headers["retry-after-ms"]) <= 120_000
        assert await bridge.metric("circuit_breaker_ramp_share", provider="openai") == pytest.approx(0.1)
        await trio.sleep(50)
        assert await admitted() == pytest.approx(0.55, abs=0.011)
        await trio.sleep(50)
        assert await admitted() == 1.0


# Shadow


async def test_a_breaker_in_shadow_refuses_nobody(autojump_clock: MockClock, network: Network) -> None:
    """It opens, probes and closes as usual, and counts the requests it would have refused."""
    provider = Provider(503)
    await network.answer("openai", provider)
    async with network.bridge(**RULES, shadow=("breaker",)) as bridge:
        await fail(bridge, 5)
        await bridge.client.get("/openai/v1/models")
        assert len(provider.bodies) == 6
        state = breaker(bridge)
        assert (state["state"], state["trips"], state["rejects"]) == ("open", 1, 0)
        assert await bridge.metric("would_reject_total", reason="circuit_open") == 4
        assert await bridge.metric("rejects_total", reason="circuit_open") == 0
        await trio.sleep(30)
        provider.status = 200
        for _ in range(3):
            await bridge.client.post(CHAT)
        assert breaker(bridge)["state"] == "closed"


async def test_a_resting_key_in_shadow_is_served(autojump_clock: MockClock, network: Network) -> None:
    """A key's cooldown is counted and refuses no request; its 429s count as without key cooldowns."""
    provider = Provider(429, {"retry-after": "20"})
    await network.answer("openai", provider)
    async with network.bridge(**BY_KEY, shadow=("credential",)) as bridge:
        await fail(bridge, 2, headers=ALICE)
        assert len(provider.bodies) == 2
        assert await bridge.metric("would_reject_total", reason="credential_cooldown") == 1
        assert breaker(bridge)["state"] == "open"


async def test_an_operators_word_is_no_shadow(autojump_clock: MockClock, network: Network) -> None:
    """Forced open refuses all requests, also while the breaker is in shadow."""
    await network.answer("openai", Provider())
    async with network.bridge(**RULES, shadow=("breaker",)) as bridge:
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        assert reason(await bridge.client.post(CHAT)) == "circuit_open"
        assert reason(await bridge.client.get("/openai/v1/models")) == "circuit_open"


async def test_a_word_rests_a_key_no_longer_than_the_longest_cooldown(
    autojump_clock: MockClock, network: Network
) -> None:
    """And where that is shorter than the configured cooldown, no longer than this."""
    provider = Provider(429, {"retry-after": "3600"})
    await network.answer("openai", provider)
    for longest, rests in ((60.0, 60.0), (1.0, 30.0)):
        async with network.bridge(**BY_KEY, circuit_breaker_max_cooldown=longest) as bridge:
            await fail(bridge, 1, headers=ALICE)
            assert breaker(bridge)["credentials"]["callers"][0]["left_s"] == rests
