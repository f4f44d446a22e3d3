"""Which requests are kept: bounded, the refused ones longest, and none is pushed out by another caller's flood."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.caller import Caller
from aibridge_trio.events import Finished
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.telemetry.recent_requests import GROUPS, OF_GROUP, REFUSED, SHOWN, WELL, RecentRequests
from tests.support.network import Network
from tests.telemetry.test_logs import NOON, REQUEST

CHAT = "/openai/v1/chat/completions"


def kept() -> RecentRequests:
    return RecentRequests(lambda: 100.0, lambda: NOON)


def add(recent: RecentRequests, event: Finished) -> None:
    recent.handlers[Finished](event)


def refused(name: str, caller: int = 0, at: float = 0.0) -> Finished:
    of = Caller(b"k%d" % caller, f"caller-{caller}", authenticated=True)
    return REQUEST._replace(request_id=name, status=429, reject="rate_limit", caller=of, at=at)


def test_the_refused_ones_are_kept_longest() -> None:
    """However many are answered."""
    recent = kept()
    add(recent, refused("mine"))
    for number in range(10 * REFUSED):
        add(recent, REQUEST._replace(request_id=f"well-{number}"))
    assert [each["request_id"] for each in recent.find("mine")] == ["mine"]
    assert recent.find("well-0") == []
    assert len(recent.find(f"well-{10 * REFUSED - WELL}")) == 1


def test_a_flood_of_one_caller_pushes_out_its_own() -> None:
    """What happened to others is still there, unless they are in its group."""
    recent = kept()
    for caller in range(1, 21):
        add(recent, refused(f"of-{caller}", caller))
    for number in range(2 * REFUSED):
        add(recent, refused(f"flood-{number}"))
    lost = [caller for caller in range(1, 21) if not recent.find(f"of-{caller}")]
    assert all(hash(b"k%d" % caller) % GROUPS == hash(b"k0") % GROUPS for caller in lost)
    assert len(lost) < 5


def test_all_that_have_an_id_are_shown_in_their_order() -> None:
    """Callers may repeat it; the latest of very many."""
    recent = kept()
    for at in (3.0, 1.0, 2.0):
        add(recent, refused("same", at=at))
    add(recent, REQUEST._replace(request_id="same", at=1.5))
    assert [each["status"] for each in recent.find("same")] == [429, 200, 429, 429]
    times = [each["time"] for each in recent.find("same")]
    assert times == sorted(times)
    for number in range(2 * SHOWN):
        add(recent, refused("same", at=number))
    assert len(recent.find("same")) == SHOWN


def test_memory_is_bounded() -> None:
    """By the number of them, each of bounded size."""
    recent = kept()
    for number in range(3 * REFUSED):
        add(recent, refused(f"x-{number}", number))
        add(recent, REQUEST._replace(request_id=f"y-{number}"))
    assert len(recent._all()) <= WELL + REFUSED + GROUPS * OF_GROUP
    assert sum(map(sys.getsizeof, recent._all())) < 8 << 20


def test_the_list_of_refusals_begins_with_the_latest() -> None:
    """So many at most, without their explanation."""
    recent = kept()
    for number in range(2 * SHOWN):
        add(recent, refused(f"x-{number}"))
    found = recent.refused()
    assert [each["request_id"] for each in found] == [f"x-{n}" for n in range(2 * SHOWN - 1, SHOWN - 1, -1)]
    assert "explanation" not in found[0]


async def test_a_caller_finds_the_id_in_the_reject_and_its_operator_the_cause(
    autojump_clock: MockClock, network: Network
) -> None:
    """From the header or the body of a reject to what decided it, when it was."""
    async with network.bridge(rate_limit=1) as bridge:
        began = bridge.bridge.reports.recent._wall_clock()
        await bridge.client.post(CHAT)
        answer = await bridge.client.post(CHAT)
        assert answer.status_code == 429
        request_id = answer.headers["x-request-id"]
        assert answer.json()["request_id"] == request_id
        [found] = (await bridge.admin.get(f"/requests/{request_id}")).json()["requests"]
        assert found["explanation"][-2] == f"Its caller got this text: {answer.json()['message']}"
        assert found["reject"] == answer.headers["x-aibridge-reject"]
        assert found["time"][:13] == _hour(began)
        [listed, first] = (await bridge.admin.get("/requests")).json()["requests"]
        assert (listed["request_id"], first["reject"]) == (request_id, "upstream_unreachable")
        assert (await bridge.admin.get("/requests/unknown")).status_code == 404
        assert (await bridge.admin.post("/requests")).status_code == 405


def _hour(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat()[:13]


async def test_an_answer_that_is_pushed_back_and_held_has_its_steps(
    autojump_clock: MockClock, network: Network
) -> None:
    """What --adaptive did: when, and why."""
    answers = iter([529, 529])

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(next(answers, 200), [(b"content-type", b"application/json")], b"{}")

    await network.answer("openai", provider)
    async with network.bridge(adaptive=True) as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
        await trio.sleep(1)
        [found] = (await bridge.admin.get(f"/requests/{answer.headers['x-request-id']}")).json()["requests"]
    assert (answer.status_code, found["attempts"], found["sent_again"]) == (200, 3, 2)
    assert [step["what"] for step in found["steps"]].count("sent_again") == 2
    assert [step["what"] for step in found["steps"]].count("held") == 2


@pytest.mark.parametrize("count", [1, 100])
def test_steps_are_bounded(count: int) -> None:
    """The first ones are kept."""
    record = Record.__new__(Record)
    record._clock, record.began = (lambda: 1.0), 0.0
    for _ in range(count):
        record._step("fault", "openai", "x")
    assert len(record._steps) == min(count, 32)
