from __future__ import annotations

import json

import pytest

from aibridge_trio.errors import (
    AtCapacity,
    BadRequest,
    BodyTooLarge,
    ForbiddenOrigin,
    NotFound,
    RateLimited,
    Reject,
)
from aibridge_trio.providers import Dialect, dialects


@pytest.mark.parametrize(
    ("reject", "openai", "anthropic"),
    [
        (AtCapacity(), "service_unavailable_error", "overloaded_error"),
        (RateLimited(1.0), "rate_limit_error", "rate_limit_error"),
        (NotFound("GET", "/x"), "invalid_request_error", "not_found_error"),
        (BodyTooLarge(1), "invalid_request_error", "request_too_large"),
        (BadRequest("why"), "invalid_request_error", "invalid_request_error"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_reject_is_an_error_of_the_dialect(reject: Reject, openai: str, anthropic: str) -> None:
    """Each dialect has its types; OpenAI's code is the reason, and both bodies have the request's id."""
    assert json.loads(dialects.openai(reject, b"req_1")) == {
        "message": reject.message,
        "error": {"message": reject.message, "type": openai, "param": None, "code": reject.reason},
        "request_id": "req_1",
    }
    assert json.loads(dialects.anthropic(reject, b"req_1")) == {
        "type": "error",
        "message": reject.message,
        "error": {"type": anthropic, "message": reject.message},
        "request_id": "req_1",
    }


@pytest.mark.parametrize("dialect", [dialects.openai, dialects.anthropic])
def test_a_reject_is_an_error_event_of_a_stream(dialect: Dialect) -> None:
    """One event of the type `error` with the dialect's error in it, and the code where there is one."""
    event = dialects.error_event(503, dialect(AtCapacity(), b"req_1"))
    name, _, data = event.partition(b"\ndata: ")
    document = json.loads(data)
    assert (name, event[-2:], document["type"]) == (b"event: error", b"\n\n", "error")
    assert document["error"]["message"] == AtCapacity().message
    assert document["code"] == ("capacity" if dialect is dialects.openai else None)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id":"1"}', b"\xff"])
def test_what_is_no_error_becomes_one_as_an_event(body: bytes) -> None:
    """Whatever a provider answers in place of a stream, its body is not passed on, but its status is."""
    document = json.loads(dialects.error_event(502, body).partition(b"data: ")[2])
    assert document["error"] == {"type": "api_error", "message": "the provider answered 502 in place of a stream"}


def test_a_kept_body_is_not_that_of_another_reject() -> None:
    """Neither of the same text with another status or reason, nor of a request with another id."""
    rejects = [BadRequest("x"), ForbiddenOrigin("x"), AtCapacity(), BadRequest("y"), BadRequest('"x"')]
    for _ in range(2):
        for reject in rejects:
            for request_id in (b"req_1", b'"\\}'):
                openai = json.loads(dialects.openai(reject, request_id))["error"]
                anthropic = json.loads(dialects.anthropic(reject, request_id))
                assert (openai["code"], openai["message"]) == (reject.reason, reject.message)
                assert anthropic["error"]["message"] == anthropic["message"] == reject.message
                assert anthropic["request_id"].encode() == request_id
