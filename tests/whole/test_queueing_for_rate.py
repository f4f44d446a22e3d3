"""Requests that queue for their caller's rate, through the whole path in memory."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from aibridge_trio.events import Waited
from tests.support.crowd import CHAT, MESSAGES, Provider, crowd
from tests.support.network import Network


async def test_a_request_waits_for_its_rate(autojump_clock: MockClock, network: Network) -> None:
    """Requests wait in order, without a slot, until their caller's rate admits them; other callers' pass."""
    provider = Provider(10.0)
    async with crowd(network, provider, max_concurrency=5, rate_limit=1, queue_size=9) as callers:
        await callers.come("aaa")
        await trio.sleep(0.5)
        await callers.come("b")
        status = await callers.bridge.status()
        assert (status["concurrency"]["in_flight"], status["queue"]["waiting"]) == (2, 2)
        await callers.come("a")
    assert provider.served == [(0.0, "a"), (0.5, "b"), (1.0, "a"), (2.0, "a"), (3.0, "a")]
    waits = [(waited.outcome, waited.seconds) for waited in callers.bridge.published(Waited)]
    assert waits == [("served", 1.0), ("served", 2.0), ("served", 2.5)]


async def test_a_rate_turn_that_comes_too_late_is_refused_at_once(
    autojump_clock: MockClock, network: Network
) -> None:
    """A request that may not wait so long is refused as without a queue, with a turn behind the queued ones."""
    provider = Provider()
    async with crowd(network, provider, rate_limit=1, queue_size=9, queue_timeout=2.5) as callers:
        await callers.come("aaaaa")
        assert [(end, at) for _, end, at in callers.told] == [("rate_limit", 0.0)] * 2
        told = [int(reject.headers["retry-after-ms"]) / 1000 for reject in callers.rejects]
        assert [reject.status_code for reject in callers.rejects] == [429, 429]
        assert 3.0 <= told[0] < 4.0
        assert told[1] - told[0] == pytest.approx(1.05, abs=0.01)
        await callers.come("b", **{"x-stainless-timeout": "1.5"})
        await callers.come("b", **{"x-stainless-timeout": "1.5"})
        assert callers.ends("b") == ["rate_limit"]
    assert [at for at, name in provider.served if name == "a"] == [0.0, 1.0, 2.0]


async def test_what_waits_for_a_slot_is_counted_when_it_has_it(
    autojump_clock: MockClock, network: Network
) -> None:
    """Five that waited go up together no faster than the rate; and one that waited in vain was never counted."""
    provider = Provider(5.0)
    options: dict[str, Any] = {"max_concurrency": 2, "rate_limit": 2, "queue_size": 9, "queue_timeout": 7.0}
    async with crowd(network, provider, **options) as callers:
        await callers.come("bb")
        await trio.sleep(1)
        await callers.come("aaaaa")
    assert [(at, name) for at, name in provider.served] == [(0, "b"), (0, "b"), (5, "a"), (5, "a")]
    assert [end for _, end, at in callers.told if at == 8.0] == ["queue_timeout"] * 3


async def test_a_share_that_is_lacking_gives_the_rate_back(autojump_clock: MockClock, network: Network) -> None:
    """A request that waits for its share has spent none of its caller's budget; another provider's gets it."""
    provider, other = Provider(5.0), Provider()
    await network.answer("anthropic", other)
    options: dict[str, Any] = {"max_concurrency_per_provider": 1, "rate_limit": 1, "queue_size": 9}
    async with crowd(network, provider, **options) as callers:
        await callers.come("b")
        await callers.come("a")
        await callers.come("a", MESSAGES)
        assert [name for _, name in other.served] == ["a"]
    assert provider.served == [(0, "b"), (5, "a")]


async def test_a_newcomer_does_not_pass_what_waits_for_the_rate(
    autojump_clock: MockClock, network: Network
) -> None:
    """In the very moment in which the rate admits one more, the one that waits gets it."""
    provider = Provider(0.1)
    async with crowd(network, provider, rate_limit=1, queue_size=9) as callers:
        await callers.come("aa", seq="1")
        await trio.sleep_until(1.0)
        await callers.come("a", seq="2")
    assert [round(at, 3) for at, _ in provider.served] == [0.0, 1.0, 2.0]
    assert [round(waited.seconds, 3) for waited in callers.bridge.published(Waited)] == [1.0, 1.0]


async def test_an_answer_after_a_wait_has_the_current_budget(autojump_clock: MockClock, network: Network) -> None:
    """Each answer has the budget at its admission, once; an unknown route is charged if it need not wait."""
    async with crowd(network, Provider(0.1), max_concurrency=1, rate_limit=2, queue_size=9) as callers:
        answers: list[httpx.Response] = []

        async def ask(path: str = CHAT) -> None:
            answers.append(await callers.bridge.client.post(path, headers={"x-api-key": "a"}))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        await trio.sleep(5)
        await ask("/nowhere")
    told = [answer.headers.get_list("x-ratelimit-remaining") for answer in answers]
    assert told == [["1"], ["0"], ["0"], ["1"]]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]


async def test_a_caller_that_hangs_up_while_it_queues_for_its_rate_leaves_the_turn(
    autojump_clock: MockClock, network: Network
) -> None:
    """When a queued request's caller hangs up, the caller's next request gets that turn, at the same time."""
    provider = Provider(0.1)
    async with crowd(network, provider, rate_limit=1, queue_size=9) as callers:
        await callers.come("a")
        with trio.move_on_after(0.5):
            await callers.bridge.client.post(CHAT, headers={"x-api-key": "a"})
        await callers.come("a")
    assert [at for at, _ in provider.served] == [0.0, 1.0]


async def test_nothing_waits_for_a_rate_in_shadow(autojump_clock: MockClock, network: Network) -> None:
    """With the rate in shadow the excess is counted, and all requests are served at once."""
    provider = Provider()
    async with crowd(network, provider, rate_limit=1, queue_size=9, shadow=("rate",)) as callers:
        await callers.come("aaa")
        assert provider.in_flight == 3
        assert await callers.bridge.metric("would_reject_total", reason="rate_limit") == 2
