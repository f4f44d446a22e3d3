"""The whole path in memory: cooldowns of callers' own keys."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.events import Finished
from aibridge_trio.http.message import Reply, Request
from tests.support.failing_provider import (
    ALICE,
    BY_KEY,
    CHAT,
    JSON,
    RESPONSES,
    SSE,
    Provider,
    breaker,
    fail,
    reason,
)
from tests.support.network import Network


async def test_a_429_of_a_callers_own_key_is_that_keys(autojump_clock: MockClock, network: Network) -> None:
    """A key's 429 puts that key in cooldown for the provider's wait; others are served, and nothing trips."""
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


async def test_the_central_key_belongs_to_all_callers(autojump_clock: MockClock, network: Network) -> None:
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


async def test_an_empty_account_rests_no_key(autojump_clock: MockClock, network: Network) -> None:
    """An exhausted account's 429 starts no cooldown."""

    async def exhausted(_: Request, reply: Reply) -> None:
        await reply.answer(429, JSON, b'{"error":{"code":"insufficient_quota"}}')

    await network.answer("openai", exhausted)
    async with network.bridge(**BY_KEY) as bridge:
        for _ in range(3):
            assert (await bridge.client.post(CHAT, headers=ALICE)).status_code == 429
        assert breaker(bridge)["credentials"]["total"] == 0


async def test_a_word_rests_a_key_no_longer_than_the_longest_cooldown(
    autojump_clock: MockClock, network: Network
) -> None:
    """A provider's wait lengthens a key's cooldown up to the longest, but never below the configured one."""
    provider = Provider(429, {"retry-after": "3600"})
    await network.answer("openai", provider)
    for longest, rests in ((60.0, 60.0), (1.0, 30.0)):
        async with network.bridge(**BY_KEY, circuit_breaker_max_cooldown=longest) as bridge:
            await fail(bridge, 1, headers=ALICE)
            assert breaker(bridge)["credentials"]["callers"][0]["left_s"] == rests
