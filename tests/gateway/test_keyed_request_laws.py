"""Laws of a pool of keys that are refused at random, while callers leave: in memory, in virtual time."""

from __future__ import annotations

import gc
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import KeyChoice, KeyTable, RouteTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.http.message import Reply, Request
from tests.gateway.test_keyed_request import BREAKER, INVALID, RATE, SPENT, Said, pool_of, post, table
from tests.support.failing_provider import CHAT, JSON
from tests.support.network import Handler, Network

NAMES = "abcd"
OK: Said = (200, {}, b"{}")


class Moody:
    """A provider that changes its mind of each key; notes which keys each request came with, and what they got."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        self.moods = dict.fromkeys(NAMES, OK)
        self.came: dict[bytes, list[tuple[str, int]]] = {}

    async def __call__(self, request: Request, reply: Reply) -> None:
        key = (request.header(b"authorization") or b"").decode().removeprefix("Bearer sk-")
        body = b"".join([piece async for piece in request.body])
        await trio.sleep(self.draw.random() * 2)
        status, headers, said = self.moods[key]
        self.came.setdefault(body, []).append((key, status))
        await reply.answer(
            status, [*JSON, *((name.encode(), value.encode()) for name, value in headers.items())], said
        )

    async def change(self) -> None:
        while True:
            await trio.sleep(self.draw.random() * 10)
            self.moods[self.draw.choice(NAMES)] = self.draw.choice((OK, OK, RATE, SPENT, INVALID))


@pytest.mark.parametrize("seed", range(12))
async def test_laws(autojump_clock: MockClock, network: Network, seed: int) -> None:
    """Each key is tried once at most for a request, the caller gets the last answer, and all is given back."""
    draw = Random(seed)
    provider = Moody(draw)
    await network.answer("openai", provider)
    keys = [KeyTable(label=name, secret=Secret(f"sk-{name}"), weight=draw.randint(1, 3)) for name in NAMES]
    choice: KeyChoice = "weighted" if draw.random() < 0.5 else "least-used"
    options: dict[str, Any] = {**BREAKER, "circuit_breaker_failure_threshold": 1000} if seed % 2 else {}
    got: dict[bytes, tuple[int, str | None]] = {}

    async with network.bridge(provider_tables=(table(keys, choice),), adaptive=seed % 3 == 0, **options) as bridge:
        pool = pool_of(bridge)

        async def ask(number: int) -> None:
            await trio.sleep(draw.random() * 60)
            body = b'{"n":%d}' % number
            with trio.move_on_after(draw.choice((0.5, 1.5, 900, 900, 900))):
                answer = await post(bridge, content=body)
                got[body] = answer.status_code, answer.headers.get("x-aibridge-reject")

        async def reload() -> None:
            for _ in range(3):
                await trio.sleep(draw.random() * 30)
                pool.apply(draw.sample(keys, draw.randint(2, 4)), choice)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.change)
            async with trio.open_nursery() as callers:
                callers.start_soon(reload)
                for number in range(150):
                    callers.start_soon(ask, number)
            nursery.cancel_scope.cancel()
        await trio.sleep(10)

        assert all(key.in_use == 0 for key in pool.pool)
        assert pool.memory.used == 0
        for body, (status, reject) in got.items():
            tried = provider.came.get(body, [])
            if reject is None:
                assert tried[-1][1] == status
                if seed % 3:  # with --adaptive a request comes again after its hold
                    assert len({key for key, _ in tried}) == len(tried), tried
                assert all(refused in (401, 429) for _, refused in tried[:-1]), tried
            else:
                assert reject in ("keys_resting", "hold_timeout", "line_full"), reject
        assert sum(status == 200 for status, _ in got.values()) > len(got) // 10  # about a third, by chance
        provider.moods = dict.fromkeys(NAMES, OK)
        await trio.sleep(301)
        assert {key.state for key in pool.statistics()} <= {KeyState.READY, KeyState.OUT}
        assert (await post(bridge)).status_code == 200


async def test_no_provider_gets_another_ones_key(autojump_clock: MockClock, network: Network) -> None:
    """On a model's route a request that goes on to the next provider goes on with the keys of that one."""
    got: dict[str, list[str]] = {"openai": [], "other": []}

    def saying(name: str, *answers: tuple[int, dict[str, str], bytes]) -> Handler:
        async def provider(request: Request, reply: Reply) -> None:
            got[name].append((request.header(b"authorization") or b"").decode())
            assert [each for each, _ in request.headers].count(b"authorization") == 1
            status, _, said = answers[min(len(got[name]), len(answers)) - 1]
            await reply.answer(status, JSON, said)

        return provider

    await network.answer("openai", saying("openai", RATE, INVALID))
    await network.answer("other", saying("other", SPENT, OK))
    ours = table([KeyTable(label=name, secret=Secret(f"sk-{name}")) for name in "ab"])
    theirs = table(
        [KeyTable(label=name, secret=Secret(f"sk-{name}")) for name in "cd"],
        name="other",
        base_url="http://other/v1",
    )
    routes = (RouteTable(model="m*", providers=("openai", "other")),)
    async with network.bridge(provider_tables=(ours, theirs), routes=routes) as bridge:
        for _ in range(2):
            assert (await post(bridge, "/v1/chat/completions")).status_code in (200, 401)
    assert set(got["openai"]) <= {"Bearer sk-a", "Bearer sk-b"}
    assert set(got["other"]) <= {"Bearer sk-c", "Bearer sk-d"}
    assert got["openai"]
    assert got["other"]


@pytest.mark.parametrize("options", [{}, {"adaptive": True}, BREAKER], ids=["plain", "adaptive", "breaker"])
async def test_no_cycle_is_left(autojump_clock: MockClock, network: Network, options: dict[str, Any]) -> None:
    """Neither by a refusal that another key answers, nor by the last one, nor by a reject while all rest."""

    async def provider(request: Request, reply: Reply) -> None:
        status, _, said = RATE if request.header(b"authorization") in refused else OK
        await reply.answer(status, JSON, said)

    await network.answer("openai", provider)
    refused: set[bytes | None] = set()
    keys = [KeyTable(label=name, secret=Secret(f"sk-{name}")) for name in "abc"]
    async with network.bridge(provider_tables=(table(keys),), **options) as bridge:
        for _ in range(3):
            await bridge.client.post(CHAT, content=b"{}")
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            refused.add(b"Bearer sk-a")
            answers = [await bridge.client.post(CHAT, content=b"{}") for _ in range(3)]
            refused |= {b"Bearer sk-b", b"Bearer sk-c"}
            if not options.get("adaptive"):
                answers += [await bridge.client.post(CHAT, content=b"{}") for _ in range(2)]
            gc.collect()
            ours = [type(each) for each in gc.garbage if type(each).__module__.startswith("aibridge_trio")]
            assert not ours
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    assert [answer.status_code for answer in answers][:3] == [200, 200, 200]
    assert [answer.status_code for answer in answers][3:] in ([], [429, 503])
