"""The spans of a request, with the attributes of OpenTelemetry's semantic conventions for HTTP and GenAI. Pure.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. Tokens stand in the request's span only, so that
a sum over all spans counts them once. Nothing here is a body or a credential; see `Finished`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

from aibridge_trio.core.breaker.verdict import ERRORS_FROM
from aibridge_trio.core.inspection.usage import NO_USAGE
from aibridge_trio.events import Finished
from aibridge_trio.telemetry.tracing.context import NewId
from aibridge_trio.telemetry.tracing.traced_record import AttemptTimes, Trace

Value = str | int | float | bool
Attributes = dict[str, Value]
_SERVER_ERRORS_FROM = 500
_NO_ANSWER = 499
_SPAN_BYTES = 8
# What a request asks for, by the end of its route.
_OPERATIONS = {
    "/chat/completions": "chat",
    "/responses": "chat",
    "/messages": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
}
# Names of the conventions for providers; others have none of their own.
_SYSTEMS = {"copilot": "github.copilot"}


class Kind(IntEnum):
    """The kind of a span, as numbered by OpenTelemetry."""

    INTERNAL, SERVER, CLIENT = 1, 2, 3


class Moment(NamedTuple):
    """An event within a span, at this Unix time."""

    name: str
    at: float


class Span(NamedTuple):
    """A span; times are Unix times. `failed` is why, None if it did not fail."""

    span_id: bytes
    parent: bytes
    name: str
    kind: Kind
    began: float
    ended: float
    attributes: Attributes
    moments: tuple[Moment, ...] = ()
    failed: str | None = None


class ProviderFacts(NamedTuple):
    """What spans say of a provider: the API that it speaks, its host and port."""

    api: str
    address: str
    port: int


def spans(trace: Trace, providers: Mapping[str, ProviderFacts], new_id: NewId) -> Iterator[Span]:
    """Yield the spans of a request, the request's own first."""
    finished = trace.finished
    offset = trace.wall - finished.at
    own = trace.context.span_id
    began, ended = finished.at - finished.total + offset, trace.wall
    moments = () if trace.admitted is None else (Moment("admitted", trace.admitted + offset),)
    name = finished.method if finished.route == "other" else f"{finished.method} {finished.route}"
    attributes = _of_request(trace, providers)
    failed = _failure(finished)
    yield Span(own, trace.context.parent, name, Kind.SERVER, began, ended, attributes, moments, failed)
    for wait in trace.waits:
        said: Attributes = {"aibridge.outcome": wait.outcome} if wait.outcome else {}
        times = wait.began + offset, wait.ended + offset
        yield Span(new_id(_SPAN_BYTES), own, wait.what, Kind.INTERNAL, *times, said)
    for number, attempt in enumerate(trace.attempts):
        yield from _of_attempt(
            trace, attempt, number, wall=lambda at: at + offset, providers=providers, new_id=new_id
        )


def _of_request(trace: Trace, providers: Mapping[str, ProviderFacts]) -> Attributes:
    finished = trace.finished
    caller = finished.caller
    usage = finished.usage
    reported = usage != NO_USAGE
    found: dict[str, Value | None] = {
        "http.request.method": finished.method,
        "http.route": None if finished.route == "other" else finished.route,
        "http.response.status_code": None if finished.status == _NO_ANSWER else finished.status,
        "http.request.body.size": finished.bytes_in,
        "http.response.body.size": finished.bytes_out,
        "user_agent.original": finished.user_agent or None,
        "error.type": _error_type(finished),
        **_of_model(trace, finished.provider, providers),
        "gen_ai.response.model": trace.answered,
        "gen_ai.usage.input_tokens": usage.prompt if reported else None,
        "gen_ai.usage.output_tokens": usage.output if reported else None,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read or None,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write or None,
        "aibridge.request_id": finished.request_id,
        "aibridge.provider": None if finished.provider == "none" else finished.provider,
        "aibridge.caller": caller.hint if caller else None,
        "aibridge.class": (caller.class_name or None) if caller else None,
        "aibridge.reject": finished.reject,
        "aibridge.would_reject": ",".join(finished.would_reject) or None,
        "aibridge.attempts": finished.attempts,
        "aibridge.left": finished.left or None,
        "aibridge.passed_over": ",".join(finished.passed_over) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _of_attempt(
    trace: Trace,
    attempt: AttemptTimes,
    number: int,
    *,
    wall: Callable[[float], float],
    providers: Mapping[str, ProviderFacts],
    new_id: NewId,
) -> Iterator[Span]:
    finished = trace.finished
    ended = finished.at if attempt.ended is None else attempt.ended
    status = attempt.status
    bad = status is not None and status >= ERRORS_FROM
    model = _of_model(trace, attempt.provider, providers)
    operation, asked = model["gen_ai.operation.name"], model["gen_ai.request.model"]
    facts = providers.get(attempt.provider)
    found: dict[str, Value | None] = {
        "http.request.method": finished.method,
        "http.response.status_code": status,
        "http.request.resend_count": number or None,
        "server.address": facts.address if facts else None,
        "server.port": facts.port if facts else None,
        "error.type": attempt.fault or (str(status) if bad else None),
        **model,
        "aibridge.provider": attempt.provider,
    }
    last = number == len(trace.attempts) - 1
    if last and finished.left and not attempt.fault and not bad:
        found["error.type"] = "cancelled"
    times = (
        ("connected", attempt.connected),
        ("response.head", attempt.answered),
        ("first_byte", attempt.first_byte),
    )
    own = new_id(_SPAN_BYTES)
    yield Span(
        own,
        trace.context.span_id,
        " ".join(str(each) for each in (operation, asked) if each) or finished.method,
        Kind.CLIENT,
        wall(attempt.began),
        wall(ended),
        {name: value for name, value in found.items() if value is not None},
        tuple(Moment(name, wall(at)) for name, at in times if at is not None),
        attempt.cause or (f"status {status}" if bad else None),
    )
    if attempt.first_byte is not None:
        yield Span(
            new_id(_SPAN_BYTES), own, "stream", Kind.INTERNAL, wall(attempt.first_byte), wall(ended), Attributes()
        )


def _of_model(trace: Trace, provider: str, providers: Mapping[str, ProviderFacts]) -> dict[str, Value | None]:
    facts = providers.get(provider)
    route = trace.finished.route
    operation = next((name for end, name in _OPERATIONS.items() if route.endswith(end)), None)
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _SYSTEMS.get(facts.api, facts.api) if facts else None,
        "gen_ai.request.model": trace.asked,
    }


def _error_type(finished: Finished) -> str | None:
    if finished.reject:
        return finished.reject
    if finished.left:
        return "cancelled"
    if finished.broken:
        return "broken"
    return str(finished.status) if finished.status >= ERRORS_FROM else None


def _failure(finished: Finished) -> str | None:
    """Return why the bridge failed the caller; None for what was the caller's own doing, by the conventions."""
    if finished.left or (finished.status < _SERVER_ERRORS_FROM and not finished.broken):
        return None
    return finished.message or finished.cause or f"status {finished.status}"
