"""What one request says of a provider's health: a status, a fault or an event in, a verdict out.

Failure   429, 503, 529; no connection, no head in time, an answer that broke or fell silent; an error event
          in a 200 stream that says "overloaded"; if asked for, a first byte that is late. Not: a 429 whose code
          says that waiting never helps.
Success   any other answer below 400, complete if unary, at its first content if streamed.
Neutral   all else: until proven otherwise, nobody is to blame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from aibridge_trio.errors import UpstreamFault


class Verdict(StrEnum):
    """What one request says of a provider's health."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


class Evidence(NamedTuple):
    """A verdict and what it rests on.

    `overload` if the provider itself spoke of overload; `quota` if it said that this key has asked for too much.
    """

    verdict: Verdict
    cause: str = ""
    overload: bool = False
    quota: bool = False


SUCCESS = Evidence(Verdict.SUCCESS)
NEUTRAL = Evidence(Verdict.NEUTRAL)

OVERLOAD_STATUSES = frozenset({429, 503, 529})
_TOO_MANY_REQUESTS = 429
ERRORS_FROM = 400

# Codes and types of error events in a stream whose status said 200.
# https://docs.anthropic.com/en/api/errors, https://platform.openai.com/docs/guides/error-codes
_OVERLOAD_CODES = frozenset(
    {"overloaded_error", "rate_limit_error", "server_is_overloaded", "rate_limit_exceeded", "slow_down"}
)
# Those of them that speak of the key's quota, as a 429 does, and not of everybody's trouble.
_QUOTA_CODES = frozenset({"rate_limit_error", "rate_limit_exceeded"})
# An error with one of these says that the account is out of money or at a limit somebody set for it: waiting
# never helps, and the provider is well. Anthropic tells in `error.details.error_code`.
# https://help.openai.com/en/articles/6614457, https://platform.claude.com/docs/en/api/rate-limits
_EXHAUSTED_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "organization_usage_limit_exceeded",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "enforced_spend_limit_reached",
    }
)


def of_head(status: int) -> Evidence | None:
    """Judge a status; None if the body has the last word (below 400, and 429)."""
    if status == _TOO_MANY_REQUESTS or status < ERRORS_FROM:
        return None
    return of_status(status)


def of_status(status: int) -> Evidence:
    """Judge an answer of which no more than its status can be known."""
    if status in OVERLOAD_STATUSES:
        return Evidence(Verdict.FAILURE, str(status), overload=True, quota=status == _TOO_MANY_REQUESTS)
    return SUCCESS if status < ERRORS_FROM else NEUTRAL


def of_body(status: int, document: Mapping[str, Any]) -> Evidence:
    """Judge a complete answer with what its body says; empty for a body that cannot be read."""
    if status == _TOO_MANY_REQUESTS and not _EXHAUSTED_CODES.isdisjoint(_codes(document)):
        return NEUTRAL
    return of_status(status)


def of_fault(fault: UpstreamFault) -> Evidence:
    """Judge what broke on the way; a shortage of our own says nothing of the provider."""
    return NEUTRAL if fault.neutral else Evidence(Verdict.FAILURE, fault.cause)


def of_slowness(seconds: float) -> Evidence:
    """Judge an answer whose first byte has not come for so long."""
    return Evidence(Verdict.FAILURE, f"no first byte in {seconds:g} s")


def of_event(name: str, document: Mapping[str, Any]) -> Evidence | None:
    """Judge one event of a 200 stream; None if it says nothing of the provider's health."""
    kind = document.get("type")
    if name == "error" or kind in ("error", "response.failed") or document.get("error"):
        codes = list(_codes(document))
        overload = next((code for code in codes if code in _OVERLOAD_CODES), None)
        if overload is None or not _EXHAUSTED_CODES.isdisjoint(codes):
            return NEUTRAL
        return Evidence(Verdict.FAILURE, overload, overload=True, quota=overload in _QUOTA_CODES)
    if not document or kind in _WITHOUT_CONTENT:
        return None
    return SUCCESS


# json.loads() looks for the encoding first; JSON between systems is UTF-8 (RFC 8259, 8.1).
_decode = json.JSONDecoder().decode

# No set: what a provider sends as a type need not be hashable.
_WITHOUT_CONTENT = ("ping", "message_start", "response.created", "response.queued", "response.in_progress")


def parse(data: bytes | bytearray) -> Mapping[str, Any]:
    """Read a JSON object; empty for whatever is none."""
    try:
        document = _decode(data.decode())
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _codes(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield every code and type that an error may stand under, in any of the dialects."""
    for place in (document, _object(document, "response")):
        error = _object(place, "error")
        for holder in (place, error, _object(error, "details")):
            for key in ("code", "type", "error_code"):
                if isinstance(code := holder.get(key), str):
                    yield code


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}
