from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio import errors
from aibridge_trio.errors import Reject
from aibridge_trio.errors.usage_rejects import Whose
from aibridge_trio.providers import Dialect, dialects


@dataclass(frozen=True)
class Case:
    """A reject, and what the contract promises of it."""

    reject: Reject
    reason: str
    status: int
    message: str
    wait: float | None
    openai: str  # type
    anthropic: str  # type


VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
UNAVAILABLE = "service_unavailable_error"
INVALID = "invalid_request_error"
SERVER = "server_error"

WHOSE: list[tuple[Whose, float, str]] = [
    ("caller", 60.0, "You may use 9000 tokens in a minute, and too few are left for this request."),
    (
        "class",
        3600.0,
        "All callers of your class may use 9000 tokens in an hour, and too few are left for this request.",
    ),
    (
        "provider",
        1.0,
        "AI Bridge may use 9000 tokens in a second at azure, and too few are left for this request.",
    ),
    ("budget", 7.5, "What is left of your token budget is reserved by your running requests."),
]

CASES = [
    Case(
        errors.UnknownCaller("who is that?", sent=True),
        "unknown_caller",
        401,
        "who is that?",
        None,
        INVALID,
        "authentication_error",
    ),
    Case(
        errors.ModelNotAllowed("not yours"),
        "model_not_allowed",
        403,
        "not yours",
        None,
        INVALID,
        "permission_error",
    ),
    Case(
        errors.AtCapacity(),
        "capacity",
        503,
        "AI Bridge is currently at capacity. Please try again later.",
        1.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.CallerAtCapacity(5),
        "caller_capacity",
        429,
        "You have 5 requests in flight, as many as one caller may. Please wait.",
        1.0,
        "rate_limit_error",
        "rate_limit_error",
    ),
    Case(
        errors.ProviderAtCapacity("openai"),
        "provider_capacity",
        503,
        "AI Bridge is currently at its capacity for openai. Please try again later.",
        1.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.StoreUnavailable(),
        "store_unavailable",
        503,
        "AI Bridge cannot count its limits at the moment. Please try again later.",
        1.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.QueueFull(3.5),
        "queue_full",
        503,
        "AI Bridge is at capacity, and its queue is full. Please try again later.",
        3.5,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.QueueTimeout(10.0, 3.5),
        "queue_timeout",
        503,
        "AI Bridge is at capacity: no turn came in 10 s. Please try again later.",
        3.5,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.QueueDeadline(12.25, 10.0, 3.5),
        "queue_deadline",
        503,
        "AI Bridge is at capacity: a turn would come in about 12.2 s, after the 10 s that this request can wait. "
        "Please try again later.",
        3.5,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.HoldTimeout("openai", 300.0, 4.0),
        "hold_timeout",
        503,
        "openai did not take this request in 300 s. Please try again later.",
        4.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.LineFull("openai", 5.0),
        "line_full",
        503,
        "openai takes fewer requests than there are, and the line is full. Please try again later.",
        5.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.CannotHold("openai", 6.0),
        "cannot_hold",
        503,
        "openai takes no more requests now, and this one is too long to be held. Please try again later.",
        6.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.CircuitOpen("openai", "ramp", 2.0),
        "circuit_open",
        503,
        "openai is coming back from an outage and takes only some of the requests. Please try again later.",
        2.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.CredentialCooldown("openai", 20.0),
        "credential_cooldown",
        429,
        "openai has told your key to wait. Please try again later.",
        20.0,
        "rate_limit_error",
        "rate_limit_error",
    ),
    Case(
        errors.KeysResting("openai", 20.0),
        "keys_resting",
        503,
        "openai takes no more requests now with any of AI Bridge's keys. Please try again later.",
        20.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.RateLimited(0.25),
        "rate_limit",
        429,
        "You've been rate limited. Please try again later.",
        0.25,
        "rate_limit_error",
        "rate_limit_error",
    ),
    Case(
        errors.CircuitOpen("openai", "overload", 12.0),
        "circuit_open",
        503,
        "openai is currently unavailable due to upstream rate limiting. Please try again later.",
        12.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.CircuitOpen("copilot", "failures", 12.0),
        "circuit_open",
        503,
        "copilot is currently unavailable due to upstream failures. Please try again later.",
        12.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.CircuitOpen("anthropic", "operator", None),
        "circuit_open",
        503,
        "anthropic was taken out of service by its operator. Please try again later.",
        None,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.BufferFull(),
        "buffer_full",
        503,
        "AI Bridge has no memory left for request bodies. Please try again later.",
        1.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.BodyTooLarge(1024),
        "body_too_large",
        413,
        "request body larger than the limit of 1024 bytes",
        None,
        INVALID,
        "request_too_large",
    ),
    Case(
        errors.ForbiddenOrigin('a page of Origin "null" may not use this bridge'),
        "forbidden_origin",
        403,
        'a page of Origin "null" may not use this bridge',
        None,
        INVALID,
        "permission_error",
    ),
    Case(
        errors.NotFound("POST", "/openai/v1/files"),
        "not_found",
        404,
        "route not supported: POST /openai/v1/files",
        None,
        INVALID,
        "not_found_error",
    ),
    Case(
        errors.NotFound("GET", "/" + "x" * 300 + "\x1b", "the base URL is elsewhere"),
        "not_found",
        404,
        "route not supported: GET /" + "x" * 199 + "...; the base URL is elsewhere",
        None,
        INVALID,
        "not_found_error",
    ),
    Case(
        errors.StoredReference("file_id"),
        "stored_reference",
        403,
        "stored data may not be named with the central key: file_id (--no-stored-references)",
        None,
        INVALID,
        "permission_error",
    ),
    Case(
        errors.LoopDetected(),
        "loop_detected",
        508,
        "this request has been here before: a base URL leads back to AI Bridge",
        None,
        SERVER,
        "api_error",
    ),
    Case(
        errors.MethodNotAllowed("TRACE"),
        "method_not_allowed",
        405,
        "method not allowed: TRACE",
        None,
        INVALID,
        "invalid_request_error",
    ),
    Case(
        errors.UpgradeRefused(),
        "upgrade_refused",
        426,
        "WebSockets are not supported; use plain HTTP requests",
        None,
        INVALID,
        "invalid_request_error",
    ),
    Case(
        errors.BadRequest("empty credential header: X-Api-Key"),
        "bad_request",
        400,
        "empty credential header: X-Api-Key",
        None,
        INVALID,
        "invalid_request_error",
    ),
    Case(
        errors.UpstreamUnreachable("openai", "connect"),
        "upstream_unreachable",
        502,
        "openai could not be reached (phase: connect)",
        None,
        SERVER,
        "api_error",
    ),
    Case(
        errors.UpstreamTimeout("openai", "head"),
        "upstream_timeout",
        504,
        "openai did not begin to answer in time (phase: head)",
        None,
        SERVER,
        "timeout_error",
    ),
    Case(
        errors.ShuttingDown(),
        "shutting_down",
        503,
        "AI Bridge is shutting down. Please try again.",
        1.0,
        UNAVAILABLE,
        "overloaded_error",
    ),
    Case(
        errors.InternalError(),
        "internal_error",
        500,
        "AI Bridge failed to handle this request; its log has the details.",
        None,
        SERVER,
        "api_error",
    ),
    *(
        Case(
            errors.TokenLimited(whose, 2.5, amount=9000, span=span, provider="azure"),
            "token_limit",
            429,
            f"{text} Please try again later.",
            2.5,
            "rate_limit_error",
            "rate_limit_error",
        )
        for whose, span, text in WHOSE
    ),
    Case(
        errors.RateLimited(2.5, 0.0, "azure"),
        "rate_limit",
        429,
        "AI Bridge's requests to azure have been rate limited. Please try again later.",
        2.5,
        "rate_limit_error",
        "rate_limit_error",
    ),
    Case(
        errors.BudgetExhausted(1000, "day", "2026-12-01"),
        "budget_exhausted",
        403,
        "You have spent your budget of 1000 tokens for this day. The next one begins on 2026-12-01 at 00:00 UTC.",
        None,
        INVALID,
        "permission_error",
    ),
]
each = pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case.reason}" for n, case in enumerate(CASES)])


