"""The recorded run: a bridge in front of mock providers, callers, a crowd, and an outage of one provider."""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import httpx
import trio

from aibridge_trio.admin.client import RETRY, AdminClient, Unreachable
from aibridge_trio.bridge import Bridge
from aibridge_trio.config.settings import Address, Settings
from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.server.server import Server
from tools.picture.recording import save

_LOOPBACK = Address("127.0.0.1", 0)
# Times of the run (seconds): as long as the dashboard's sparklines are, and a picture near the end of an outage.
_CROWD_AT, _OUTAGE_AT, _END = 150.0, 262.0, 302.0
_CROWD_LASTS = 15.0
_PATHS = {
    "openai": ("/openai/v1/chat/completions", 0.55),
    "anthropic": ("/anthropic/v1/messages", 0.35),
    "copilot": ("/copilot/chat/completions", 0.10),
}
_BEHAVIOUR = {
    "openai": MockOptions(latency=0.35, tokens=40, tokens_per_second=12),
    "anthropic": MockOptions(latency=0.6, tokens=48, tokens_per_second=9),
    "copilot": MockOptions(latency=0.2, tokens=12, tokens_per_second=12),
}
_CALLERS = ("x7Qa", "9fK2", "m0pW", "Zt41", "b8Ls", "Hq3e", "w5Nd", "R2vx", "k6Uy", "c1Jo")
# One caller that asks for more than its rate.
_GREEDY, _GREEDY_CALLS = "G4zz", 12
_CROWD = 40
# The mean pause between requests (seconds): usually, and of the greedy caller.
_PAUSE, _SHORT = 2.0, 0.05


async def run() -> None:
    """Run for five minutes, and save what /status/stream says meanwhile."""
    documents: list[Any] = []
    async with trio.open_nursery() as nursery:
        urls = {name: await _mock(nursery, options) for name, options in _BEHAVIOUR.items()}
        bridge = Bridge(
            Settings(
                bind=(_LOOPBACK,),
                admin_bind=_LOOPBACK,
                max_concurrency=50,
                rate_limit=10,
                queue_size=50,
                circuit_breaker=True,
                openai_base_url=f"{urls['openai']}/v1",
                anthropic_base_url=urls["anthropic"],
                copilot_base_url=urls["copilot"],
                graceful_timeout=1.0,
                log_level="error",
            )
        )
        bridge.open()
        stop, stopped = trio.open_memory_channel[int](1)
        nursery.start_soon(bridge.run, stopped)
        url = f"http://{bridge.addresses[0]}"
        nursery.start_soon(_follow, f"http://{bridge.admin_address}", documents)
        for key in _CALLERS:
            for _ in range(3):
                nursery.start_soon(_call, url, key, _PAUSE)
        for _ in range(_GREEDY_CALLS):
            nursery.start_soon(_call, url, _GREEDY, _SHORT)
        await trio.sleep(_CROWD_AT)
        with trio.move_on_after(_CROWD_LASTS):
            async with trio.open_nursery() as crowd:
                for number in range(_CROWD):
                    crowd.start_soon(_call, url, f"c{number:03}", 0.1)
        await trio.sleep(_OUTAGE_AT - _CROWD_AT - _CROWD_LASTS)
        await _script(urls["openai"], [{"status": 429, "times": 100_000}])
        # Some answers are a 200 whose stream ends in an overload error.
        await _script(urls["anthropic"], [{"times": 11}, {"fault": "error_event", "after": 8}] * 200)
        await trio.sleep(_END - _OUTAGE_AT)
        # On a busy machine the stream may be behind.
        documents.append(await AdminClient(f"http://{bridge.admin_address}").status())
        save(documents)
        await stop.send(signal.SIGTERM)
        nursery.cancel_scope.cancel()


async def _follow(url: str, documents: list[Any]) -> None:
    """Collect documents. On a busy machine the stream may break; then go on with a new one."""
    while True:
        with suppress(Unreachable):
            await AdminClient(url).follow(documents.append)
        await trio.sleep(RETRY)


async def _mock(nursery: trio.Nursery, options: MockOptions) -> str:
    server = Server(Mock(options).app, report=lambda _: None)
    host, port = server.open("127.0.0.1", 0, option="record")
    await nursery.start(server.run)
    return f"http://{host}:{port}"


async def _script(url: str, answers: Sequence[dict[str, Any]]) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        (await client.post("/mock/script", json={"answers": answers})).raise_for_status()


async def _call(url: str, key: str, pause: float) -> None:
    """Ask providers at random, with random pauses; after a reject wait as long as the bridge said."""
    headers = {"authorization": f"Bearer sk-recorded-0123456789-{key}"}
    paths, weights = zip(*_PATHS.values(), strict=True)
    question = {
        "model": "any",
        "stream": True,
        "max_tokens": 1000,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "hello " * 200}],
    }
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30.0, trust_env=False) as client:
        while True:
            await trio.sleep(random.uniform(0.0, 2 * pause))  # noqa: S311 - a load, no secret
            try:
                answer = await client.post(random.choices(paths, weights)[0], json=question)  # noqa: S311
            except httpx.HTTPError:
                continue
            if key != _GREEDY:
                await trio.sleep(float(answer.headers.get("retry-after-ms", 0)) / 1000)
