"""Rejects in the providers' error formats, so that each SDK raises the exception class that its user expects."""

from __future__ import annotations

import json
from functools import lru_cache

from aibridge_trio.errors import Reject

# https://platform.openai.com/docs/guides/error-codes/api-errors
_OPENAI: dict[int, str] = {
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "service_unavailable_error",
    504: "server_error",
    508: "server_error",
}
# https://docs.anthropic.com/en/api/errors
_ANTHROPIC: dict[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    508: "api_error",
}


# Bodies that are kept: most rejects of a time are the same.
_KEPT = 256

_encode = json.JSONEncoder(check_circular=False).encode


def openai(reject: Reject, request_id: bytes) -> bytes:
    """Return the reject as an OpenAI error; its code is the reason, and the request's id stands beside it.

    It is not one of OpenAI's codes: Codex shows `server_is_overloaded` as "Selected model is at capacity" and
    hides the message.
    """
    return b"%b%b}" % (_openai(reject.status, reject.reason, reject.message), _quoted(request_id))


def anthropic(reject: Reject, request_id: bytes) -> bytes:
    """Return the reject as an Anthropic error."""
    return b"%b%b}" % (_anthropic(reject.status, reject.message), _quoted(request_id))


def _quoted(request_id: bytes) -> bytes:
    return _encode(request_id.decode("ascii")).encode()


@lru_cache(_KEPT)
def _openai(status: int, reason: str, message: str) -> bytes:
    """Return the beginning of the body, up to the request's id."""
    error = {
        "message": message,
        "type": _OPENAI.get(status, "invalid_request_error"),
        "param": None,
        "code": reason,
    }
    document = {"message": message, "error": error, "request_id": ""}
    return _encode(document).encode().removesuffix(b'""}')


@lru_cache(_KEPT)
def _anthropic(status: int, message: str) -> bytes:
    """Return the beginning of the body, up to the request's id."""
    error = {"type": _ANTHROPIC.get(status, "invalid_request_error"), "message": message}
    document = {"type": "error", "message": message, "error": error, "request_id": ""}
    return _encode(document).encode().removesuffix(b'""}')


def error_event(status: int, body: bytes) -> bytes:
    """Return an error as the event of a stream: a reject's body, or a provider's answer with this status.

    Every dialect reads it: Anthropic's and the Responses' have the type `error`, chats the member `error`.
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "error" not in document:
        message = f"the provider answered {status} in place of a stream"
        document = {"message": message, "error": {"type": "api_error", "message": message}}
    error = document["error"]
    code = error.get("code") if isinstance(error, dict) else None
    return b"event: error\ndata: " + _encode({"type": "error", "code": code, **document}).encode() + b"\n\n"
