"""What stands on stderr: a line for each request and for what an operator must know, and never a secret."""

from __future__ import annotations

import ast
import io
import json
import re
from dataclasses import replace
from typing import Any, Literal

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.bridge.event_bus import EventBus
from aibridge_trio.config.settings import LogFormat, LogLevel, Secret
from aibridge_trio.core.breaker.breaker import Mode, State
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.inspection.usage import Usage
from aibridge_trio.events import (
    Answered,
    Bug,
    Event,
    Faulted,
    Finished,
    FirstByte,
    Judged,
    LifecycleChanged,
    LimitChanged,
    Overridden,
    Started,
    Transitioned,
)
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.telemetry.logs import Log
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"
NOON = 1_795_348_800.25
CALLER = Caller(b"k", "…cdef", authenticated=True)
REQUEST = Finished(
    request_id="req_1",
    provider="openai",
    route="/chat/completions",
    method="POST",
    status=200,
    reject=None,
    verdict=Verdict.SUCCESS,
    broken=False,
    duration=1.234567,
    first_byte=0.5,
    queued=0.25,
    total=2.0,
    bytes_in=10,
    bytes_out=2000,
    caller=CALLER,
    user_agent="OpenAI/Python 1.2",
    started=True,
    reached_upstream=True,
    usage=Usage(),
)
TRIP = Transitioned("openai", State.CLOSED, State.OPEN, "5 failures in 10 s, last 503", trip=True)
CLOSED = Transitioned("openai", State.HALF_OPEN, State.CLOSED, "3 of 3 probes succeeded", trip=False)
OVERRIDE = Overridden("openai", Mode.OPEN, "10.0.0.9")
START = LifecycleChanged("start", "listens")
BUG = Bug("KeyError at x.py:1 f")
SILENT: list[Event] = [
    Started("openai", CALLER),
    Answered("openai", 200),
    FirstByte("openai", "/chat/completions", 0.5, at=9.0),
    Faulted("openai", "head"),
    Judged("openai", Verdict.SUCCESS),
]


def tell(listener: Log, event: Event) -> None:
    """Publish an event to this log."""
    bus = EventBus()
    bus.subscribe(listener.handlers)
    bus.publish(event)


def logged(*events: Event, level: LogLevel = "info", form: LogFormat = "json") -> list[str]:
    """Return the lines that a log writes of these events."""
    stream = io.StringIO()
    log = Log(level, form, now=lambda: NOON, stream=stream)
    for event in events:
        tell(log, event)
    said = stream.getvalue()
    assert said == "" or said.endswith("\n")
    return said.split("\n")[:-1]


# One line a request


def test_a_request_is_one_line_with_all_that_is_known_of_it() -> None:
    """Time, who, where, what became of it, how long, how much: in this order, as JSON."""
    [line] = logged(REQUEST._replace(held=1.00009, sent_again=2))
    assert list(json.loads(line).items()) == [
        ("time", "2026-11-22T12:00:00.250Z"),
        ("level", "info"),
        ("event", "request"),
        ("request_id", "req_1"),
        ("provider", "openai"),
        ("route", "/chat/completions"),
        ("method", "POST"),
        ("status", 200),
        ("reject", None),
        ("would_reject", None),
        ("cause", None),
        ("verdict", "success"),
        ("broken", False),
        ("left", False),
        ("duration_s", 1.2346),
        ("first_byte_s", 0.5),
        ("queue_s", 0.25),
        ("held_s", 1.0001),
        ("sent_again", 2),
        ("total_s", 2.0),
        ("bytes_in", 10),
        ("bytes_out", 2000),
        ("caller", "…cdef"),
        ("class", None),
        ("user_agent", "OpenAI/Python 1.2"),
        ("model", None),
        ("tokens_in", None),
        ("tokens_out", None),
        ("attempts", 0),
        ("error_code", None),
    ]


def test_what_is_not_known_is_null() -> None:
    """The keys are the same for every request."""
    nothing = REQUEST._replace(reject="capacity", verdict=None, first_byte=None, caller=None, user_agent="")
    [line] = logged(nothing)
    said = json.loads(line)
    assert said.keys() == json.loads(logged(REQUEST)[0]).keys()
    assert [said[key] for key in ("reject", "verdict", "first_byte_s", "caller")] == ["capacity", None, None, None]


