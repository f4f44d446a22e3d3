"""What a bridge tells of itself."""

from __future__ import annotations

from trio.testing import MockClock

from tests.support.handlers import CHAT, ok
from tests.support.network import Network


async def test_metrics_and_status_read_the_same_counters(autojump_clock: MockClock, network: Network) -> None:
    """One request is one in both."""
    await network.answer("openai", ok)
    async with network.bridge() as bridge:
        await bridge.client.post(CHAT)
        labels = {"provider": "openai", "route": "/chat/completions", "status": "200"}
        assert await bridge.metric("requests_total", **labels) == 1
        assert (await bridge.status())["requests"]["total"] == 1
        assert bridge.bridge.reports.counters.requests["openai", "/chat/completions", 200] == 1
