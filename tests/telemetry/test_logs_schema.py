"""Every line of the log is described by docs/log.schema.json."""

from __future__ import annotations

import io
import json
from typing import Any

import jsonschema
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.config.provider_tables import ProviderTable, RouteTable
from aibridge_trio.config.settings import LogLevel
from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.events import (
    AdminRefused,
    Bug,
    Event,
    KeyChanged,
    LifecycleChanged,
    LimitChanged,
    Overridden,
    Reloaded,
)
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.process.audit import Audited
from aibridge_trio.sharing.change import StoreChanged
from aibridge_trio.telemetry.logs import Log
from tests.support.log_lines import SCHEMA, VALIDATOR, lines_of
from tests.support.network import Network
from tests.telemetry.test_logs import BUG, CLOSED, NOON, OVERRIDE, REQUEST, START, TRIP, logged, tell

CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]
EVENTS: list[Event] = [
    REQUEST,
    REQUEST._replace(
        path="/x", passed_over=("vllm:429",), would_reject=("rate_limit",), model="gpt-5", attempts=2
    ),
    TRIP,
    CLOSED,
    OVERRIDE,
    Overridden("openai", Mode.AUTO, None, reason="INC-12", ended=True),
    LimitChanged("openai", "unlimited", "outage", "529 at 42"),
    *(KeyChanged("openai", "1", state, "429", 3.0) for state in KeyState),
    *(StoreChanged(None, condition, 2, "") for condition in ("shared", "degraded", "closed", "settling")),
    Reloaded("SIGHUP", ("max_concurrency: 1 → 2",), ("bind: it stays as it was",)),
    Reloaded("127.0.0.1", mistake="a.toml:1:1: what"),
    START,
    LifecycleChanged("drain", "2 in flight"),
    Audited("override", "openai", "open for 10m: INC-12", "admin token", "10.0.0.9", "done"),
    Audited("reload", None, "", "no token", None, "a.toml:1:1: what"),
    LifecycleChanged("stop", "drained"),
    BUG,
    Bug("ValueError at x.py:2 g"),
]


def test_the_schema_is_one() -> None:
    """It is valid itself, and says of every field whether it is always there."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name, each in SCHEMA["$defs"].items():
        if name != "time":
            assert set(each["required"]) <= set(each["properties"]), name


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_each_event_is_described(event: Event) -> None:
    """By exactly the fields that its line has."""
    for line in logged(event, level="debug"):
        VALIDATOR.validate(json.loads(line))


def test_each_field_of_the_schema_is_written_by_some_line() -> None:
    """It lists nothing that is never there."""
    found: dict[str, set[str]] = {}
    for event in EVENTS:
        fields = json.loads(logged(event, level="debug")[-1])
        found.setdefault(fields["event"], set()).update(fields)
    found["breaker"].add("scope")
    for name, each in SCHEMA["$defs"].items():
        if name in found:
            assert set(each["properties"]) == found[name], name


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_an_audit_line_is_written_at_every_level(level: LogLevel) -> None:
    """Also of a reload that a signal wanted, whatever became of it."""
    events: list[Event] = [
        Audited("override", "openai", "close", "no token", None, "done"),
        Reloaded("SIGHUP", ("max_concurrency: 1 → 2",)),
        Reloaded("SIGHUP", mistake="a.toml:1:1: what"),
        Reloaded("10.0.0.9"),
    ]
    found = [json.loads(line) for line in logged(*events, level=level)]
    said = [(each["action"], each["by"], each["outcome"]) for each in found if each["event"] == "audit"]
    assert said == [
        ("override", "no token", "done"),
        ("reload", "SIGHUP", "done"),
        ("reload", "SIGHUP", "a.toml:1:1: what"),
    ]


async def test_refusals_of_the_admin_listener_and_warnings_are_described(autojump_clock: MockClock) -> None:
    """They are throttled, or no events."""
    stream = io.StringIO()
    written = Log("info", "json", now=lambda: NOON, stream=stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(written.run)
        for cause in ("host", "origin", "token"):
            tell(written, AdminRefused(cause, None))
        await trio.sleep(2)
        nursery.cancel_scope.cancel()
    for about in ("config", "store", "watchdog", "worker", "connections", "log"):
        written.warning("x", about)
    assert len(lines_of(stream.getvalue())) == 9


async def test_the_lines_of_a_day_with_every_kind_of_trouble_are_described(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers, streams, rejects, faults, a request sent elsewhere, an override, a reload, a drain."""
    answers = iter([503, 429, 400, 200, 200])

    async def provider(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        status = next(answers, 200)
        usage = {"prompt_tokens": 7, "completion_tokens": 5}
        error = {"error": {"message": "m", "type": "invalid_request_error", "code": "model_not_found"}}
        await reply.answer(
            status, JSON, json.dumps({"model": "gpt-x", "usage": usage} if status == 200 else error).encode()
        )

    async def streams(request: Request, reply: Reply) -> None:
        await reply.start(200, SSE)
        usage = {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 40}
        for kind, rest in (
            ("message_start", {"message": {"model": "claude-x", "usage": usage}}),
            ("content_block_delta", {"delta": {"text": "a"}}),
            ("error", {"error": {"type": "overloaded_error", "message": "m"}}),
        ):
            await reply.send(f"event: {kind}\ndata: {json.dumps({'type': kind, **rest})}\n\n".encode())
        await reply.end()

    await network.answer("openai", provider)
    await network.answer("anthropic", streams)
    tables = (
        ProviderTable(name="away", dialect="openai", base_url="http://away/v1"),
        ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1"),
    )
    options: dict[str, Any] = {
        "provider_tables": tables,
        "routes": (RouteTable(model="gpt-*", providers=("away", "openai")),),
        "log_format": "json",
        "circuit_breaker": True,
        "rate_limit": 100,
    }
    async with network.bridge(**options) as bridge:
        for _ in range(5):
            await bridge.client.post(CHAT, content=b"{}")
            await trio.sleep(0.3)
        await bridge.client.post(MESSAGES, content=b"{}")
        await bridge.client.post("/v1/chat/completions", content=b'{"model":"gpt-x"}')
        await bridge.client.post("/nothing/of/the/kind")
        await bridge.client.post("/copilot/chat/completions", content=b"{}")
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        await bridge.client.post(CHAT, content=b"{}")
        await bridge.admin.post("/reload")
        await trio.sleep(1)
    lines = lines_of(capsys.readouterr().err)
    requests = [line for line in lines if line["event"] == "request"]
    shown = ("status", "model", "tokens_in", "tokens_out", "attempts", "error_code")
    assert [tuple(line[key] for key in shown) for line in requests] == [
        (503, None, None, None, 1, "model_not_found"),
        (429, None, None, None, 1, "model_not_found"),
        (400, None, None, None, 1, "model_not_found"),
        (200, "gpt-x", 7, 5, 1, None),
        (200, "gpt-x", 7, 5, 1, None),
        (200, "claude-x", 43, 1, 1, "overloaded_error"),
        (200, "gpt-x", 7, 5, 2, None),
        (404, None, None, None, 0, None),
        (502, None, None, None, 1, None),
        (503, None, None, None, 0, None),
    ]
    assert {line["event"] for line in lines} >= {"request", "override", "breaker", "reload", "start"}