def headers(reject: Reject, jitter: float = 0.0) -> dict[bytes, bytes]:
    pairs = reject.headers(jitter)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_every_reject_is_here() -> None:
    """Each reason has a case in this file, and the list of reasons is complete."""
    assert {case.reason for case in CASES} == set(errors.REASONS)
    assert len(errors.REASONS) == len(set(errors.REASONS)) == len(Reject.__subclasses__())


@each
def test_status_message_and_wait(case: Case) -> None:
    """Every reject has the status, the message and the wait that the contract names."""
    assert (case.reject.reason, case.reject.status) == (case.reason, case.status)
    assert str(case.reject) == case.reject.message == case.message
    assert case.reject.wait == case.wait


@each
@pytest.mark.parametrize("jitter", [0.0, 0.125, 0.2])
def test_the_lines_are_those_that_the_headers_make(case: Case, jitter: float) -> None:
    """The template of a class, filled in, is what a list of headers would become."""
    assert case.reject.lines(jitter) == b"".join(b"%b: %b\r\n" % each for each in plain(case.reject, jitter))
    assert case.reject.headers(jitter) == plain(case.reject, jitter)


@pytest.mark.parametrize("wait", [0.0, 0.0004, 1.0, 59.9999, 60.0, 60.0001, 86400.0])
@pytest.mark.parametrize("spread", [None, 0.0, 0.75])
def test_the_lines_of_every_wait(wait: float, spread: float | None) -> None:
    """Rounded up, by milliseconds and by seconds."""
    reject = errors.RateLimited(wait, spread)
    assert reject.headers(0.1) == plain(reject, 0.1)


