"""Whatever becomes of requests, their charges end with them: nothing stays reserved."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import KeyTable, ProviderTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.limits.usage_window import UsageWindow
from aibridge_trio.core.terms import Rate, TokenBudget
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, JSON, SSE
from tests.support.network import Handler, Network, Running
from tests.support.spenders import CHUNK, body, known, spender, token, usage

DAY = TokenBudget(10**9, "day")


def windows(bridge: Running) -> list[UsageWindow]:
    """Return all windows of a bridge: of callers, classes, providers and keys."""
    spending = bridge.bridge.spending
    found = [window for _, window in spending.callers.items()] + list(spending.classes.values())
    limits = list(spending.providers.values())
    for backend in bridge.bridge.router:
        keys = backend.key.keys if backend.key else None
        limits += [each for key in (keys.pool if keys else ()) if keys and (each := keys.limits(key))]
    return found + [window for each in limits for window in (each.tokens, each.requests) if window]


async def stream(reply: Reply, draw: random.Random, prompt: int) -> None:
    """Stream a few pieces; half of the streams break off, the others end with their usage."""
    await reply.start(200, SSE)
    for _ in range(draw.randrange(20)):
        await reply.send(CHUNK)
        await trio.sleep(draw.uniform(0, 2))
    if draw.random() < 0.5:
        await reply.send(b"data: " + usage(prompt, 20) + b"\n\ndata: [DONE]\n\n")
        await reply.end()


def unruly(draw: random.Random) -> Handler:
    """Return a provider that refuses, streams, breaks off, hangs, or answers."""

    async def provider(request: Request, reply: Reply) -> None:
        content = b"".join([piece async for piece in request.body])
        prompt = len(content) // 4
        match draw.randrange(8):
            case 0:
                await reply.answer(draw.choice((400, 401, 429, 500, 503, 529)), JSON, b"{}")
            case 1:
                await trio.sleep(draw.uniform(0, 100))
                await reply.answer(200, JSON, usage(prompt, 20))
            case 2 | 3:
                await stream(reply, draw, prompt)
            case 4:
                await trio.sleep_forever()
            case 5:
                return  # broken before the head
            case _:
                await reply.answer(200, JSON, usage(prompt, 20))

    return provider


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_stays_reserved(autojump_clock: MockClock, network: Network, seed: int) -> None:
    """Hundreds of requests that are refused, held, sent again, cut, left and answered: then no charge runs."""
    draw = random.Random(seed)
    secrets = {name: Secret(f"sk-{name}-0123456789abcdef") for name in ("one", "two")}
    keys = tuple(
        KeyTable(label=name, secret=secret, token_rate=Rate(10**5, 60.0), rate=Rate(99, 1.0))
        for name, secret in secrets.items()
    )
    table = ProviderTable(
        name="openai", dialect="openai", base_url="http://openai/v1", keys=keys, token_rate=Rate(10**5, 60.0)
    )
    await network.answer("openai", unruly(draw))
    callers = known(spender("a", "ci", tokens=10_000, budget=DAY), spender("b", "ci", budget=DAY), ci=50_000)
    options: dict[str, Any] = {
        "known_callers": callers,
        "provider_tables": (table,),
        "circuit_breaker": seed % 2 == 0,
        "adaptive": seed % 3 != 0,
        "queue_size": 20,
        "max_concurrency": 30,
        "idle_timeout": 30.0,
        "first_byte_timeout": 60.0,
    }
    async with network.bridge(**options) as bridge:

        async def one(name: str, patience: float) -> None:
            content = body(draw.randint(50, 500), max_tokens=draw.randint(0, 500), stream=draw.random() < 0.5)
            headers = {"authorization": f"Bearer {token(name)}"}
            with trio.move_on_after(patience):
                try:
                    await bridge.client.post(CHAT, content=content, headers=headers)
                except httpx.HTTPError:
                    return

        async with trio.open_nursery() as nursery:
            for _ in range(250):
                nursery.start_soon(one, draw.choice("ab"), draw.choice((0.0, 1.0, 20.0, 400.0)))
                await trio.sleep(draw.expovariate(2))
        await trio.sleep(1)
        assert bridge.bridge.admission.statistics().in_flight == 0
        found = windows(bridge)
        assert len(found) == 7
        now = trio.current_time()
        assert [window.use(now).running for window in found] == [0] * 7
        assert [window._requests for window in found] == [0] * 7
        for name in "ab":
            state = bridge.bridge.spending.budgets.state(name, DAY, bridge.bridge.spending.wall_clock())
            assert state.running == 0
            assert state.spent > 0
        await trio.sleep(100)
        assert all(window.use(trio.current_time()).settled == 0 for window in found)
