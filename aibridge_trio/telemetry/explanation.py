"""What was decided about a request, by what, after which wait and at which attempt, in words. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aibridge_trio.core.breaker.verdict import ERRORS_FROM
from aibridge_trio.events import Finished, Step
from aibridge_trio.telemetry.log_format import json_request

# What decides, by the reason of the reject.
DECIDED_BY: dict[str, str] = {
    "unknown_caller": "the check of callers (--callers-file)",
    "model_not_allowed": "the caller's models, or those of its class",
    "capacity": "the limit on requests in flight (--max-concurrency)",
    "caller_capacity": "the limit on one caller's requests in flight (--max-concurrency-per-caller, or its class)",
    "provider_capacity": "the limit on the provider's requests in flight (--max-concurrency-per-provider)",
    "store_unavailable": "--store-failure closed: the store that counts the shared limits is away",
    "queue_full": "the queue, which is full (--queue-size)",
    "queue_timeout": "the longest wait in the queue (--queue-timeout)",
    "queue_deadline": "the queue: its turn would have come too late",
    "rate_limit": "a limit on requests by time (--rate-limit, or rate_limit of a class or a provider)",
    "token_limit": "a limit on tokens by time (token_rate_limit)",
    "budget_exhausted": "the caller's budget of tokens",
    "circuit_open": "the circuit breaker of the provider",
    "credential_cooldown": "the provider's wish that this caller's key waits",
    "keys_resting": "the bridge's keys for the provider, all of which rest",
    "hold_timeout": "--adaptive: the provider took it in none of its turns",
    "line_full": "--adaptive: as many requests are held as may be",
    "cannot_hold": "--adaptive: its body is too long to be kept",
    "buffer_full": "the memory for bodies that are read first (--max-buffered)",
    "body_too_large": "the longest body (--max-body)",
    "forbidden_origin": "the check of Host and Origin (--allowed-hosts, --allowed-origins)",
    "stored_reference": "--no-stored-references: its body names data of the central key's account",
    "not_found": "the list of routes, or the model routes",
    "method_not_allowed": "the list of methods",
    "bad_request": "the check of the request",
    "upgrade_refused": "the check of the request: it asks for a WebSocket",
    "loop_detected": "the detection of loops",
    "upstream_unreachable": "the provider, which gave no answer",
    "upstream_timeout": "the time that the provider has for its answer",
    "shutting_down": "the bridge's stop",
    "internal_error": "a fault of the bridge; the log has a line bug",
}
_STEPS = {
    "passed_over": "not sent to {provider}, or not again: {detail}",
    "held": "held for {provider}: {detail}",
    "sent_again": "sent to {provider} again, after {detail}",
    "other_key": "sent to {provider} again with another key, after {detail}",
    "fault": "no answer of {provider}: {detail}",
}
_LEFT = 499


def document(event: Finished, at: float, *, explained: bool) -> dict[str, Any]:
    """Return a request that ended `at` this Unix time as JSON types: the fields of its log line, and more."""
    fields: dict[str, Any] = json.loads(json_request(at, event))
    for name in ("level", "event"):
        del fields[name]
    fields |= {"message": event.message, "retry_after_s": _rounded(event.wait)}
    if explained:
        fields["steps"] = [{**step._asdict(), "at": _rounded(step.at)} for step in event.steps]
        fields["explanation"] = list(explanation(event))
    return fields


def explanation(event: Finished) -> Iterator[str]:
    """Yield the lines that explain a request."""
    yield _question(event)
    if event.queued:
        yield f"It waited {_seconds(event.queued)} in the bridge's queue."
    for step in event.steps:
        yield f"After {_seconds(step.at)}: {_words(step)}."
    if event.would_reject:
        yield f"Protections in shadow would have rejected it: {', '.join(event.would_reject)}."
    yield from _at_provider(event)
    yield from _end(event)


def _question(event: Finished) -> str:
    caller = event.caller
    of = "of a caller that was not identified yet" if caller is None else f"of caller {caller.hint}"
    of += f" of class {caller.class_name}" if caller and caller.class_name else ""
    model = f", model {event.model}" if event.model else ""
    where = f" to {event.provider}" if event.provider != "none" else ""
    return f"{event.method} {event.path or event.route}{where} {of}{model}."


def _words(step: Step) -> str:
    return _STEPS[step.what].format(provider=step.provider, detail=step.detail)


def _at_provider(event: Finished) -> Iterator[str]:
    if not event.attempts:
        if event.reject or event.status == _LEFT:
            yield "It was not sent to a provider."
        return
    times = "once" if event.attempts == 1 else f"{event.attempts} times"
    line = f"It was sent to a provider {times}"
    if event.duration is not None:
        last = "" if event.attempts == 1 else " the last time"
        line += f", and was{last} {_seconds(event.duration)} at {event.provider}"
    if event.first_byte is not None:
        line += f", {_seconds(event.first_byte)} of them until the first byte"
    yield f"{line}."
    if event.error_code:
        yield f"The provider's error: {event.error_code}."
    if event.cause and not any(step.what == "fault" and step.detail == event.cause for step in event.steps):
        yield f"The provider gave no answer, or not all of it: {event.cause}."
    if event.verdict:
        yield f"For the provider's health this counts as {event.verdict}."


def _end(event: Finished) -> Iterator[str]:
    after = f"after {_seconds(event.total)}"
    if event.reject:
        yield f"AI Bridge answered {event.status} {event.reject} {after}, decided by {DECIDED_BY[event.reject]}."
        if event.message:
            yield f"Its caller got this text: {event.message}"
        if event.wait is not None:
            yield f"Its caller was asked to come back in {_seconds(event.wait)}, and a little more."
    elif event.status == _LEFT:
        yield f"Its caller left {after}, before there was an answer."
    elif event.broken:
        why = "its caller left" if event.left else "the answer broke off"
        yield f"The answer {event.status} began, and did not come to its end: {why} {after}."
    else:
        whose = "The provider answered" if event.attempts else "AI Bridge answered"
        error = ", and the caller got that answer" if event.status >= ERRORS_FROM else ""
        yield f"{whose} {event.status}{error}, {event.bytes_out} bytes, {after}."


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"  # noqa: PLR2004 - from there on 1e+03


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
