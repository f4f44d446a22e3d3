"""Requests at an adaptive line in shadow: what would be held is counted, and nothing waits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.events import Finished, Held, SentAgain
from aibridge_trio.http.message import Reply, Request
from tests.gateway.test_holding import (
    CONTENT,
    ERROR,
    OVERLOADED,
    START,
    STOP,
    STREAM,
    Script,
    kept,
    refused,
    streaming,
)
from tests.support.handlers import JSON, MESSAGES
from tests.support.network import Network, Running

SHADOW = ("adaptive",)
ANSWERS = ((START, CONTENT, STOP), (START, ERROR))


def counted(bridge: Running) -> list[tuple[str, ...]]:
    """Return what would have been rejected, for each request that ended."""
    return [event.would_reject for event in bridge.published(Finished)]


async def push_back(bridge: Running) -> None:
    """Let the limiter see a pushback, which is mended by the provider's second answer."""
    for status in (529, 200):
        assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == status
        await trio.sleep(10)
    bridge.events.clear()


async def test_what_would_be_held_goes_up_at_once(autojump_clock: MockClock, network: Network) -> None:
    """In an outage every request is counted once, and its caller gets the provider's own answer."""
    provider = Script(refused)
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True, shadow=SHADOW) as bridge:
        for _ in range(30):
            began = trio.current_time()
            answer = await bridge.client.post(MESSAGES, content=b"{}")
            assert (answer.status_code, answer.content) == (529, OVERLOADED)
            assert trio.current_time() == began
            await trio.sleep(0.1)
        assert len(provider.bodies) == 30
        assert counted(bridge) == [("hold_timeout",)] * 30
        assert await bridge.metric("would_reject_total", reason="hold_timeout") == 30
        assert not bridge.published(Held)
        assert not bridge.published(SentAgain)
        [line] = {backend.adaptive for backend in bridge.bridge.router if backend.name == "anthropic"}
        assert line
        assert line.limiter.governor.outage
        assert line.limiter.governor.level == line.limiter.statistics(trio.current_time()).held == 0


async def test_a_refused_connection_is_counted(autojump_clock: MockClock, network: Network) -> None:
    """Its caller gets upstream_unreachable at once."""
    async with network.bridge(adaptive=True, shadow=SHADOW) as bridge:
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (502, "upstream_unreachable")
        assert counted(bridge) == [("hold_timeout",)]


async def test_a_stream_is_not_held_back(autojump_clock: MockClock, network: Network) -> None:
    """Its pieces go to the caller as they come; an overload before content is counted nevertheless."""
    provider = Script(refused, streaming(STREAM), *(streaming(*pieces, pause=3) for pieces in ANSWERS))
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True, shadow=SHADOW) as bridge:
        await push_back(bridge)
        for pieces in ANSWERS:
            async with bridge.client.stream("POST", MESSAGES, content=b"{}") as answer:
                began = trio.current_time()
                came = [(piece, trio.current_time() - began) async for piece in answer.aiter_raw()]
            assert [piece for piece, _ in came] == list(pieces)
            assert [time for _, time in came] == pytest.approx([3 * number for number in range(len(pieces))])
        assert counted(bridge) == [(), ("hold_timeout",)]


async def test_an_error_is_not_held_back(autojump_clock: MockClock, network: Network) -> None:
    """Not until its body ends, either."""

    async def slowly(request: Request, reply: Reply) -> None:
        await reply.start(529, JSON)
        for piece in (OVERLOADED[:9], OVERLOADED[9:]):
            await reply.send(piece)
            await trio.sleep(3)
        await reply.end()

    await network.answer("anthropic", slowly)
    async with network.bridge(adaptive=True, shadow=SHADOW) as bridge:
        async with bridge.client.stream("POST", MESSAGES, content=b"{}") as answer:
            began = trio.current_time()
            came = [trio.current_time() - began async for _ in answer.aiter_raw()]
        assert came == [0, pytest.approx(3)]
        assert counted(bridge) == [("hold_timeout",)]


async def test_an_upload_goes_up_as_it_comes(autojump_clock: MockClock, network: Network) -> None:
    """While the provider has pushed back of late, too, and no copy of it is kept."""
    times: list[float] = []
    memory: list[int] = []

    async def reading(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            times.append(trio.current_time())
            memory.append(kept(bridge))
        await streaming(STREAM)(request, reply)

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"   "
            await trio.sleep(5)
        yield b"{}"

    answers = [refused, streaming(STREAM), reading]

    async def provider(request: Request, reply: Reply) -> None:
        await answers.pop(0)(request, reply)

    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True, shadow=SHADOW) as bridge:
        await push_back(bridge)
        began = trio.current_time()
        assert (await bridge.client.post(MESSAGES, content=slowly())).content == STREAM
        assert [time - began for time in times] == [0, *(pytest.approx(5 * each) for each in (1, 2, 3))]
        assert memory == [0, 0, 0, 0]