def plain(reject: Reject, jitter: float) -> list[tuple[bytes, bytes]]:
    """Return the headers of a reject one by one, as docs/reference.md has them."""
    pairs = [(b"content-type", b"application/json"), (b"x-aibridge-reject", reject.reason.encode())]
    if reject.closes:
        pairs.append((b"connection", b"close"))
    seconds = 0.0
    if reject.wait is not None:
        seconds = reject.wait * (1 + jitter) if reject.spread is None else reject.wait + reject.spread
        pairs.append((b"retry-after-ms", b"%d" % math.ceil(seconds * 1000)))
        pairs.append((b"retry-after", b"%d" % (math.ceil(seconds) or 1)))
    if reject.final or seconds > 60:
        pairs.append((b"x-should-retry", b"false"))
    more: dict[str, list[tuple[bytes, bytes]]] = {
        "method_not_allowed": [(b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")],
        "upgrade_refused": [(b"upgrade", b"HTTP/1.1"), (b"connection", b"upgrade")],
    }
    more["unknown_caller"] = [(b"www-authenticate", b'Bearer realm="AI Bridge", error="invalid_token"')]
    return pairs + more.get(reject.reason, [])


@each
def test_openai_bodies(case: Case) -> None:
    """OpenAI's SDKs find message, type, param and code, the reason, in `error`; others a message at the top."""
    assert json.loads(dialects.openai(case.reject, b"req_1")) == {
        "message": case.message,
        "error": {"message": case.message, "type": case.openai, "param": None, "code": case.reason},
        "request_id": "req_1",
    }


@each
def test_anthropic_bodies(case: Case) -> None:
    """Anthropic's SDKs find type and message in `error`, beside the request's id and a message at the top."""
    assert json.loads(dialects.anthropic(case.reject, b"req_1")) == {
        "type": "error",
        "message": case.message,
        "error": {"type": case.anthropic, "message": case.message},
        "request_id": "req_1",
    }


@each
def test_every_reject_says_why(case: Case) -> None:
    """Each reject has its reason and content type as headers; only `shutting_down` closes the connection."""
    sent = headers(case.reject)
    assert sent[b"x-aibridge-reject"] == case.reason.encode()
    assert sent[b"content-type"] == b"application/json"
    assert (sent.get(b"connection") == b"close") == (case.reason == "shutting_down")


@each
def test_retry_headers_stand_where_waiting_helps(case: Case) -> None:
    """Both Retry-After headers are sent if waiting helps, neither otherwise."""
    sent = headers(case.reject)
    assert (b"retry-after" in sent) == (b"retry-after-ms" in sent) == (case.wait is not None)


@each
def test_sdks_do_not_retry_what_would_be_rejected_again(case: Case) -> None:
    """`x-should-retry: false` is sent where a retry would get the same reject, and nowhere else."""
    forced = case.reason == "circuit_open" and case.wait is None
    refused = case.status in (400, 401, 403, 404, 405, 413, 426, 508)
    assert headers(case.reject).get(b"x-should-retry") == (b"false" if forced or refused else None)


def test_a_rate_limits_spread_replaces_the_jitter() -> None:
    """A rate limit's spread replaces the jitter, which would reorder the waits of one caller."""
    sent = headers(errors.RateLimited(7.0, 0.125), 0.2)
    assert (int(sent[b"retry-after-ms"]), int(sent[b"retry-after"])) == (7125, 8)


@pytest.mark.parametrize("dialect", [dialects.openai, dialects.anthropic])
@given(path=st.text(max_size=30), request_id=st.text(VISIBLE, max_size=20))
def test_bodies_are_json_whatever_the_path(dialect: Dialect, path: str, request_id: str) -> None:
    """No text from a caller makes a body invalid JSON or unprintable."""
    body: dict[str, Any] = json.loads(dialect(errors.NotFound("GET", path), request_id.encode()))
    assert body["message"].startswith("route not supported: GET ")
    assert body["message"].isprintable()


@pytest.mark.parametrize("phase", ["connect", "head", "stream"])
def test_each_phase_has_its_text(phase: errors.Phase) -> None:
    """Faults and rejects name their phase, and a timeout has another text than a broken connection."""
    broken, silent = (errors.UpstreamFault(phase, "x", timeout=timeout).cause for timeout in (False, True))
    assert broken != silent
    for kind in (errors.UpstreamUnreachable, errors.UpstreamTimeout):
        assert str(kind("openai", phase)).endswith(f"(phase: {phase})")
