"""The callers retry as their clients do, and tell answers from what breaks off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import trio

from aibridge_trio.demo.callers import MIX, Arrival, Result, Send, arrivals, ask
from aibridge_trio.simulate.world.clients import BROKEN, Headers

WHOLE = b'data: {"delta": {"content": "x"}}\n\ndata: [DONE]\n\n'
PATIENCE = 100.0
BY_NAME = {client.name: number for number, client in enumerate(MIX)}
Answer = tuple[int, Headers, Sequence[bytes]]


def provider(*answers: Answer, seconds: float = 0.0) -> tuple[Send, list[float]]:
    """Answer so, each after `seconds`, the last one again and again; the list is when calls came."""
    calls: list[float] = []

    async def send(result: Result) -> tuple[int, Headers]:
        status, headers, body = answers[min(len(calls), len(answers) - 1)]
        calls.append(trio.current_time())
        await trio.sleep(seconds)
        for piece in body:
            result.feed(piece)
        return status, headers

    return send, calls


async def asked(send: Send, client: str = "openai-python", patience: float = PATIENCE) -> Result:
    """Send one request of a client."""
    return await ask(send, Arrival(0.0, BY_NAME[client], 1), patience)


def test_requests_are_the_same_for_a_seed() -> None:
    """In order, as many as the rate says, of all callers, before the end; another seed has others."""
    found = arrivals(10, 60, 6, 1)
    assert found == arrivals(10, 60, 6, 1) != arrivals(10, 60, 6, 2)
    assert found == sorted(found, key=lambda each: each.at)
    assert 0 < found[0].at < found[-1].at < 60
    assert len(found) == pytest.approx(600, rel=0.15)
    assert {each.caller for each in found} == set(range(6))
    assert {each.client for each in found} == set(MIX)


@pytest.mark.parametrize(
    ("client", "status", "calls"),
    [
        ("openai-python", 503, 3),
        ("openai-python", 400, 1),
        ("openai-python", BROKEN, 3),
        ("codex", 503, 30),
        ("codex", 429, 6),
        ("claude-code", 529, 11),
        ("claude-code", 400, 1),
    ],
)
async def test_a_request_is_tried_as_its_client_tries(
    client: str, status: int, calls: int, autojump_clock: trio.testing.MockClock
) -> None:
    """As often as the client does, starts from the beginning included, and then it has failed."""
    send, times = provider((status, (), ()))
    assert not (await asked(send, client, math.inf)).answered
    assert len(times) == calls


async def test_a_wait_that_is_asked_for_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    """The next call comes after the Retry-After of the answer."""
    send, times = provider((503, [(b"retry-after", b"7")], ()), (200, (), [WHOLE]))
    result = await asked(send)
    assert result.answered
    assert times[1] - times[0] == result.wait == 7


@pytest.mark.parametrize(
    "body", [[WHOLE[:40]], [b"data: [DONE]\n\n"], [], [b'data: {"content": ""}\n\n', b"data: [DONE]\n\n"]]
)
async def test_a_200_that_is_not_whole_is_no_answer(
    body: list[bytes], autojump_clock: trio.testing.MockClock
) -> None:
    """Without a token or an end it has broken off; the next try is read from its own beginning."""
    send, calls = provider((200, (), body))
    assert not (await asked(send)).answered
    assert len(calls) == 3
    send, calls = provider((200, (), body), (200, (), [WHOLE[:20], WHOLE[20:]]))
    assert (await asked(send)).answered
    assert len(calls) == 2


async def test_pieces_of_two_tries_are_no_answer(autojump_clock: trio.testing.MockClock) -> None:
    """Nor is one that breaks off behind its last event."""
    for answers in (
        [(200, (), [WHOLE[:40]]), (200, (), [b"data: [DONE]\n\n"]), (400, (), ())],
        [(BROKEN, (), [WHOLE])],
    ):
        send, calls = provider(*answers)
        assert not (await asked(send)).answered
        assert len(calls) == 3


async def test_a_caller_leaves_when_its_first_token_is_late(autojump_clock: trio.testing.MockClock) -> None:
    """Be it in a call or between two; what it has read of an answer makes it read on."""
    for send in (provider((200, (), [WHOLE]), seconds=6)[0], provider((503, [(b"retry-after", b"6")], ()))[0]):
        began = trio.current_time()
        result = await asked(send, patience=5)
        assert (result.answered, result.wait) == (False, None)
        assert trio.current_time() - began == 5

    async def slow(result: Result) -> tuple[int, Headers]:
        for piece in (WHOLE[:40], WHOLE[40:]):
            await trio.sleep(4)
            result.feed(piece)
        return 200, ()

    result = await asked(slow, patience=5)
    assert (result.answered, result.wait) == (True, 4)
