from __future__ import annotations

import json

import pytest

from aibridge_trio.errors import AtCapacity, BadRequest, BodyTooLarge, NotFound, RateLimited, Reject
from aibridge_trio.providers import dialects


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
    """Each dialect has its types; OpenAI's code is the reason, Anthropic's body has the request id."""
    assert json.loads(dialects.openai(reject, "req_1")) == {
        "message": reject.message,
        "error": {"message": reject.message, "type": openai, "param": None, "code": reject.reason},
    }
    assert json.loads(dialects.anthropic(reject, "req_1")) == {
        "type": "error",
        "message": reject.message,
        "error": {"type": anthropic, "message": reject.message},
        "request_id": "req_1",
    }
