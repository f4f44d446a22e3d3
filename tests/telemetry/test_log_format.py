"""How a line is written: what stands in a template is what a JSON encoder would write."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.config.settings import LogLevel
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.events import Finished
from aibridge_trio.telemetry.log_format import (
    human_line,
    human_request,
    json_line,
    json_request,
    request_with_priority,
    with_priority,
)

NOON = 1_795_348_800.0
TEXT = st.text(max_size=8)
SECONDS = st.floats(0, 1e6)
CALLERS = st.builds(Caller, st.just(b""), TEXT, authenticated=st.booleans(), class_name=TEXT)
REQUESTS = st.builds(
    Finished,
    request_id=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8),
    provider=TEXT,
    route=TEXT,
    method=TEXT,
    status=st.integers(100, 599),
    reject=st.none() | TEXT,
    verdict=st.none() | st.sampled_from(Verdict),
    broken=st.booleans(),
    duration=st.none() | SECONDS,
    first_byte=st.none() | SECONDS,
    queued=SECONDS,
    total=SECONDS,
    bytes_in=st.integers(0),
    bytes_out=st.integers(0),
    caller=st.none() | CALLERS,
    user_agent=TEXT,
    started=st.booleans(),
    reached_upstream=st.booleans(),
    usage=st.builds(Usage, *[st.integers(0, 9)] * 4),
    left=st.booleans(),
    would_reject=st.lists(TEXT, max_size=2).map(tuple),
    cause=st.none() | TEXT,
    path=st.none() | TEXT,
    held=SECONDS,
    sent_again=st.integers(0, 9),
    passed_over=st.lists(TEXT, max_size=2).map(tuple),
    model=st.none() | TEXT,
    attempts=st.integers(0, 9),
    error_code=st.none() | TEXT,
)


def fields(event: Finished) -> dict[str, object]:
    """What stands in a request's line, in order."""
    return {
        "request_id": event.request_id,
        "provider": event.provider,
        "route": event.route,
        "method": event.method,
        "status": event.status,
        "reject": event.reject,
        "would_reject": ",".join(event.would_reject) if event.would_reject else None,
        "cause": event.cause,
        "verdict": event.verdict,
        "broken": event.broken,
        "left": event.left,
        "duration_s": None if event.duration is None else round(event.duration, 4),
        "first_byte_s": None if event.first_byte is None else round(event.first_byte, 4),
        "queue_s": round(event.queued, 4),
        "held_s": round(event.held, 4),
        "sent_again": event.sent_again,
        "total_s": round(event.total, 4),
        "bytes_in": event.bytes_in,
        "bytes_out": event.bytes_out,
        "caller": event.caller.hint if event.caller else None,
        "class": (event.caller.class_name or None) if event.caller else None,
        "user_agent": event.user_agent,
        "model": event.model,
        "tokens_in": event.usage.prompt if any(event.usage) else None,
        "tokens_out": event.usage.output if any(event.usage) else None,
        "attempts": event.attempts,
        "error_code": event.error_code,
        **({"passed_over": ",".join(event.passed_over)} if event.passed_over else {}),
        **({"path": event.path} if event.path is not None else {}),
    }


@given(REQUESTS)
def test_a_requests_template_writes_what_the_line_of_its_fields_would(event: Finished) -> None:
    """In both forms: there is one format of lines."""
    assert json_request(NOON, event) == json_line(NOON, "info", "request", fields(event))
    assert human_request(NOON, event) == human_line(NOON, "info", "request", fields(event))


@given(st.dictionaries(TEXT.filter(str.isidentifier), st.none() | st.booleans() | st.integers() | SECONDS | TEXT))
def test_a_line_is_json_that_reads_back(said: dict[str, object]) -> None:
    """One line, printable, and nothing lost."""
    line = json_line(NOON, "info", "test", said)
    assert line.endswith("}\n")
    assert line[:-1].isprintable()
    assert json.loads(line) == {"time": "2026-11-22T12:00:00.000Z", "level": "info", "event": "test", **said}


@pytest.mark.parametrize("second", range(3))
@pytest.mark.parametrize(("after", "shown"), [(0.0, "000"), (0.0014, "001"), (0.9994, "999"), (0.9999999, "000")])
def test_times_are_in_milliseconds(second: int, after: float, shown: str) -> None:
    """Cut, not rounded, beyond a microsecond; each second has its own text."""
    now = NOON + second + after
    said = json.loads(json_line(now, "info", "test", {}))["time"]
    whole = datetime.fromtimestamp(now if shown == "000" and after else NOON + second, UTC)
    assert said == f"{whole:%Y-%m-%dT%H:%M:%S}.{shown}Z"


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "<7>"), ("info", "<6>"), ("warning", "<4>"), ("error", "<3>")]
)
def test_a_line_for_the_journal_begins_with_its_priority(level: LogLevel, priority: str) -> None:
    """That of syslog; a request's is information."""
    said = {"detail": "x"}
    assert with_priority(json_line)(NOON, level, "test", said) == priority + json_line(NOON, level, "test", said)


@given(REQUESTS)
def test_a_request_for_the_journal_is_information(event: Finished) -> None:
    """Whatever became of it."""
    assert request_with_priority(json_request)(NOON, event) == "<6>" + json_request(NOON, event)
