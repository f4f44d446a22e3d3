"""What the breaker learns from an answer while it is relayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.events import Finished
from aibridge_trio.http.message import Reply, Request
from tests.support.network import Handler, Network
from tests.support.streamed_answers import (
    DIALECTS,
    JSON,
    SSE,
    named,
    saying,
)


def state(status: dict[str, Any]) -> tuple[str, int]:
    """Return state and probes of OpenAI's breaker."""
    breaker = status["providers"][0]["breaker"]
    return breaker["state"], breaker["probes"]


async def half_open(network: Network, client: httpx.AsyncClient) -> None:
    """Trip OpenAI's breaker (no provider answers) and wait for the end of its cooldown."""
    await client.post(DIALECTS["chat"][0])
    await trio.sleep(31)


async def paced(*pieces: bytes) -> AsyncIterator[bytes]:
    """Yield pieces, one a second."""
    for piece in pieces:
        yield piece
        await trio.sleep(1)


def pacing(*pieces: bytes) -> Handler:
    """Answer with a stream, a piece a second, and no end."""

    async def handler(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        async for piece in paced(*pieces):
            await reply.send(piece)
        await trio.sleep_forever()

    return handler


CONTENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
OVERLOAD = b'data: {"error":{"message":"m","type":"server_error","code":"server_is_overloaded"}}\n\n'


async def test_a_probe_gives_its_permit_back_at_its_first_content(
    autojump_clock: MockClock, network: Network
) -> None:
    """Head, comments and response.created prove nothing; the first content does, while the stream runs on."""
    created = named({"type": "response.created", "response": {"id": "r"}})
    delta = named({"type": "response.output_text.delta", "delta": "x"})
    async with (
        network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge,
        trio.open_nursery() as nursery,
    ):
        await half_open(network, bridge.client)
        await network.answer("openai", pacing(b": hi\n\n", created, delta[:-1], delta[-1:]))
        for _ in range(3):
            nursery.start_soon(bridge.client.post, DIALECTS["responses"][0])
        await trio.sleep(2.5)
        assert state(await bridge.status()) == ("half-open", 3)
        await trio.sleep(1)
        assert state(await bridge.status()) == ("closed", 0)
        assert (await bridge.status())["providers"][0]["in_flight"] == 3
        nursery.cancel_scope.cancel()


async def test_overload_after_content_relapses_while_half_open(
    autojump_clock: MockClock, network: Network
) -> None:
    """A probe that had succeeded and then reports overload opens the breaker again."""
    async with (
        network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=1) as bridge,
        trio.open_nursery() as nursery,
    ):
        await half_open(network, bridge.client)
        await network.answer("openai", pacing(CONTENT, OVERLOAD))
        nursery.start_soon(bridge.client.post, DIALECTS["chat"][0])
        await trio.sleep(0.5)
        assert state(await bridge.status()) == ("half-open", 0)
        await trio.sleep(1)
        assert state(await bridge.status()) == ("open", 0)
        verdicts = (await bridge.status())["providers"][0]["breaker"]["verdicts"]
        assert verdicts == {"success": 1, "failure": 2, "neutral": 0}
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ending", ["overload", "break"])
async def test_what_goes_wrong_after_content_counts_once(
    autojump_clock: MockClock, network: Network, ending: str
) -> None:
    """While closed an overload event or a broken answer is one failure, however many events follow."""

    async def provider(_: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        await reply.send(CONTENT)
        if ending == "overload":
            await reply.send(OVERLOAD)
            await reply.send(OVERLOAD)
            await reply.end()

    await network.answer("openai", provider)
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=2) as bridge:
        for failures in (1, 0):
            if ending == "overload":
                assert (await bridge.client.post(DIALECTS["chat"][0])).content == CONTENT + OVERLOAD * 2
            else:
                with pytest.raises(httpx.RemoteProtocolError):
                    await bridge.client.post(DIALECTS["chat"][0])
            breaker = (await bridge.status())["providers"][0]["breaker"]
            assert breaker["failures_in_window"] == failures
            assert bridge.published(Finished)[-1].verdict is Verdict.FAILURE
        assert state(await bridge.status()) == ("open", 0)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b": comment\n\n",
        named({"type": "message_start", "message": {"usage": {"input_tokens": 1}}}, {"type": "ping"}),
        b"data: [DONE]\n\n",
        named({"type": "error", "error": {"type": "invalid_request_error", "message": "m"}}),
    ],
)
async def test_a_stream_without_content_is_neutral(
    autojump_clock: MockClock, network: Network, said: bytes
) -> None:
    """A stream without content proves neither health nor outage."""
    await network.answer("anthropic", saying([said], SSE))
    async with network.bridge() as bridge:
        assert (await bridge.client.post(DIALECTS["messages"][0])).content == said
        assert bridge.published(Finished)[0].verdict is Verdict.NEUTRAL


async def test_a_unary_answer_succeeds_when_it_is_complete_not_before(
    autojump_clock: MockClock, network: Network
) -> None:
    """A 200 whose body stays half is no success yet."""
    await network.answer("openai", saying([b'{"a"', b":1}"], [*JSON, (b"content-length", b"7")], pause=5))
    async with network.bridge() as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.client.post, DIALECTS["chat"][0])
        await trio.sleep(4)
        assert (await bridge.status())["providers"][0]["breaker"]["verdicts"]["success"] == 0
        await trio.sleep(7)
        assert (await bridge.status())["providers"][0]["breaker"]["verdicts"]["success"] == 1
