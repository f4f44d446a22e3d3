from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence, Verdict
from aibridge_trio.errors import Phase, UpstreamFault

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "error",
                    "response",
                    "code",
                    "details",
                    "metadata",
                    "status",
                    "finish_reason",
                    "message",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
documents = st.dictionaries(
    st.sampled_from(["type", "error", "response", "code", "choices", "object", "usage"]), json_values, max_size=4
)


@pytest.mark.parametrize("status", [429, 503, 529])
def test_overload_statuses_are_failures(status: int) -> None:
    """429, 503 and 529 are failures that mean overload."""
    assert verdict.of_status(status) == Evidence(Verdict.FAILURE, str(status), overload=True, quota=status == 429)


@given(st.integers(400, 599).filter(lambda status: status not in {429, 503, 529}))
@example(400)
@example(401)
@example(403)
@example(404)
@example(500)
@example(502)
@example(504)
def test_all_other_error_statuses_are_neutral(status: int) -> None:
    """400, 401, 403, 404, 500, 502 and every other status from 400 on are neutral, body or not."""
    neutral = verdict.EXHAUSTED if status == 402 else NEUTRAL
    assert neutral.verdict is Verdict.NEUTRAL
    assert verdict.of_status(status) is neutral
    assert verdict.of_head(status) is neutral
    assert verdict.of_body(status, verdict.parse(b'{"error":{"code":"rate_limit_exceeded"}}')) is neutral


@given(st.integers(200, 399))
def test_statuses_below_400_are_successes_when_complete(status: int) -> None:
    """Any other answer below 400 is a success, once it is complete."""
    assert verdict.of_head(status) is None
    assert verdict.of_body(status, verdict.parse(b"whatever")) == SUCCESS


@pytest.mark.parametrize("status", [503, 529])
def test_an_overload_head_is_enough(status: int) -> None:
    """503 and 529 are judged by their heads."""
    evidence = verdict.of_head(status)
    assert evidence is not None
    assert evidence.verdict is Verdict.FAILURE


def test_the_head_of_a_429_is_not_enough() -> None:
    """A 429 is judged by its body, whose code may mean that waiting does not help."""
    assert verdict.of_head(429) is None


EXHAUSTED = [
    {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "message": "…", "param": None}},
    {"error": {"type": "insufficient_quota"}},
    {"error": {"code": "credit_balance_exhausted"}},
    {"error": {"code": "billing_hard_limit_reached"}},
    {"error": {"code": "organization_spend_limit_exceeded"}},
    {"error": {"code": "project_spend_limit_exceeded"}},
    {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "message": "…",
            "details": {"error_code": "enforced_spend_limit_reached"},
        },
        "request_id": "req_1",
    },
]


@pytest.mark.parametrize("document", EXHAUSTED)
def test_429_of_an_exhausted_account_is_neutral(document: dict[str, Any]) -> None:
    """A 429 whose code means that waiting does not help is neutral."""
    assert verdict.of_body(429, verdict.parse(json.dumps(document).encode())) is verdict.EXHAUSTED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"slow down",
        b"\xff\xfe",
        b"[]",
        b'{"error":null}',
        b'{"error":{"code":"rate_limit_exceeded","type":"tokens"}}',
        b'{"error":{"code":null,"type":"requests"}}',
        b'{"type":"error","error":{"type":"rate_limit_error","message":"insufficient_quota"}}',
        b'{"error":{"code":["insufficient_quota"]}}',
        b'{"error":{"code":"insufficient_quota"',
    ],
)
def test_any_other_429_is_a_failure(body: bytes) -> None:
    """Every other 429 is a failure, also with an unreadable body; text in a message is no code."""
    assert verdict.of_body(429, verdict.parse(body)).verdict is Verdict.FAILURE


@pytest.mark.parametrize("phase", get_args(Phase))
@pytest.mark.parametrize("timeout", [False, True])
def test_faults_are_failures(phase: Phase, timeout: bool) -> None:
    """No connection, no head in time, an answer broken or silent: all are failures, none is overload."""
    evidence = verdict.of_fault(UpstreamFault(phase, "detail", timeout=timeout))
    assert evidence.verdict is Verdict.FAILURE
    assert not evidence.overload
    assert evidence.cause


OVERLOAD_CODES = [
    "overloaded_error",
    "rate_limit_error",
    "server_is_overloaded",
    "rate_limit_exceeded",
    "slow_down",
]


