"""`aibridge explain` and `top` of a real bridge: from the reject that a caller has to what decided it."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.support.dashboard import watched
from tests.support.processes import ASK, CHAT, a_bridge, run, until

pytestmark = pytest.mark.real


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_rejects_id_leads_to_what_decided_it(workers: str) -> None:
    """Whichever worker it was; and the list has it."""
    with a_bridge("--workers", workers, "--max-body", "1KiB") as bridge:
        for number in range(8):
            headers = {"x-request-id": f"mine-{number}", "connection": "close"}
            answer = bridge.caller.post(CHAT, json={"messages": ASK * 1000}, headers=headers)
            assert (answer.status_code, answer.json()["request_id"]) == (413, f"mine-{number}")
        for number in range(8):
            done = until(partial(_explained, bridge.admin_url, f"mine-{number}"), "its end")
            assert "AI Bridge answered 413 body_too_large" in done
            assert "decided by the longest body (--max-body)" in done
        listed = run("explain", "--json", "--url", bridge.admin_url).stdout.splitlines()
        assert {json.loads(line)["request_id"] for line in listed} == {f"mine-{number}" for number in range(8)}
        unknown = run("explain", "req_unknown", "--url", bridge.admin_url)
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert unknown.stderr == "aibridge: no request req_unknown is kept; the log may still have it\n"


def _explained(url: str, request_id: str) -> str:
    """What is said of a request, "" as long as it is not kept: its record comes after its answer."""
    return run("explain", request_id, "--url", url).stdout


def test_top_opens_a_refused_request() -> None:
    """e lists them, Enter opens the chosen one, Esc goes back, twice."""
    with a_bridge("--max-body", "1KiB") as bridge:
        bridge.caller.post(CHAT, json={"messages": ASK * 1000}, headers={"x-request-id": "mine"})
        with watched(bridge.admin_url) as screen:
            screen.press("e")
            screen.shows(r"▸ \d\d:\d\d:\d\d +413 body_too_large")
            screen.press("\r")
            screen.shows(r"AI Bridge answered 413 body_too_large")
            screen.press("\x1b")
            screen.shows(r"Enter opens it")
            screen.press("\x1b")
            screen.shows(r"^q quit")
            screen.press("q")
