"""Callers of one bridge in memory, a provider that takes its time, and what became of each request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import trio
import trio.testing

from aibridge_trio.events import Bug
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Handler, Network, Running

CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
JSON = [(b"content-type", b"application/json")]


class Provider:
    """Answers after so many seconds; records the callers that it served, and when."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.served: list[tuple[float, str]] = []
        self.in_flight = self.most = 0

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.served.append((trio.current_time(), (request.header(b"x-api-key") or b"").decode()))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            async for _ in request.body:
                pass
            await trio.sleep(self.seconds)
        finally:
            self.in_flight -= 1
        await reply.answer(200, JSON, b"{}")

    def order(self) -> str:
        """Return the callers in the order in which they were served."""
        return "".join(name for _, name in self.served)


class Crowd:
    """Callers of one bridge, and what became of each request: its status or reason, and when."""

    def __init__(self, bridge: Running, nursery: trio.Nursery) -> None:
        self.bridge = bridge
        self.nursery = nursery
        self.told: list[tuple[str, str, float]] = []
        self.rejects: list[httpx.Response] = []

    async def ask(self, name: str, path: str = CHAT, **headers: str) -> None:
        """Make one request and note its end."""
        answer = await self.bridge.client.post(path, headers={"x-api-key": name, **headers})
        if reason := answer.headers.get("x-aibridge-reject"):
            self.rejects.append(answer)
        self.told.append((name, reason or str(answer.status_code), trio.current_time()))

    async def come(self, names: str, path: str = CHAT, **headers: str) -> None:
        """Let requests of these callers come, one behind the other."""
        for name in names:
            self.nursery.start_soon(partial(self.ask, name, path, **headers))
            await trio.testing.wait_all_tasks_blocked()

    def ends(self, name: str) -> list[str]:
        """Return how the requests of a caller ended."""
        return [end for caller, end, _ in self.told if caller == name]


@asynccontextmanager
async def crowd(network: Network, provider: Handler, **options: Any) -> AsyncIterator[Crowd]:
    """Run a bridge in front of a provider, and callers; all have ended when the context has."""
    await network.answer("openai", provider)
    async with network.bridge(**options) as bridge:
        async with trio.open_nursery() as nursery:
            yield Crowd(bridge, nursery)
        statistics = bridge.bridge.admission.statistics()
        assert (statistics.in_flight, statistics.queue.waiting) == (0, 0)
        assert bridge.published(Bug) == []
