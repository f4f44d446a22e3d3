"""What `aibridge explain` prints of what replicas keep."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from aibridge_trio.admin import explaining
from aibridge_trio.admin.client import AdminClient, Unreachable

REQUEST = {
    "time": "2026-12-01T10:00:00.000Z",
    "request_id": "req_1",
    "status": 429,
    "reject": "rate_limit",
    "provider": "openai",
    "caller": "dev-07",
    "explanation": ["POST /x of caller dev-07.", "It was not sent\x1b[2J."],
}
LATER = {**REQUEST, "time": "2026-12-01T10:00:01.000Z", "reject": None, "error_code": "insufficient_quota"}


@pytest.fixture
def replicas(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each replica answers, or raises."""
    answers: dict[str, Any] = {}

    async def requests(self: AdminClient, _request_id: str = "") -> list[dict[str, Any]]:
        await trio.lowlevel.checkpoint()
        answer = answers[self.url]
        if isinstance(answer, Exception):
            raise answer
        found: list[dict[str, Any]] = answer
        return found

    monkeypatch.setattr(AdminClient, "requests", requests)
    return answers


def explained(replicas: dict[str, Any], request_id: str = "req_1", *, as_json: bool = False) -> Any:
    return explaining.explain([*replicas], None, request_id, as_json=as_json)


def test_all_replicas_are_asked(replicas: dict[str, Any]) -> None:
    """One that does not know it is no failure; what they say is in the order of time, and printable."""
    a, b = "http://127.0.0.1:1", "http://127.0.0.1:2"
    replicas |= {a: [LATER], b: [REQUEST], "http://127.0.0.1:3": []}
    outcome = explained(replicas)
    assert outcome.failure is None
    assert outcome.lines == [
        "req_1, ended 2026-12-01T10:00:00.000Z",
        "  POST /x of caller dev-07.",
        "  It was not sent\\x1b[2J.",
        "req_1, ended 2026-12-01T10:00:01.000Z",
        "  POST /x of caller dev-07.",
        "  It was not sent\\x1b[2J.",
    ]


def test_an_unknown_id_is_a_failure(replicas: dict[str, Any]) -> None:
    """And so is a replica that does not answer; both say why."""
    a, b = "http://127.0.0.1:1", "http://127.0.0.1:2"
    replicas |= {a: []}
    assert str(explained(replicas).failure) == "no request req_1 is kept; the log may still have it"
    replicas |= {a: [REQUEST], b: Unreachable(b, "connection refused")}
    outcome = explained(replicas)
    assert str(outcome.failure) == f"not asked: 1 of 2 replicas: {b} (connection refused)"
    assert outcome.lines
    del replicas[a]
    assert str(explained(replicas).failure) == str(Unreachable(b, "connection refused"))


def test_without_an_id_the_latest_refused_ones_are_a_list(replicas: dict[str, Any]) -> None:
    """A line for each, the latest last; or a line that there are none."""
    replicas["http://127.0.0.1:1"] = [LATER, REQUEST]
    assert explained(replicas, "").lines == [
        "2026-12-01T10:00:00.000Z  req_1  429  rate_limit  openai  dev-07",
        "2026-12-01T10:00:01.000Z  req_1  429  insufficient_quota  openai  dev-07",
    ]
    replicas["http://127.0.0.1:1"] = []
    assert explained(replicas, "").lines == ["no request was refused"]


def test_as_json_each_request_is_a_line(replicas: dict[str, Any]) -> None:
    """For scripts."""
    replicas["http://127.0.0.1:1"] = [REQUEST]
    [line] = explained(replicas, as_json=True).lines
    assert line.startswith('{"time": ')