def shapes(code: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return an error event with this code as each dialect writes it: (event name, document)."""
    return {
        "messages": ("error", {"type": "error", "error": {"type": code, "message": "…"}, "request_id": "r"}),
        "chat": ("", {"error": {"message": "…", "type": "x", "param": None, "code": code}}),
        "chat-type": ("", {"error": {"message": "…", "type": code, "param": None, "code": None}}),
        "responses-error": (
            "error",
            {"type": "error", "code": code, "message": "…", "param": None, "sequence_number": 1},
        ),
        "responses-nested": ("error", {"type": "error", "error": {"type": "x", "code": code, "message": "…"}}),
        "responses-failed": (
            "response.failed",
            {
                "type": "response.failed",
                "response": {"status": "failed", "error": {"code": code, "message": "…"}},
            },
        ),
    }


SHAPES = list(shapes(""))


@pytest.mark.parametrize("code", OVERLOAD_CODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_overload_events_are_failures(code: str, shape: str) -> None:
    """Each code of overload, in each dialect's shape, is a failure that names it."""
    quota = code in {"rate_limit_error", "rate_limit_exceeded"}
    assert verdict.of_event(*shapes(code)[shape]) == Evidence(Verdict.FAILURE, code, overload=True, quota=quota)


@pytest.mark.parametrize(
    "code", ["api_error", "server_error", "invalid_prompt", "invalid_request_error", "insufficient_quota", ""]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_other_error_events_are_neutral(code: str, shape: str) -> None:
    """Any other error in a stream is neutral."""
    neutral = verdict.EXHAUSTED if code == "insufficient_quota" else NEUTRAL
    assert verdict.of_event(*shapes(code)[shape]) is neutral


def test_an_exhausted_account_in_a_stream_is_neutral() -> None:
    """An overload type whose details say that waiting never helps is neutral in a stream, too."""
    document = {
        "type": "error",
        "error": {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}},
    }
    assert verdict.of_event("error", document) is verdict.EXHAUSTED


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("ping", {"type": "ping"}),
        ("message_start", {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1}}}),
        ("response.created", {"type": "response.created", "response": {"error": None}}),
        ("response.in_progress", {"type": "response.in_progress", "response": {"error": None}}),
        ("response.queued", {"type": "response.queued"}),
        ("", {}),
    ],
)
def test_events_without_content_say_nothing(name: str, document: dict[str, Any]) -> None:
    """Pings, announcements and unreadable events are no evidence."""
    assert verdict.of_event(name, document) is None


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("", {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "Hi"}}]}),
        ("", {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "Hi"}}], "error": None}),
        ("content_block_start", {"type": "content_block_start", "content_block": {"type": "text"}}),
        ("content_block_delta", {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}),
        ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "Hi"}),
        ("response.completed", {"type": "response.completed", "response": {"error": None}}),
    ],
)
def test_content_is_a_success(name: str, document: dict[str, Any]) -> None:
    """The first event with content is a success; `error: null` is no error."""
    assert verdict.of_event(name, document) is SUCCESS


@given(st.text(max_size=10) | st.sampled_from(["error", "ping"]), documents)
@example("", {"type": []})
@example("", {"type": {}})
@example("error", {"error": {"code": {}, "details": []}})
@example("", {"error": 1})
@example("", {"error": {"code": 10**4000, "status": float("nan"), "type": float("inf")}})
@example("", {"choices": [{"error": {"code": {}}}]})
@example("", {"choices": [[]], "object": []})
def test_no_document_makes_it_raise(name: str, document: dict[str, Any]) -> None:
    """Whatever types a provider puts where, an event yields evidence or none, never an exception."""
    assert isinstance(verdict.of_event(name, document), Evidence | None)
    assert isinstance(verdict.of_body(200, document), Evidence)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 200_000)
@example(b'{"a":' * 200_000)
@example(b'{"error":{"code":' + b"9" * 100_000 + b"}}")
@example(b'{"error":"\\ud800"}')
@example(b"NaN")
@example(b"\xff\xfe\x00")
def test_no_bytes_make_it_raise(data: bytes) -> None:
    """Deep nesting, huge numbers, broken encodings: what cannot be read is an empty object."""
    assert isinstance(verdict.parse(data), dict)
    assert verdict.of_body(429, verdict.parse(data)).verdict in {Verdict.FAILURE, Verdict.NEUTRAL}


def test_slowness_is_a_failure_of_no_key() -> None:
    """A late first byte is a failure, but no overload of the provider and no quota of a key."""
    assert verdict.of_slowness(2.5) == Evidence(Verdict.FAILURE, "no first byte in 2.5 s", caller_related=True)


@pytest.mark.parametrize("phase", get_args(Phase))
@pytest.mark.parametrize("timeout", [False, True])
def test_long_waits_may_be_their_callers_own_doing(phase: Phase, timeout: bool) -> None:
    """A timeout after connecting is caller-related, as it depends on the question; other faults are not."""
    evidence = verdict.of_fault(UpstreamFault(phase, "detail", timeout=timeout))
    assert evidence.caller_related is (timeout and phase != "connect")


@pytest.mark.parametrize(("status", "own"), [(429, True), (503, False), (529, False), (200, False), (400, False)])
def test_only_a_429_is_of_its_key(status: int, own: bool) -> None:
    """With a caller's own key only a 429 is caller-related."""
    assert verdict.of_status(status).caller_related is False
    assert verdict.on_own_key(verdict.of_status(status)).caller_related is own


def test_which_events_open_a_stream() -> None:
    """Those before any content; a ping is none, because callers use it to see that the stream lives."""
    opening = ("message_start", "response.created", "response.queued", "response.in_progress")
    assert all(verdict.is_preamble({"type": kind}) for kind in opening)
    others: list[dict[str, Any]] = [{"type": "ping"}, {"type": "error"}, {"type": ["message_start"]}, {}]
    assert not any(verdict.is_preamble(document) for document in others)
