"""The verdict of one attempt: evidence of the provider's health from a status, a fault, a body or an event.

Failure   429, 503, 529; no connection; no response head in time; an answer that breaks or stalls; an error in the
          body of a 200 that means overload, or has one of these statuses; if configured, a late first byte. Not: a
          429 whose code says that waiting does not help.
Success   any other answer below 400: a unary one when it is complete, a streamed one at its first content.
Neutral   everything else: it does not show whether the provider or the caller caused it.
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
    """What one attempt shows of the provider's health."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


class Evidence(NamedTuple):
    """A verdict and its cause in a few words.

    `overload`: the provider itself reported an overload. `quota`: it reported that this key has made too many
    requests. `caller_related`: the caller may have caused it, whichever key was used. `retry_after`: the seconds
    after which the error itself asks to come back, None if it does not say; headers may say so, too.
    """

    verdict: Verdict
    cause: str = ""
    overload: bool = False
    quota: bool = False
    caller_related: bool = False
    retry_after: float | None = None


SUCCESS = Evidence(Verdict.SUCCESS)
NEUTRAL = Evidence(Verdict.NEUTRAL)
# The account has no credit left: waiting does not help, and the provider is healthy.
EXHAUSTED = Evidence(Verdict.NEUTRAL, "no credit left")

ERRORS_FROM = 400
_PAYMENT_REQUIRED = 402


def of_head(status: int) -> Evidence | None:
    """Judge a status; None if the body decides (below 400, and 429)."""
    if status == TOO_MANY_REQUESTS or status < ERRORS_FROM:
        return None
    return of_status(status)


def of_status(status: int) -> Evidence:
    """Judge an answer by its status alone."""
    if status in OVERLOAD_STATUSES:
        return Evidence(Verdict.FAILURE, str(status), overload=True, quota=status == TOO_MANY_REQUESTS)
    if status < ERRORS_FROM:
        return SUCCESS
    return EXHAUSTED if status == _PAYMENT_REQUIRED else NEUTRAL


def on_own_key(evidence: Evidence) -> Evidence:
    """Return the evidence of a request with its caller's own key: a quota failure is caller-related."""
    return evidence._replace(caller_related=True) if evidence.quota else evidence


def of_body(status: int, document: Mapping[str, Any]) -> Evidence:
    """Judge a complete answer by its status and its body; an empty `document` is a body that is no JSON object.

    Some compatible providers answer 200 with an error in the body: it is judged like an error in a stream.
    """
    if status == TOO_MANY_REQUESTS and provider_error.is_exhausted(document):
        return EXHAUSTED
    if status < ERRORS_FROM:
        return _of_error(document) if provider_error.is_error(document) else SUCCESS
    evidence = of_status(status)
    if evidence.overload and (delay := provider_error.retry_delay(document)) is not None:
        return evidence._replace(retry_after=delay)
    return evidence


def of_fault(fault: UpstreamFault) -> Evidence:
    """Judge a fault on the way to or from the provider; a shortage of the bridge's own is neutral."""
    if fault.neutral:
        return NEUTRAL
    # How long a provider takes, before its answer and within it, depends on the question.
    caller_related = fault.timeout and fault.phase != "connect"
    return Evidence(Verdict.FAILURE, fault.cause, caller_related=caller_related)


def of_slowness(seconds: float) -> Evidence:
    """Judge an answer whose first byte has not come within this time."""
    return Evidence(Verdict.FAILURE, f"no first byte in {seconds:g} s", caller_related=True)


def of_event(name: str, document: Mapping[str, Any]) -> Evidence | None:
    """Judge one event of a 200 stream; None if it shows nothing of the provider's health."""
    if name == "error" or provider_error.is_error(document):
        return _of_error(document)
    if not document or document.get("type") in _WITHOUT_CONTENT:
        return None
    return SUCCESS


def is_preamble(document: Mapping[str, Any]) -> bool:
    """Return whether an event opens a stream, before its content: no caller waits for it."""
    return document.get("type") in _PREAMBLE


def _of_error(document: Mapping[str, Any]) -> Evidence:
    """Judge an error in a body like the status that it would have in the head."""
    if provider_error.is_exhausted(document):
        return EXHAUSTED
    overload = provider_error.overload(document)
    if overload is None:
        return NEUTRAL
    delay = provider_error.retry_delay(document)
    return Evidence(Verdict.FAILURE, overload.code, overload=True, quota=overload.quota, retry_after=delay)


def is_last(name: str, document: Mapping[str, Any]) -> bool:
    """Return whether an event is the last of its stream; a chat's last, `[DONE]`, is not JSON and not covered."""
    kind = document.get("type")
    return name in LAST or (isinstance(kind, str) and kind in LAST) or bool(document.get("error"))


# json.loads() detects the encoding first; JSON between systems is UTF-8 (RFC 8259, 8.1).
_decode = json.JSONDecoder().raw_decode
_SPACES = " \t\n\r"

# What ends a stream of Messages or Responses, an error in any dialect included.
# https://docs.anthropic.com/en/api/messages-streaming,
# https://platform.openai.com/docs/api-reference/responses-streaming
LAST = frozenset({"message_stop", "response.completed", "response.incomplete", "response.failed", "error"})
# A tuple, not a set: a provider may send a type that is not hashable.
_PREAMBLE = ("message_start", "response.created", "response.queued", "response.in_progress")
_WITHOUT_CONTENT = ("ping", *_PREAMBLE)


def parse(data: bytes | bytearray) -> Mapping[str, Any]:
    """Parse a JSON object, or the first of a list (Gemini sends errors so); empty for anything else."""
    try:
        text = data.decode().strip(_SPACES)
        document, end = _decode(text)
    except (ValueError, RecursionError):
        return {}
    if end != len(text):
        return {}
    if type(document) is list and document:
        document = document[0]
    return document if type(document) is dict else {}
