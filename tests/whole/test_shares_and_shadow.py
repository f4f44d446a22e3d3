"""Limits per caller and provider, and limits in shadow, through the whole path in memory."""

from __future__ import annotations

from collections import Counter
from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from aibridge_trio.events import Finished
from tests.support.crowd import CHAT, MESSAGES, Provider, crowd
from tests.support.network import Network

# Shares


async def test_a_greedy_caller_cannot_fill_the_slots_of_others(
    autojump_clock: MockClock, network: Network
) -> None:
    """A caller with as many in flight as one may have gets 429; other callers get their slots."""
    async with crowd(network, Provider(), max_concurrency=10, max_concurrency_per_caller=2) as callers:
        await callers.come("aaaab")
        assert callers.told == [("a", "caller_capacity", 0.0)] * 2
    assert [reject.status_code for reject in callers.rejects] == [429, 429]
    assert callers.rejects[0].json()["message"].startswith("You have 2 requests in flight")
    assert callers.ends("b") == ["200"]


async def test_a_dead_provider_cannot_fill_the_slots_of_others(
    autojump_clock: MockClock, network: Network
) -> None:
    """A provider with as many in flight as are allowed refuses more; another one's find their slots."""
    dead = Provider(600.0)
    await network.answer("anthropic", Provider())
    async with crowd(network, dead, max_concurrency=4, max_concurrency_per_provider=3) as callers:
        await callers.come("abcd")
        await callers.come("e", MESSAGES)
        await trio.sleep(2)
        assert callers.told == [("d", "provider_capacity", 0.0), ("e", "200", 1.0)]
        assert (await callers.bridge.status())["providers"][0]["limit"] == 3
        callers.nursery.cancel_scope.cancel()
    assert callers.rejects[0].status_code == 503


async def test_a_request_that_lacks_a_share_queues_without_a_slot(
    autojump_clock: MockClock, network: Network
) -> None:
    """With a queue a caller above its share waits, and leaves slots to others meanwhile."""
    provider = Provider()
    options: dict[str, Any] = {"max_concurrency": 2, "max_concurrency_per_caller": 1, "queue_size": 10}
    async with crowd(network, provider, **options) as callers:
        await callers.come("aaab")
        assert provider.order() == "ab"
    assert provider.most == 2
    assert callers.ends("a") == ["200"] * 3
    assert [round(at) for at, name in provider.served if name == "a"] == [0, 1, 2]


# Shadow


async def test_shadow_counts_and_rejects_nothing(autojump_clock: MockClock, network: Network) -> None:
    """What limits in shadow would have rejected is counted by reason and logged; every request is served."""
    options: dict[str, Any] = {
        "max_concurrency": 3,
        "max_concurrency_per_caller": 2,
        "rate_limit": 3,
        "shadow": ("concurrency", "concurrency-per-caller", "rate"),
    }
    async with crowd(network, Provider(), **options) as callers:
        await callers.come("aaaabc")
        status = await callers.bridge.status()
        assert status["shadow"] == ["concurrency", "concurrency-per-caller", "rate"]
        assert status["concurrency"]["in_flight"] == 6
        assert await callers.bridge.metric("would_reject_total", reason="capacity") == 3
        assert await callers.bridge.metric("would_reject_total", reason="rate_limit") == 1
        assert await callers.bridge.metric("rejects_total", reason="capacity") == 0
    assert [end for _, end, _ in callers.told] == ["200"] * 6
    would = Counter(event.would_reject for event in callers.bridge.published(Finished))
    assert would == {
        (): 2,
        ("caller_capacity",): 1,
        ("rate_limit", "capacity", "caller_capacity"): 1,
        ("capacity",): 2,
    }


async def test_a_rate_in_shadow_is_not_seen_by_callers(autojump_clock: MockClock, network: Network) -> None:
    """A rate limit in shadow sends no X-RateLimit headers."""
    async with crowd(network, Provider(), rate_limit=1, shadow=("rate",)) as callers:
        answers = [await callers.bridge.client.post(CHAT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert not any(name.startswith("x-ratelimit") for answer in answers for name in answer.headers)


async def test_no_request_waits_for_a_limit_in_shadow(autojump_clock: MockClock, network: Network) -> None:
    """With concurrency in shadow the queue stays empty; with only a share in shadow requests wait for slots."""
    provider = Provider()
    options: dict[str, Any] = {"max_concurrency": 1, "queue_size": 5, "max_concurrency_per_caller": 1}
    async with crowd(network, provider, shadow=("concurrency", "concurrency-per-caller"), **options) as callers:
        await callers.come("ab")
        assert provider.in_flight == 2
    async with crowd(network, provider, shadow=("concurrency-per-caller",), **options) as callers:
        await callers.come("aa")
        assert provider.in_flight == 1
    assert callers.ends("a") == ["200"] * 2