def test_for_people_a_request_is_one_line_without_what_is_not_known() -> None:
    """A local time, the level, the event, then what there is to say."""
    [line] = logged(REQUEST._replace(verdict=None, reject="not_found", status=404, caller=None), form="human")
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d info    request  request_id=req_1 provider=openai route=/chat/completions method=POST "
        r"status=404 reject=not_found duration_s=1\.2346 first_byte_s=0\.5 queue_s=0\.25 held_s=0\.0 "
        r"sent_again=0 total_s=2\.0 bytes_in=10 bytes_out=2000 user_agent=\"OpenAI/Python 1\.2\" attempts=0",
        line,
    )


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            TRIP,
            {
                "level": "warning",
                "event": "breaker",
                "provider": "openai",
                "from": "closed",
                "to": "open",
                "because": "5 failures in 10 s, last 503",
            },
        ),
        (
            CLOSED,
            {
                "level": "info",
                "event": "breaker",
                "provider": "openai",
                "from": "half-open",
                "to": "closed",
                "because": "3 of 3 probes succeeded",
            },
        ),
        (
            OVERRIDE,
            {
                "level": "warning",
                "event": "override",
                "provider": "openai",
                "mode": "open",
                "peer": "10.0.0.9",
                "for_s": None,
                "reason": None,
                "ended": False,
            },
        ),
        (
            Overridden("openai", Mode.AUTO, "10.0.0.9", reason="INC-12", ended=True),
            {
                "level": "warning",
                "event": "override",
                "provider": "openai",
                "mode": "auto",
                "peer": "10.0.0.9",
                "for_s": None,
                "reason": "INC-12",
                "ended": True,
            },
        ),
        (
            LimitChanged("openai", "unlimited", "outage", "outage, canary in 2 s, 529 at 42, 3 s ago"),
            {
                "level": "warning",
                "event": "adaptive",
                "provider": "openai",
                "from": "unlimited",
                "to": "outage",
                "because": "outage, canary in 2 s, 529 at 42, 3 s ago",
            },
        ),
        (
            LimitChanged("openai", "outage", "unlimited", "outage over"),
            {
                "level": "info",
                "event": "adaptive",
                "provider": "openai",
                "from": "outage",
                "to": "unlimited",
                "because": "outage over",
            },
        ),
        (START, {"level": "info", "event": "start", "detail": "listens"}),
        (LifecycleChanged("drain", "2 in flight"), {"level": "info", "event": "drain", "detail": "2 in flight"}),
        (BUG, {"level": "error", "event": "bug", "where": "KeyError at x.py:1 f"}),
    ],
)
def test_what_an_operator_must_know_is_a_line(event: Event, said: dict[str, Any]) -> None:
    """Transitions, overrides, what was learned, start, drain, bugs: each at its level."""
    [line] = logged(event)
    assert json.loads(line) == {"time": "2026-11-22T12:00:00.250Z", **said}
    [line] = logged(event, form="human")
    assert line[9:].startswith(f"{said['level']:<7} {said['event']:<8} ")


def test_the_small_steps_of_a_request_are_no_lines() -> None:
    """They are in its one line, at every level."""
    for level in ("debug", "info", "warning", "error"):
        assert logged(*SILENT, level=level) == []


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["request", "breaker", "breaker", "override", "start", "bug"]),
        ("info", ["request", "breaker", "breaker", "override", "start", "bug"]),
        ("warning", ["breaker", "override", "bug"]),
        ("error", ["bug"]),
    ],
)
def test_the_level_is_the_least_that_is_written(level: LogLevel, events: list[str]) -> None:
    """What is below it stays out."""
    lines = logged(REQUEST, TRIP, CLOSED, OVERRIDE, START, BUG, level=level)
    assert [json.loads(line)["event"] for line in lines] == events


def test_a_caution_is_a_warning() -> None:
    """What the configuration allows but deserves a second look."""
    stream = io.StringIO()
    Log("info", "json", now=lambda: NOON, stream=stream).warning("mind the gap")
    said = json.loads(stream.getvalue())
    assert (said["level"], said["event"], said["detail"]) == ("warning", "config", "mind the gap")


