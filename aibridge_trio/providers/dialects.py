"""Rejects in the providers' error formats, so that each SDK raises the exception class that its user expects."""

from __future__ import annotations

import json

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


_encode = json.JSONEncoder(check_circular=False).encode


def openai(reject: Reject, request_id: str) -> bytes:  # noqa: ARG001 - OpenAI's body has no place for it
    """Return the reject as an OpenAI error; its code is the reason.

    It is not one of OpenAI's codes: Codex shows `server_is_overloaded` as "Selected model is at capacity" and
    hides the message.
    """
    kind = _OPENAI.get(reject.status, "invalid_request_error")
    error = {"message": reject.message, "type": kind, "param": None, "code": reject.reason}
    return _encode({"message": reject.message, "error": error}).encode()


def anthropic(reject: Reject, request_id: str) -> bytes:
    """Return the reject as an Anthropic error."""
    error = {"type": _ANTHROPIC.get(reject.status, "invalid_request_error"), "message": reject.message}
    document = {"type": "error", "message": reject.message, "error": error, "request_id": request_id}
    return _encode(document).encode()


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
