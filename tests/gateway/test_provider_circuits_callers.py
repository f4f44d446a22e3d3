"""The whole path in memory: what one caller's failures do to the others."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.http.message import Reply, Request
from tests.support.failing_provider import (
    ALICE,
    BOB,
    CHAT,
    JSON,
    RULES,
    SSE,
    WORD,
    Provider,
    breaker,
    fail,
)
from tests.support.network import Network, Running


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


async def test_one_caller_at_its_quota_leaves_the_provider_to_others(
    autojump_clock: MockClock, network: Network
) -> None:
    """During an hour of one key's 429s with waits of 300 s another caller gets all of its answers."""
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
    """The breaker opens when there is no other caller; in half-open other callers close it."""
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
    """A 429 to the central key, or to no key, counts whichever caller gets it."""
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
    """One caller's timeouts open nothing while others are answered, with a central key too."""

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
