"""Errors, as the SDKs raise them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from tests.support.mock_provider import Provider

if TYPE_CHECKING:
    pass
from tests.mock.test_mock_sdks import ASK, claude, fresh, gpt, provider

__all__ = ["claude", "fresh", "gpt", "provider"]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, openai.AuthenticationError, "invalid_api_key"),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, None),
        (503, openai.InternalServerError, "server_is_overloaded"),
    ],
)
def test_openais_errors_have_their_class_and_code(
    provider: Provider, gpt: openai.OpenAI, status: int, kind: type[openai.APIStatusError], code: str | None
) -> None:
    """An OpenAI error is of the SDK's class for its status and carries the provider's code."""
    provider.script({"status": status})
    with pytest.raises(kind) as caught:
        gpt.chat.completions.create(model="m", messages=ASK)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.request_id
    assert caught.value.response.headers.get("retry-after") == ("1" if status in (429, 503) else None)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, anthropic.AuthenticationError, "authentication_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_anthropics_errors_have_their_class_and_type(
    provider: Provider,
    claude: anthropic.Anthropic,
    status: int,
    kind: type[anthropic.APIStatusError],
    code: str,
) -> None:
    """An Anthropic error is of the SDK's class for its status and carries the provider's type."""
    provider.script({"status": status})
    with pytest.raises(kind) as caught:
        claude.messages.create(model="m", max_tokens=64, messages=ASK)
    body: Any = caught.value.body
    assert (caught.value.status_code, body["error"]["type"]) == (status, code)
    assert caught.value.request_id == body["request_id"]
