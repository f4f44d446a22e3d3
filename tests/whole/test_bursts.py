"""Many calls at once, of clients that retry after the wait in the reject: how many are served in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx
import trio
from trio.testing import MockClock

from aibridge_trio.http.message import Reply, Request
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"
JSON = [(b"content-type", b"application/json")]


@dataclass
class Burst:
    """What became of many calls."""

    served: list[float] = field(default_factory=list)
    refused: list[tuple[float, str, float]] = field(default_factory=list)
    failed: int = 0
    went_up: list[float] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[str]:
        """How often they were refused, by reason."""
        return Counter(reason for _, reason, _ in self.refused)

    def most_a_second(self) -> int:
        """Return how many went up in any second, (t − 1, t], at most."""
        return max(sum(at - 1 < each <= at for each in self.went_up) for at in self.went_up)


async def burst(
    network: Network, calls: int, *, callers: int = 1, seconds: float = 1.0, retries: int = 2, **options: Any
) -> Burst:
    """Make so many calls at once, each retried as the official SDKs do, after the wait in the reject."""
    seen = Burst()

    async def provider(request: Request, reply: Reply) -> None:
        seen.went_up.append(trio.current_time())
        async for _ in request.body:
            pass
        await trio.sleep(seconds)
        await reply.answer(200, JSON, b"{}")

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        for _ in range(retries + 1):
            answer = await client.post(CHAT, headers={"x-api-key": f"key {number % callers}"})
            if answer.status_code == 200:
                seen.served.append(trio.current_time())
                return
            wait = int(answer.headers["retry-after-ms"]) / 1000
            seen.refused.append((trio.current_time(), answer.headers["x-aibridge-reject"], wait))
            await trio.sleep(wait)
        seen.failed += 1

    await network.answer("openai", provider)
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        for number in range(calls):
            nursery.start_soon(ask, bridge.client, number)
    return seen


async def test_a_burst_against_a_rate_limit_is_served(autojump_clock: MockClock, network: Network) -> None:
    """Turns are spaced, so each of forty calls needs one retry at most; no second holds more than five."""
    seen = await burst(network, 40, max_concurrency=10, rate_limit=5)
    assert (len(seen.served), seen.failed) == (40, 0)
    assert seen.reasons == {"rate_limit": 35}
    assert seen.most_a_second() == 5
    assert 8 <= max(seen.served) <= 9.6
    due = sorted(at + wait for at, _, wait in seen.refused)
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(due))


async def test_with_a_queue_a_burst_is_not_even_refused(autojump_clock: MockClock, network: Network) -> None:
    """Each of forty calls waits for its rate, without a slot."""
    seen = await burst(network, 40, max_concurrency=10, rate_limit=5, queue_size=40)
    assert (len(seen.served), seen.refused) == (40, [])
    assert seen.most_a_second() == 5
    assert 8 <= max(seen.served) <= 8.1


async def test_a_queue_works_with_a_rate_limit_alone(autojump_clock: MockClock, network: Network) -> None:
    """Requests that do not fit into the queue, or would wait too long, come back in time and are served."""
    seen = await burst(network, 40, rate_limit=5, queue_size=20, queue_timeout=3.0)
    assert (len(seen.served), seen.failed) == (40, 0)
    assert set(seen.reasons) == {"rate_limit"}
    assert seen.most_a_second() == 5


async def test_bursts_of_several_callers_are_apart(autojump_clock: MockClock, network: Network) -> None:
    """Each caller has its own line, and lines that began together do not come back in the same moments."""
    seen = await burst(network, 60, callers=6, rate_limit=2)
    assert len(seen.served) == 60
    first = sorted(at + wait for at, _, wait in seen.refused)[:6]
    assert len({round(at, 3) for at in first}) > 1
