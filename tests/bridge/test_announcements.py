"""What the bridge says of itself; the line of the start is tested in test_bridge."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.breaker import Mode
from tests.support.handlers import endless
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"


async def test_the_summary_tells_what_goes_on(autojump_clock: MockClock, network: Network) -> None:
    """Phase, requests in flight and queued, breakers that are not closed."""
    await network.answer("openai", endless)
    options = {"max_concurrency": 1, "queue_size": 5, "queue_timeout": 600.0, "circuit_breaker": True}
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        assert bridge.bridge.summary() == "serving: 0 in flight"
        for _ in range(3):
            nursery.start_soon(lambda: bridge.client.post(CHAT, content=b"{}"))
        await trio.sleep(1)
        assert bridge.bridge.summary() == "serving: 1 in flight, 2 waiting"
        backend = bridge.bridge.router.get("anthropic")
        assert backend
        backend.circuits.override(Mode.OPEN)
        assert bridge.bridge.summary() == "serving: 1 in flight, 2 waiting; breakers not closed: anthropic"
        nursery.cancel_scope.cancel()
