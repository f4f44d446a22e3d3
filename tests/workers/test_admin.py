"""The admin API for all workers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from trio.testing import MockClock

from aibridge_trio.config.settings import Settings
from aibridge_trio.gateway.browser_origins import Origins
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.workers.admin import CrewAdmin
from aibridge_trio.workers.admin_calls import AdminCall, Answered, answer
from aibridge_trio.workers.crew import Crew
from aibridge_trio.workers.worker import Start


def a_crew_admin(crew: Crew) -> CrewAdmin:
    """The API over a crew, before any of it is started."""
    return CrewAdmin(
        crew,
        own=list,
        complete=lambda document: document,
        lifecycle=Lifecycle(),
        publish=lambda _: None,
        origins=Origins((), ()),
        host="127.0.0.1",
        token=None,
    )


def call(path: bytes, method: str = "GET", body: bytes = b"") -> AdminCall:
    """A request."""
    return AdminCall(method, path, [(b"content-type", b"application/json")], body, "127.0.0.1")


@pytest.mark.parametrize("path", [b"/status", b"/breakers/openai"])
async def test_without_workers_it_says_so(autojump_clock: MockClock, path: bytes) -> None:
    """503, and why."""
    crew = Crew(2, start=lambda number: Start(number, Settings(), {}, last=False), warn=lambda _: None)
    found = await answer(a_crew_admin(crew), call(path, "POST" if b"breakers" in path else "GET", b"{}"))
    assert found.status == 503
    assert "no worker" in json.loads(found.body)["message"]


async def test_a_refusal_of_one_is_the_answer(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """An override that one worker refuses is refused; one that all take is answered."""
    crew = Crew(2, start=lambda number: Start(number, Settings(), {}, last=False), warn=lambda _: None)
    answers = [Answered(200, [], b'{"mode": "open"}'), Answered(409, [], b'{"message": "off"}')]

    async def ask(_name: str, _value: Any) -> dict[int, Answered]:
        return dict(enumerate(answers, 1))

    monkeypatch.setattr(crew, "ask", ask)
    refused = await answer(a_crew_admin(crew), call(b"/breakers/openai", "POST", b"{}"))
    assert (refused.status, json.loads(refused.body)) == (409, {"message": "off"})
    answers.pop()
    done = await answer(a_crew_admin(crew), call(b"/breakers/openai", "POST", b"{}"))
    assert (done.status, json.loads(done.body)) == (200, {"mode": "open"})
