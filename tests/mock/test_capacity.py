"""Slots and quotas, in memory: with a passed clock, and in virtual time."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.mock.capacity import Capacity
from aibridge_trio.mock.request_log import Entry, RequestLog
from tests.mock.test_mock import ASK, CHAT
from tests.support.mock_provider import Answered, call

if TYPE_CHECKING:
    from trio.testing import MockClock

MESSAGES = "/v1/messages"
ALICE, BOB = {"authorization": "Bearer alice"}, {"x-api-key": "bob"}
_SCOPE = {"method": "POST", "headers": []}


async def together(mock: Mock, number: int, path: str = CHAT, **how: Any) -> list[Answered]:
    """Send so many requests at once; return their answers in the order in which they ended."""
    answers: list[Answered] = []

    async def one() -> None:
        answers.append(await call(mock, path, ASK, **how))

    async with trio.open_nursery() as nursery:
        for _ in range(number):
            nursery.start_soon(one)
    return answers


def error(answer: Answered) -> Any:
    return json.loads(answer.body)["error"]


# Slots


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        (CHAT, 503, "service_unavailable_error"),
        ("/v1/responses", 503, "service_unavailable_error"),
        (MESSAGES, 529, "overloaded_error"),
    ],
)
async def test_requests_beyond_the_slots_get_the_overload_of_their_dialect(
    path: str, status: int, kind: str, autojump_clock: MockClock
) -> None:
    """At once, without a Retry-After, since no provider knows when a slot is free."""
    mock = Mock(MockOptions(slots=2, latency=1))
    answers = await together(mock, 5, path)
    assert [each.status for each in answers] == [status] * 3 + [200] * 2
    for refused in answers[:3]:
        assert (refused.head_at, error(refused)["type"]) == (0, kind)
        assert "retry-after" not in refused.headers
    assert mock.statistics().pushback == {"slots": 3}


@pytest.mark.parametrize("when_full", ["429", "503", "529"])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_the_status_of_an_overload_can_be_chosen(
    when_full: str, path: str, autojump_clock: MockClock
) -> None:
    """Any of the three, in either dialect."""
    mock = Mock(MockOptions(slots=1, latency=1, when_full=when_full))
    refused, served = await together(mock, 2, path)
    assert (refused.status, served.status) == (int(when_full), 200)


async def test_when_full_requests_can_wait_for_their_turn(autojump_clock: MockClock) -> None:
    """First come, first served; one that leaves the queue takes no slot."""
    mock = Mock(MockOptions(slots=2, latency=1, when_full="queue"))
    left = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(together, mock, 2)
        await trio.sleep(0.5)
        nursery.start_soon(partial(call, mock, CHAT, ASK, leave=left))
        await trio.sleep(0.1)
        stats = mock.statistics()
        assert (stats.serving, stats.queued) == (2, 1)
        left.set()
        answers = await together(mock, 4)
    assert [round(each.head_at, 3) for each in answers] == [1.4, 1.4, 2.4, 2.4]
    assert (mock.statistics().serving, mock.statistics().queued) == (0, 0)


@pytest.mark.parametrize("fault", ["stall", None])
async def test_a_caller_that_leaves_frees_its_slot(fault: str | None, autojump_clock: MockClock) -> None:
    """In mid-stream, and from an answer that would never end."""
    mock = Mock(MockOptions(slots=1, tokens_per_second=1))
    await call(mock, "/mock/script", {"answers": [{"fault": fault} if fault else {}]})
    left = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(call, mock, CHAT, ASK | {"stream": True}, leave=left))
        await trio.sleep(3)
        assert (await call(mock, CHAT, ASK)).status == 503
        left.set()
    assert mock.statistics().serving == 0
    assert (await call(mock, CHAT, ASK)).status == 200


async def test_errors_and_lists_take_no_slot(autojump_clock: MockClock) -> None:
    """A failed request, a list of models or a count of tokens is no work for the model."""
    mock = Mock(MockOptions(slots=1, latency=1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(call, mock, CHAT, ASK))
        await trio.sleep(0.5)
        assert (await call(mock, "/v1/models", method="GET")).status == 200
        assert (await call(mock, "/v1/messages/count_tokens", ASK)).status == 200
        assert (await call(mock, CHAT, {})).status == 400
        await call(mock, "/mock/script", {"answers": [{"status": 500}]})
        assert (await call(mock, CHAT, ASK)).status == 500
    assert mock.statistics().pushback == {}


async def test_a_scripted_body_takes_a_slot(autojump_clock: MockClock) -> None:
    """A success is work, whatever is in it; a scripted error is none."""
    mock = Mock(MockOptions(slots=1))
    answers = [{"body": "x", "delay": 1}, {"chunks": ["x"]}, {"status": 418, "body": "x"}]
    await call(mock, "/mock/script", {"answers": answers})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(call, mock, CHAT, ASK))
        await trio.sleep(0.5)
        assert [(await call(mock, CHAT, ASK)).status for _ in range(2)] == [503, 418]


async def test_slots_can_be_changed_while_requests_hold_them(autojump_clock: MockClock) -> None:
    """Fewer: those in flight are finished. More: those that wait go on at once."""
    mock = Mock(MockOptions(slots=4, latency=1, when_full="queue"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(together, mock, 4)
        await trio.sleep(0.5)
        await call(mock, "/mock/options", {"slots": 1})
        nursery.start_soon(together, mock, 3)
        await trio.sleep(0.1)
        assert (mock.statistics().serving, mock.statistics().queued) == (4, 3)
        await trio.sleep(0.5)
        assert (mock.statistics().serving, mock.statistics().queued) == (1, 2)
        await call(mock, "/mock/options", {"slots": 0})
        await trio.sleep(0.1)
        assert (mock.statistics().serving, mock.statistics().queued) == (3, 0)


# Quotas


async def test_a_quota_is_per_credential_and_refilled_steadily(autojump_clock: MockClock) -> None:
    """60 a minute with a burst of 3 s: three at once for each caller, then one a second."""
    mock = Mock(MockOptions(requests_per_minute=60, quota_burst=3))

    async def statuses(number: int, headers: dict[str, str]) -> list[int]:
        return [(await call(mock, CHAT, ASK, headers=headers)).status for _ in range(number)]

    for who in (ALICE, BOB, {}):
        assert await statuses(5, who) == [200, 200, 200, 429, 429]
    await trio.sleep(1.01)
    assert await statuses(2, ALICE) == [200, 429]
    await trio.sleep(60)
    assert await statuses(4, ALICE) == [200, 200, 200, 429]
    assert mock.statistics().pushback == {"requests": 3 * 2 + 1 + 1}


async def test_tokens_in_and_out_are_charged(autojump_clock: MockClock) -> None:
    """What the usage says; an answer of 1,000 tokens spends more than one of 10. 429s cost nothing."""
    mock = Mock(MockOptions(tokens_per_minute=6000, quota_burst=10, tokens=390))
    answers = [await call(mock, CHAT, ASK) for _ in range(3)]
    assert [each.status for each in answers] == [200, 200, 429]
    used = [json.loads(each.body)["usage"]["total_tokens"] for each in answers[:2]]
    left = [int(each.headers["x-ratelimit-remaining-tokens"]) for each in answers]
    assert left == [1000 - used[0], 1000 - sum(used), 1000 - sum(used)]
    assert error(answers[2])["type"] == "tokens"
    assert error(answers[2])["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_the_wait_is_honest(path: str, autojump_clock: MockClock) -> None:
    """A caller that waits for the Retry-After is served; the milliseconds are exact."""
    mock = Mock(MockOptions(requests_per_minute=20, quota_burst=3))
    assert [(await call(mock, path, ASK)).status for _ in range(1)] == [200]
    refused = await call(mock, path, ASK)
    assert (refused.status, refused.headers["retry-after"]) == (429, "3")
    if path == CHAT:
        assert refused.headers["retry-after-ms"] == "3000"
        assert "Limit 20, Requested 1. Please try again in 3s." in error(refused)["message"]
    else:
        assert "retry-after-ms" not in refused.headers
        assert error(refused)["type"] == "rate_limit_error"
        assert "20 requests per minute" in error(refused)["message"]
    await trio.sleep(2.9)
    refused = await call(mock, path, ASK)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    await trio.sleep(0.1)
    assert (await call(mock, path, ASK)).status == 200


@pytest.mark.parametrize(
    "asked", [(CHAT, ASK), (CHAT, {}), (MESSAGES, ASK), ("/v1/embeddings", ASK), ("/v1/responses", ASK)]
)
async def test_every_answer_of_a_model_tells_what_is_left(asked: tuple[str, Any]) -> None:
    """Served, refused and malformed ones; no list of models does, nor any answer without a quota."""
    mock = Mock(MockOptions(requests_per_minute=600, tokens_per_minute=6000, slots=1))
    prefix = "anthropic-" if asked[0] == MESSAGES else "x-"
    for script in ({}, {"status": 503}):
        await call(mock, "/mock/script", {"answers": [script]})
        headers = (await call(mock, *asked)).headers
        assert len([name for name in headers if name.startswith(f"{prefix}ratelimit-")]) == 6
    assert not [name for name in (await call(mock, "/v1/models", method="GET")).headers if "ratelimit" in name]
    assert not [name for name in (await call(Mock(MockOptions()), *asked)).headers if "ratelimit" in name]


async def test_a_script_is_stronger_than_the_quota_s_headers() -> None:
    """A scripted header replaces the honest one, null leaves it out."""
    mock = Mock(MockOptions(requests_per_minute=60))
    scripted = {"X-RateLimit-Remaining-Requests": "0", "x-ratelimit-reset-requests": None}
    await call(mock, "/mock/script", {"answers": [{"headers": scripted}]})
    headers = (await call(mock, CHAT, ASK)).headers
    told = {name: value for name, value in headers.items() if "ratelimit" in name}
    assert told == {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}


async def test_a_changed_quota_is_full_again_and_another_change_leaves_it_alone(autojump_clock: MockClock) -> None:
    """Only the quota's own options refill it."""
    mock = Mock(MockOptions(requests_per_minute=60, quota_burst=1))
    assert [(await call(mock, CHAT, ASK)).status for _ in range(2)] == [200, 429]
    await call(mock, "/mock/options", {"slots": 9})
    assert (await call(mock, CHAT, ASK)).status == 429
    await call(mock, "/mock/options", {"requests_per_minute": 120})
    assert [(await call(mock, CHAT, ASK)).status for _ in range(3)] == [200, 200, 429]


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from("ab"), st.integers(1, 500)), max_size=40))
def test_no_credential_ever_gets_more_than_its_quota(steps: list[tuple[float, str, int]]) -> None:
    """With any clock: in any time no more than the burst and the refill; and the wait is never too short."""
    clock = 0.0
    options = MockOptions(requests_per_minute=60, tokens_per_minute=6000, quota_burst=5)
    capacity = Capacity(options, clock=lambda: clock, wall_clock=lambda: clock)
    taken = {"a": [0, 0], "b": [0, 0]}

    async def admitted(who: str, tokens: int) -> float:
        entry = Entry(_SCOPE, RequestLog())
        pushback = await capacity.admit(who.encode(), entry, tokens, anthropic=False)
        entry.settle()
        return (pushback.wait or 0) if pushback else 0.0

    async def run() -> None:
        nonlocal clock
        for gap, who, tokens in steps:
            clock += gap
            if wait := await admitted(who, tokens):
                clock += wait
                assert not await admitted(who, tokens)
            taken[who][0] += 1
            taken[who][1] += tokens
            assert taken[who][0] <= 5 + clock + 1e-3
            assert taken[who][1] <= 500 + 100 * clock + 1e-1
        assert capacity.serving == 0

    trio.run(run)
