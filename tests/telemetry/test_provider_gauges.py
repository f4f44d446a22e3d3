"""What each provider is doing now: read when a scrape comes."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import KeyTable, ProviderTable
from aibridge_trio.config.units import Secret
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT
from tests.support.network import Network

JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]
OPENAI = {"provider": "openai"}


class Answers:
    """A provider that answers each request with `status`, `body` and `headers`, which may change."""

    def __init__(self, status: int, body: bytes = b"{}", *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    async def __call__(self, request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(self.status, [*JSON, *self.headers], self.body)


async def stalls(_: Request, reply: Reply) -> None:
    """Begin an answer after four seconds, and never go on."""
    await trio.sleep(4)
    await reply.start(200, SSE)
    await reply.send(b'data: {"choices":[]}\n\n')
    await trio.sleep_forever()


async def test_the_waits_for_a_provider_are_those_of_now(autojump_clock: MockClock, network: Network) -> None:
    """For the head, then for the next piece; the oldest of several, and 0 when all have left."""
    await network.answer("openai", stalls)

    async with network.bridge() as bridge:

        async def told() -> tuple[float, float, float]:
            names = ("oldest_unanswered_seconds", "longest_silence_seconds", "provider_requests_in_flight")
            head, piece, flying = [await bridge.metric(name, **OPENAI) for name in names]
            return round(head, 3), round(piece, 3), flying

        assert await told() == (0, 0, 0)
        async with trio.open_nursery() as callers:
            callers.start_soon(bridge.client.post, CHAT)
            await trio.sleep(3)
            callers.start_soon(bridge.client.post, CHAT)
            assert await told() == (3, 0, 2)
            await trio.sleep(3)
            assert await told() == (3, 2, 2)
            await trio.sleep(4)
            assert await told() == (0, 6, 2)
            callers.cancel_scope.cancel()
        await trio.sleep(1)
        assert await told() == (0, 0, 0)
        assert await bridge.metric("oldest_unanswered_seconds", provider="anthropic") == 0


async def test_an_override_is_shown_until_it_ends(autojump_clock: MockClock, network: Network) -> None:
    """By its mode, of the one provider that it is for."""
    async with network.bridge(circuit_breaker=True) as bridge:

        async def forced(mode: str, provider: str = "openai") -> float:
            return await bridge.metric("circuit_breaker_forced", provider=provider, mode=mode)

        await bridge.admin.post("/breakers/openai", json={"mode": "open", "for": "1m"})
        assert (await forced("open"), await forced("close"), await forced("open", "anthropic")) == (1, 0, 0)
        await bridge.admin.post("/breakers/openai", json={"mode": "close", "for": "1m"})
        assert (await forced("open"), await forced("close")) == (0, 1)
        await trio.sleep(61)
        assert (await forced("open"), await forced("close")) == (0, 0)


async def test_what_remains_of_a_quota_is_what_the_latest_answer_said(
    autojump_clock: MockClock, network: Network
) -> None:
    """For a minute after it was seen; before the first answer nothing is known."""
    quota = {"provider": "openai", "kind": "requests"}
    async with network.bridge(openai_api_key=Secret("sk-central")) as bridge:
        with pytest.raises(KeyError):
            await bridge.metric("quota_remaining", **quota)
        provider = Answers(200)
        await network.answer("openai", provider)
        for remaining in (b"41", b"40"):
            provider.headers = (
                (b"x-ratelimit-limit-requests", b"60"),
                (b"x-ratelimit-remaining-requests", remaining),
                (b"x-ratelimit-reset-requests", b"20s"),
            )
            await bridge.client.post(CHAT)
            assert await bridge.metric("quota_remaining", **quota) == int(remaining)
            assert await bridge.metric("quota_limit", **quota) == 60
        await trio.sleep(59)
        assert await bridge.metric("quota_remaining", **quota) == 40
        await trio.sleep(2)
        with pytest.raises(KeyError):
            await bridge.metric("quota_remaining", **quota)


async def test_a_callers_own_quota_is_not_the_bridges(autojump_clock: MockClock, network: Network) -> None:
    """Neither what remains of it, nor that its account has no credit left, says anything of the provider."""
    left = (
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"x-ratelimit-reset-requests", b"1s"),
    )
    await network.answer("openai", Answers(429, b'{"error":{"code":"insufficient_quota"}}', *left))
    async with network.bridge() as bridge:
        await bridge.client.post(CHAT, headers={"authorization": "Bearer sk-of-a-caller"})
        assert await bridge.metric("credit_exhausted_total", **OPENAI) == 0
        with pytest.raises(KeyError):
            await bridge.metric("quota_remaining", provider="openai", kind="requests")


@pytest.mark.parametrize(
    ("status", "body"),
    [(429, b'{"error":{"code":"insufficient_quota"}}'), (402, b'{"detail":"Payment required"}')],
)
async def test_an_account_without_credit_is_counted(
    autojump_clock: MockClock, network: Network, status: int, body: bytes
) -> None:
    """Each answer that says so, of this provider; an ordinary 429 is none."""
    async with network.bridge(openai_api_key=Secret("sk-central")) as bridge:
        provider = Answers(429, b'{"error":{"code":"rate_limit_exceeded"}}')
        await network.answer("openai", provider)
        await bridge.client.post(CHAT)
        assert await bridge.metric("credit_exhausted_total", **OPENAI) == 0
        provider.status, provider.body = status, body
        for _ in range(2):
            await bridge.client.post(CHAT)
        assert await bridge.metric("credit_exhausted_total", **OPENAI) == 2
        assert await bridge.metric("credit_exhausted_total", provider="anthropic") == 0


async def test_faults_of_keys_are_counted_by_what_is_wrong(autojump_clock: MockClock, network: Network) -> None:
    """All of a provider's keys together, and each request that was sent again with another one."""
    keys = tuple(KeyTable(label=name, secret=Secret(f"sk-{name}")) for name in ("one", "two"))
    table = ProviderTable(name="vllm", dialect="openai", base_url="http://openai/v1", keys=keys)
    await network.answer("openai", Answers(401, b'{"error":{"code":"invalid_api_key"}}'))
    async with network.bridge(provider_tables=(table,)) as bridge:
        for fault in ("rate", "spent", "invalid"):
            assert await bridge.metric("key_faults_total", provider="vllm", fault=fault) == 0
        await bridge.client.post("/vllm/v1/chat/completions", content=b"{}")
        assert await bridge.metric("key_faults_total", provider="vllm", fault="invalid") == 2
        assert await bridge.metric("key_faults_total", provider="vllm", fault="rate") == 0
        assert await bridge.metric("keys", provider="vllm", state="out") == 2
