"""The lines of the whole bridge: requests, rejects, in flight, the queue."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.layout import Canvas, frame
from aibridge_trio.top.view import View
from tests.support.pictures import (
    NOW,
    Said,
    a_picture,
    limiting,
    queueing,
)

HERE = Link("http://127.0.0.1:4002")


def lines(*changes: Any, width: int = 80, height: int | None = 24, view: View | None = None) -> list[str]:
    """What is drawn of a bridge that was changed so."""
    drawn = frame(a_picture(*changes), view or View(), HERE, Canvas(width, height, UTC), NOW + 0.4)
    return drawn.plain.splitlines()


def calm(document: Said) -> None:
    """Let there be no rejects."""
    document["rejects"] = dict.fromkeys(document["rejects"], 0)


def test_the_queue_has_a_meter() -> None:
    """Waiting requests, their limit, wait times, and the pace; on wide screens also callers and longest wait."""
    told = r"^queue     █{7}░{13} 37 of 100  wait p50 \d{3}ms p99 4\.\ds  pace 11\.4/s"
    [narrow] = [line for line in lines(queueing) if line.startswith("queue ")]
    [wide] = [line for line in lines(queueing, width=120) if line.startswith("queue ")]
    assert re.fullmatch(told, narrow)
    assert re.fullmatch(told + "  5 callers wait, at most 30s", wide)


def test_a_queue_at_rest_has_dashes() -> None:
    """A queue in which no request ever waited is shown, without zero rates."""

    def empty(document: Said) -> None:
        document["queue"]["size"] = 20

    drawn = lines(empty, calm)
    assert "queue     " + "░" * 20 + " 0 of 20  wait p50 -- p99 --  pace --/s" in drawn
    assert drawn[1] == "all well: no rejects"


def test_rates_of_callers_and_classes_are_a_rate_limit() -> None:
    """Known callers may have rates of their own, where the option is off or not: it is not said to be off."""

    def own(per_second: int) -> Any:
        def change(document: Said) -> None:
            document["rate_limit"] = {"per_second": per_second, "own": True, "callers": 3}

        return change

    assert "rate limit each caller's own, 3 active" in "\n".join(lines(own(0)))
    assert "rate limit 10/s a caller, or its own, 3 active" in "\n".join(lines(own(10), width=120))


def test_limits_stand_beside_those_whom_they_limit() -> None:
    """In flight is shown with the limit per provider and caller; on wide screens also the limits."""
    drawn = "\n".join(lines(limiting))
    assert re.search(r"^ anthropic +20/20 +4\.2", drawn, re.MULTILINE)
    assert re.search(r"…x7Qa .* 5/5$", drawn, re.MULTILINE)
    assert "a provider" not in drawn
    assert "9 of 50, 5 a caller, 20 a provider   rate limit" in "\n".join(lines(limiting, width=120))


def test_a_limit_without_room_is_left_out() -> None:
    """How many there are is never cut for how many there may be."""

    def vast(document: Said) -> None:
        document["concurrency"]["per_caller"] = 10_000
        document["callers"][0]["in_flight"] = 1234

    assert any(re.search(r"…x7Qa .* 1,234$", line) for line in lines(vast))