@pytest.mark.parametrize("terminal", [True, False])
def test_auto_is_for_people_on_a_terminal_and_json_elsewhere(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """The stream itself tells which."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    tell(Log("info", "auto", now=lambda: NOON, stream=stream), START)
    assert stream.getvalue().startswith("{") is not terminal


# Lines stay lines

HOSTILE = "\n\r\t\0\x1b[2J\x07\x7f\x85\x9b31m\u2028\u2029\u202e\ud800\ufeff\U000e0001\"\\'"


@given(st.text(max_size=64), st.text(max_size=16))
def test_nothing_that_a_caller_sends_breaks_a_line(user_agent: str, method: str) -> None:
    """Whatever stands in it, a line is one line of printable characters; as JSON it says exactly what came."""
    event = REQUEST._replace(user_agent=user_agent, method=method)
    [line] = logged(event)
    assert line.isprintable()
    assert line.encode()
    said = json.loads(line)
    assert (said["user_agent"], said["method"]) == (user_agent, method)
    [line] = logged(event, form="human")
    assert line.isprintable()


FORGED = "x status=200 verdict=success"


def parsed(line: str) -> dict[str, str]:
    """Read the fields of a line for people, as a reader of logfmt does; whatever is none fails."""
    fields = {}
    rest = line[len("12:00:00 warning request  ") :]
    while rest:
        found = re.match(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ ="\\]+)(?: |$)', rest)
        assert found, rest
        assert found[1] not in fields, line
        fields[found[1]] = ast.literal_eval(found[2]) if found[2].startswith('"') else found[2]
        rest = rest[found.end() :]
    return fields


@given(st.text(max_size=64), st.text(max_size=16), st.text(max_size=16))
@example(FORGED, "", "")
@example('" status=200', "\\", '\\" x="')
@example("\n\r\x85\u2028\u00a0 a\u3000b", "a=b", "\ud800")
def test_no_value_forges_a_field(user_agent: str, method: str, because: str) -> None:
    """What is read back from a line for people is what was written: the same fields, the same values."""
    [line] = logged(REQUEST._replace(user_agent=user_agent, method=method), form="human")
    fields = parsed(line)
    assert (fields.pop("user_agent", ""), fields.pop("method", "")) == (user_agent, method)
    assert fields == {
        "request_id": "req_1",
        "provider": "openai",
        "route": "/chat/completions",
        "status": "200",
        "verdict": "success",
        "duration_s": "1.2346",
        "first_byte_s": "0.5",
        "queue_s": "0.25",
        "held_s": "0.0",
        "sent_again": "0",
        "total_s": "2.0",
        "bytes_in": "10",
        "bytes_out": "2000",
        "caller": "…cdef",
        "attempts": "0",
    }
    [line] = logged(replace(TRIP, because=because), form="human")
    expected = {"provider": "openai", "from": "closed", "to": "open"} | ({"because": because} if because else {})
    assert parsed(line) == expected


def test_for_people_zero_is_said_and_nothing_is_not() -> None:
    """No byte in, no wait: that is a number. No reject, not broken: that is left out; broken is true."""
    [line] = logged(REQUEST._replace(bytes_in=0, queued=0.0, broken=True), form="human")
    fields = parsed(line)
    assert (fields["bytes_in"], fields["queue_s"], fields["broken"]) == ("0", "0.0", "true")
    assert not {"left", "reject", "would_reject"} & fields.keys()


def test_every_character_that_moves_a_cursor_is_escaped() -> None:
    """Escape sequences, line and paragraph separators, direction marks, lone surrogates."""
    for form in ("json", "human"):
        [line] = logged(REQUEST._replace(user_agent=HOSTILE, method=HOSTILE), form=form)
        assert line.isprintable()
        assert len(line.splitlines()) == 1
        assert "\\u2028" in line


async def test_a_hostile_agent_through_the_whole_path(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the wire lets through is cut and cleaned before it is noted; a method that HTTP has not got is not."""
    agent = b"evil\t\x80\x85\x9b31m\xff" + b"a" * 100
    async with network.bridge() as bridge:
        await bridge.client.get("/", headers=[(b"user-agent", agent)])
        assert (await bridge.client.request("X" * 100, "/openai/v1")).status_code == 400
    lines = [json.loads(line) for line in capsys.readouterr().err.split("\n")[:-1]]
    [request] = [line for line in lines if line["event"] == "request"]
    assert request["user_agent"] == "evil????31mÿ" + "a" * 52


# A stream that fails


class Broken(io.StringIO):
    """A stream that fails in its own way."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        """Fail."""
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(),
        OSError(28, "No space left on device"),
        BlockingIOError(),
        ValueError("I/O operation on closed file"),
        UnicodeEncodeError("ascii", "ä", 0, 1, "ordinal not in range"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_broken_stderr_breaks_no_request(
    autojump_clock: MockClock, network: Network, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Without a reader of the log, callers are still served and counted."""
    async with network.bridge() as bridge:
        monkeypatch.setattr(bridge.bridge.log, "_stream", Broken(error))
        for _ in range(3):
            assert (await bridge.client.get("/")).status_code == 200
        assert (await bridge.status())["requests"]["total"] == 3
        assert await bridge.metric("log_lines_dropped_total") == 3


def test_each_line_is_flushed() -> None:
    """Each line is flushed when it is written."""

    class Counted(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    stream = Counted()
    log = Log("info", "json", now=lambda: NOON, stream=stream)
    tell(log, START)
    tell(log, REQUEST)
    assert stream.flushed == 2


# Never a body, never a credential


@pytest.mark.parametrize("form", ["json", "human"])
async def test_neither_bodies_nor_credentials_are_logged(
    autojump_clock: MockClock,
    network: Network,
    capsys: pytest.CaptureFixture[str],
    form: Literal["json", "human"],
) -> None:
    """At the most talkative level, in answers, rejects, faults, bugs and transitions: none of them."""

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(503, [(b"x-leak", b"zz-upstream-header")], b'{"error":"zz-upstream-body"}')

    await network.answer("openai", provider)
    options = {"circuit_breaker_failure_threshold": 2, "openai_api_key": Secret("zz-central-key-0123456789")}
    async with network.bridge(circuit_breaker=True, log_level="debug", log_format=form, **options) as bridge:
        credentials = [
            {"authorization": "Bearer zz-caller-key-0123456789-tail"},
            {"x-api-key": "zz-short"},
            {"authorization": "Basic zz-basic"},
            {"cookie": "zz-cookie"},
            {"authorization": "Bearer zz-a", "x-api-key": "zz-b"},
        ]
        for headers in credentials:
            for path in (f"{CHAT}?key=zz-query", "/nowhere?key=zz-query", "/anthropic/v1/messages", "/a//b"):
                await bridge.client.post(path, content=b'{"prompt":"zz-prompt"}', headers=headers)
        await bridge.admin.post("/breakers/openai", json={"mode": "close"}, headers={"authorization": "Bearer zz"})
    said = capsys.readouterr().err
    assert said.count("request_id") == 20
    assert "breaker" in said
    assert "zz" not in said
    assert "…tail" in said


async def test_each_request_has_one_line_whatever_became_of_it(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answered, rejected, left alone, broken off: one line each, with the id that its caller has."""

    async def breaks(_: Request, reply: Reply) -> None:
        await reply.start(200, [(b"content-length", b"9")])

    await network.answer("openai", breaks)
    await network.answer("anthropic", lambda _request, _reply: trio.sleep_forever())
    async with network.bridge() as bridge:
        await bridge.client.get("/", headers={"x-request-id": "one"})
        await bridge.client.get("/none", headers={"x-request-id": "two"})
        with trio.move_on_after(1):
            await bridge.client.post("/anthropic/v1/messages", headers={"x-request-id": "three"})
        with pytest.raises(Exception, match="peer closed"):
            await bridge.client.post(CHAT, headers={"x-request-id": "four"})
        await trio.sleep(1)
    lines = [json.loads(line) for line in capsys.readouterr().err.split("\n")[:-1]]
    said = [
        tuple(line[key] for key in ("request_id", "status", "reject", "verdict", "broken", "left"))
        for line in lines
        if line["event"] == "request"
    ]
    assert said == [
        ("one", 200, None, None, False, False),
        ("two", 404, "not_found", None, False, False),
        ("three", 499, None, "neutral", False, True),
        ("four", 200, None, "failure", True, False),
    ]
