"""Model routes with keys, limits and lines, while callers leave and reloads come: all is given back once."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import KeyTable, ProviderTable, RouteTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.terms import Rate, TokenBudget
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import JSON, SSE
from tests.support.network import Handler, Network, Running
from tests.support.spenders import CHUNK, known, spender, token, usage

CHAT = "/v1/chat/completions"
DAY = TokenBudget(10**13, "day")
OVERLOADED = b'data: {"error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


async def stream(reply: Reply, draw: random.Random) -> None:
    """Stream a few pieces; half of the streams break off."""
    await reply.start(200, SSE)
    for _ in range(draw.randrange(10)):
        await reply.send(CHUNK)
        await trio.sleep(draw.random())
    if draw.random() < 0.5:
        await reply.end()


def unruly(draw: random.Random) -> Handler:
    """Return a provider that refuses, sometimes before the upload ends; streams, breaks off, hangs, or answers."""

    async def provider(request: Request, reply: Reply) -> None:
        if draw.random() < 0.8:
            async for _ in request.body:
                pass
        await trio.sleep(draw.choice((0, 0, 0.5, 5)))
        match draw.randrange(9):
            case 0 | 1:
                hint = [(b"retry-after", b"%d" % draw.randint(0, 9))] if draw.random() < 0.5 else []
                await reply.answer(draw.choice((401, 402, 429, 429, 503, 529)), [*JSON, *hint], b"{}")
            case 2:
                await reply.start(200, SSE)
                await reply.send(OVERLOADED)
                await reply.end()
            case 3 | 4:
                await stream(reply, draw)
            case 5:
                await trio.sleep_forever()
            case 6:
                return  # broken before the head
            case _:
                await reply.answer(
                    200, JSON, usage(100, draw.choice((0, 20, 20, 20, 20, 20, 20, 20, 20, 10**9, 10**12, -5)))
                )

    return provider


def provider(draw: random.Random, name: str) -> ProviderTable:
    """Return a provider with two keys and limits that may bind."""
    keys = tuple(
        KeyTable(
            label=f"{name}{number}", secret=Secret(f"sk-{name}{number}-0123456789"), token_rate=Rate(90_000, 60.0)
        )
        for number in range(draw.choice((1, 2, 2)))
    )
    return ProviderTable(
        name=name,
        dialect="openai",
        base_url=f"http://{name}",
        keys=keys,
        token_rate=Rate(draw.choice((10**5, 10**6)), 60.0),
        rate=Rate(draw.choice((20, 50)), draw.choice((1.0, 60.0))),
        max_concurrency=draw.choice((None, 3)),
    )


def configuration(draw: random.Random) -> dict[str, Any]:
    """Return some of the providers, in some order."""
    names = draw.sample("abc", draw.choice((2, 3)))
    return {
        "provider_tables": tuple(provider(draw, name) for name in names),
        "routes": (RouteTable(model="m", providers=tuple(names)),),
        "adaptive": draw.random() < 0.7,
        "circuit_breaker": draw.random() < 0.5,
        "max_concurrency": draw.choice((10, 30)),
        "max_buffered": draw.choice((40_000, 10**6, 10**6)),
        "max_body": 10_000,
    }


async def slowly(content: bytes, draw: random.Random) -> Any:
    """Upload in two parts."""
    half = len(content) // 2
    yield content[:half]
    await trio.sleep(draw.choice((0, 0.5, 3)))
    yield content[half:]


def given_back(bridge: Running, backends: list[Any]) -> None:
    """Check that nothing is held any more, neither of what is configured nor of what was."""
    components = bridge.bridge
    assert components.admission.statistics().in_flight == 0
    assert components.body_buffer.memory.used == 0
    assert components._builder._copies.used == 0
    assert components.router.former() == ()
    assert components.router.generation.requests == 0
    spending, now = components.spending, trio.current_time()
    windows = [window for _, window in spending.callers.items()] + list(spending.classes.values())
    limits = list(spending.providers.values())
    for backend in backends:
        for key in backend.key.keys.pool:
            assert key.in_use == 0
        limits += [each for key in backend.key.keys.pool if (each := backend.key.keys.limits(key))]
        line = backend.adaptive
        if line:
            assert line.waiting == 0
            assert line.limiter.statistics(now).held == 0
    windows += [window for each in limits for window in (each.tokens, each.requests) if window]
    assert all(window.use(now).running == window._requests == 0 for window in windows)
    for name in "xy":
        assert spending.budgets.state(name, DAY, spending.wall_clock()).running == 0
    assert all(not count for count in components.reports.counters.in_flight.values())


@pytest.mark.parametrize("seed", range(8))
async def test_all_is_given_back(autojump_clock: MockClock, network: Network, seed: int) -> None:
    """Whatever providers, callers and reloads do."""
    draw = random.Random(seed)
    for host in "abc":
        await network.answer(host, unruly(draw))
    callers = known(spender("x", "ci", tokens=500_000, budget=DAY), spender("y", "ci", budget=DAY), ci=10**6)
    options: dict[str, Any] = {"queue_size": 20, "queue_timeout": 20.0, "first_byte_timeout": 20.0}
    async with network.bridge(known_callers=callers, **options, **configuration(draw)) as bridge:
        backends: dict[Any, Any] = {}

        async def one(name: str, patience: float) -> None:
            most = draw.choice((0, 0, 50, 50, 50, 50, 999, 10**30) if draw.random() < 0.97 else (10**9 - 1,))
            content = b'{"model":"m","max_tokens":%d,"input":"%s"}' % (most, b"x" * draw.choice((100, 1000, 9000)))
            path = draw.choice((CHAT, CHAT, f"/{draw.choice('abc')}{CHAT}"))
            headers = {"authorization": f"Bearer {token(name)}", "content-type": "application/json"}
            sent: Any = content if draw.random() < 0.5 else slowly(content, draw)
            with trio.move_on_after(patience):
                try:
                    answer = await bridge.client.post(path, content=sent, headers=headers)
                except httpx.HTTPError:
                    return
                statuses.append((answer.status_code, answer.headers.get("x-aibridge-reject")))

        statuses: list[Any] = []
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                backends |= {id(each): each for each in bridge.bridge.router if each.name in "abc"}
                nursery.start_soon(one, draw.choice("xy"), draw.choice((0.0, 0.3, 2.0, 20.0, 400.0)))
                await trio.sleep(draw.expovariate(2))
                if draw.random() < 0.05:
                    await bridge.reload(**configuration(draw))
        await trio.sleep(200)
        given_back(bridge, list(backends.values()))
        assert not [each for each in statuses if each[1] == "internal_error"]
        assert [each for each in statuses if each[0] == 200]
