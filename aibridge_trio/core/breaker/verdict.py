"""What one request says of a provider's health: a status, a fault or an event in, a verdict out.

Failure   429, 503, 529; no connection, no head in time, an answer that broke or fell silent; an error in the body
          of a 200 that says "overloaded", or one of these statuses; if asked for, a first byte that is late. Not:
          a 429 whose code says that waiting never helps.
Success   any other answer below 400, complete if unary, at its first content if streamed.
Neutral   all else: until proven otherwise, nobody is to blame.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from aibridge_trio.core.breaker import provider_error
from aibridge_trio.core.breaker.provider_error import OVERLOAD_STATUSES, TOO_MANY_REQUESTS
from aibridge_trio.errors import UpstreamFault


class Verdict(StrEnum):
    """What one request says of a provider's health."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


class Evidence(NamedTuple):
    """A verdict and what it rests on.

    `overload` if the provider itself spoke of overload; `quota` if it said that this key has asked for too much;
    `own` if it may be the doing of its caller alone, whatever key goes up.
    """

    verdict: Verdict
    cause: str = ""
    overload: bool = False
    quota: bool = False
    own: bool = False


SUCCESS = Evidence(Verdict.SUCCESS)
NEUTRAL = Evidence(Verdict.NEUTRAL)

ERRORS_FROM = 400


def of_head(status: int) -> Evidence | None:
    """Judge a status; None if the body has the last word (below 400, and 429)."""
    if status == TOO_MANY_REQUESTS or status < ERRORS_FROM:
        return None
    return of_status(status)


def of_status(status: int) -> Evidence:
    """Judge an answer of which no more than its status can be known."""
    if status in OVERLOAD_STATUSES:
        return Evidence(Verdict.FAILURE, str(status), overload=True, quota=status == TOO_MANY_REQUESTS)
    return SUCCESS if status < ERRORS_FROM else NEUTRAL


def on_own_key(evidence: Evidence) -> Evidence:
    """Judge a request that went up with its caller's own key: being told to wait may be that caller's doing."""
    return evidence._replace(own=True) if evidence.quota else evidence


def of_body(status: int, document: Mapping[str, Any]) -> Evidence:
    """Judge a complete answer with what its body says; empty for a body that cannot be read.

    Some compatible providers answer 200 with nothing but an error in the body: that counts as in a stream.
    """
    if status == TOO_MANY_REQUESTS and provider_error.is_exhausted(document):
        return NEUTRAL
    if status < ERRORS_FROM and provider_error.is_error(document):
        return _of_error(document)
    return of_status(status)


def of_fault(fault: UpstreamFault) -> Evidence:
    """Judge what broke on the way; a shortage of our own says nothing of the provider."""
    if fault.neutral:
        return NEUTRAL
    # How long a provider thinks, before its answer and in it, depends on what it was asked.
    own = fault.timeout and fault.phase != "connect"
    return Evidence(Verdict.FAILURE, fault.cause, own=own)


def of_slowness(seconds: float) -> Evidence:
    """Judge an answer whose first byte has not come for so long."""
    return Evidence(Verdict.FAILURE, f"no first byte in {seconds:g} s", own=True)


def of_event(name: str, document: Mapping[str, Any]) -> Evidence | None:
    """Judge one event of a 200 stream; None if it says nothing of the provider's health."""
    if name == "error" or provider_error.is_error(document):
        return _of_error(document)
    if not document or document.get("type") in _WITHOUT_CONTENT:
        return None
    return SUCCESS


def _of_error(document: Mapping[str, Any]) -> Evidence:
    """Judge an error in a body as its status would be in an answer's head."""
    said = provider_error.overload(document)
    if said is None or provider_error.is_exhausted(document):
        return NEUTRAL
    return Evidence(Verdict.FAILURE, said.code, overload=True, quota=said.quota)


def is_last(name: str, document: Mapping[str, Any]) -> bool:
    """Tell whether an event is the last of its stream; `[DONE]`, the last of a chat's, is no document."""
    kind = document.get("type")
    return name in LAST or (isinstance(kind, str) and kind in LAST) or bool(document.get("error"))


# json.loads() looks for the encoding first; JSON between systems is UTF-8 (RFC 8259, 8.1).
_decode = json.JSONDecoder().decode

# What ends a stream of Messages or Responses, an error in any dialect included.
# https://docs.anthropic.com/en/api/messages-streaming, https://platform.openai.com/docs/api-reference/responses-streaming
LAST = frozenset({"message_stop", "response.completed", "response.incomplete", "response.failed", "error"})
# No set: what a provider sends as a type need not be hashable.
_WITHOUT_CONTENT = ("ping", "message_start", "response.created", "response.queued", "response.in_progress")


def parse(data: bytes | bytearray) -> Mapping[str, Any]:
    """Read a JSON object, or the first of a list, as Gemini sends errors; empty for whatever is none."""
    try:
        document = _decode(data.decode())
    except (ValueError, RecursionError):
        return {}
    if isinstance(document, list) and document:
        document = document[0]
    return document if isinstance(document, dict) else {}
