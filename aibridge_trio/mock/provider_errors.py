"""The providers' error bodies: by status for a head, by code for an event.

OpenAI: https://platform.openai.com/docs/guides/error-codes. Anthropic: https://docs.anthropic.com/en/api/errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aibridge_trio.core.quota_headers import duration

if TYPE_CHECKING:
    from aibridge_trio.mock.capacity import Pushback
    from aibridge_trio.mock.turn import Json

TOO_MANY = 429

# code or status → type, code, message
_OPENAI: dict[str | int, tuple[str, str | None, str]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "insufficient_permissions", "You have insufficient permissions."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests. Please try again in 1s."),
    503: ("service_unavailable_error", "server_is_overloaded", "Our servers are currently overloaded."),
    "insufficient_quota": ("insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "slow_down": ("service_unavailable_error", "slow_down", "Slow down: reduce your request rate."),
    "server_error": (
        "server_error",
        "server_error",
        "The server had an error while processing your request.",
    ),
}
_OPENAI["rate_limit_exceeded"] = _OPENAI[429]
_OPENAI["server_is_overloaded"] = _OPENAI[529] = _OPENAI[503]

# status → type
_ANTHROPIC: dict[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_ANTHROPIC_SAYS = {
    "api_error": "Internal server error",
    "authentication_error": "invalid x-api-key",
    "overloaded_error": "Overloaded",
    "rate_limit_error": "This request would exceed your account's rate limit. Please try again later.",
    "timeout_error": "Request timed out",
}

# The status of an error code, for a response's head.
STATUS_OF = {
    "api_error": 500,
    "insufficient_quota": 429,
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "timeout_error": 504,
}


def is_retryable(status: int, code: str | None) -> bool:
    """Whether the provider sends Retry-After."""
    return status in (429, 503, 529) and code != "insufficient_quota"


def openai_error(
    cause: str | int, message: str | None = None, param: str | None = None, *, kind: str | None = None
) -> Json:
    """Return OpenAI's error body for a status or a code; an unknown one is named in the message."""
    usual, code, text = _OPENAI.get(cause) or _openai_other(cause)
    return {"error": {"message": message or text, "type": kind or usual, "param": param, "code": code}}


def anthropic_error(cause: str | int, request_id: str, message: str | None = None) -> Json:
    """Return Anthropic's error body for a status or a type."""
    kind = cause if isinstance(cause, str) else _anthropic_type(cause)
    text = message or _ANTHROPIC_SAYS.get(kind) or f"{kind} ({cause})"
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}


def openai_pushback(pushback: Pushback, model: str, tokens: int) -> Json:
    """Return OpenAI's error body for a request that is not taken."""
    if pushback.wait is None:
        return openai_error(pushback.status, "Too many requests at once." if pushback.status == TOO_MANY else None)
    unit = "RPM" if pushback.cause == "requests" else "TPM"
    asked = 1 if pushback.cause == "requests" else tokens
    message = (
        f"Rate limit reached for {model} on {pushback.cause} per min ({unit}): Limit {pushback.limit}, "
        f"Requested {asked}. Please try again in {duration(pushback.wait)}."
    )
    return openai_error(TOO_MANY, message, kind=pushback.cause)


def anthropic_pushback(pushback: Pushback, request_id: str) -> Json:
    """Return Anthropic's error body for a request that is not taken."""
    message = None
    if pushback.wait is not None:
        rate = f"{pushback.limit} {pushback.cause} per minute"
        message = f"This request would exceed your organization's rate limit of {rate}."
    elif pushback.status == TOO_MANY:
        message = "Number of concurrent connections has exceeded your rate limit. Please try again later."
    return anthropic_error(pushback.status, request_id, message)


def _openai_other(cause: str | int) -> tuple[str, str | None, str]:
    if isinstance(cause, str):
        return cause, cause, f"The request failed: {cause}."
    if cause >= 500:  # noqa: PLR2004 - the server's side
        return (
            "server_error",
            None,
            "The server had an error while processing your request. Sorry about that!",
        )
    return "invalid_request_error", None, f"The request was refused with status {cause}."


def _anthropic_type(status: int) -> str:
    return _ANTHROPIC.get(status) or ("api_error" if status >= 500 else "invalid_request_error")  # noqa: PLR2004 - the server's side
