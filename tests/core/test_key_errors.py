"""What providers' errors say of a key: their own words, as recorded or documented."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.key_errors import STATUSES, KeyFault, of_answer

OPENAI_SCOPES = (
    "You have insufficient permissions for this operation. Missing scopes: api.responses.write. Check …"
)
SAID: list[tuple[str, int, dict[str, Any], KeyFault | None]] = [
    ("openai: rate", 429, {"error": {"code": "rate_limit_exceeded"}}, KeyFault.RATE),
    ("openai: quota", 429, {"error": {"code": "insufficient_quota"}}, KeyFault.SPENT),
    ("anthropic: rate", 429, {"type": "error", "error": {"type": "rate_limit_error"}}, KeyFault.RATE),
    (
        "anthropic: credit",
        400,
        {"error": {"type": "invalid_request_error", "details": {"error_code": "credit_balance_exhausted"}}},
        KeyFault.SPENT,
    ),
    ("openrouter, deepseek: no credit", 402, {"error": {"code": 402, "message": "…"}}, KeyFault.SPENT),
    ("a 429 without a word", 429, {}, KeyFault.RATE),
    ("openai: key", 401, {"error": {"code": "invalid_api_key"}}, KeyFault.INVALID),
    (
        "anthropic: key",
        401,
        {"error": {"type": "authentication_error", "message": "invalid x-api-key"}},
        KeyFault.INVALID,
    ),
    ("azure: key", 401, {"error": {"code": "401", "message": "Access denied due to invalid …"}}, KeyFault.INVALID),
    ("a 401 without a word", 401, {}, KeyFault.INVALID),
    ("openai: scopes", 401, {"error": {"message": OPENAI_SCOPES, "type": "invalid_request_error"}}, None),
    ("azure: role", 401, {"error": {"code": "PermissionDenied", "message": "…"}}, None),
    (
        "gemini: key",
        400,
        {"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}},
        KeyFault.INVALID,
    ),
    (
        "bedrock: key",
        403,
        {"Message": "Authentication failed: Please make sure your API Key is valid."},
        KeyFault.INVALID,
    ),
    (
        "bedrock: token",
        403,
        {"message": "The security token included in the request is invalid"},
        KeyFault.INVALID,
    ),
    ("anthropic: permission", 403, {"error": {"type": "permission_error", "message": "…"}}, None),
    ("openai: country", 403, {"error": {"code": "unsupported_country_region_territory"}}, None),
    ("a 403 of a wall before the provider", 403, {}, None),
    ("a bad request", 400, {"error": {"type": "invalid_request_error", "message": "max_tokens"}}, None),
    ("a request that quotes it", 400, {"error": {"message": "you wrote: API_KEY_INVALID"}}, None),
    ("not found", 404, {"error": {"code": "invalid_api_key"}}, None),
    ("overloaded", 529, {"error": {"code": "invalid_api_key"}}, None),
    ("an answer", 200, {"error": {"code": "invalid_api_key"}}, None),
]


@pytest.mark.parametrize(
    ("status", "document", "fault"), [each[1:] for each in SAID], ids=[each[0] for each in SAID]
)
def test_what_providers_say(status: int, document: dict[str, Any], fault: KeyFault | None) -> None:
    """Of a rate, of a spent quota, or that the key is not accepted; all else is about the request."""
    assert of_answer(status, document) is fault


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "details", "code", "message", "reason"]), each, max_size=4)
    ),
)


@given(
    st.sampled_from(sorted(STATUSES)),
    st.dictionaries(st.sampled_from(["error", "errors", "code", "choices"]), JSON),
)
def test_any_shape_is_read(status: int, document: dict[str, Any]) -> None:
    """No document raises, and a 429 always concerns its key."""
    fault = of_answer(status, document)
    assert fault is not None or status != 429
