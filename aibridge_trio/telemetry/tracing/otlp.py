"""Spans as OpenTelemetry's protobuf messages (https://opentelemetry.io/docs/specs/otlp/)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from aibridge_trio import __version__
from aibridge_trio.telemetry.tracing.context import TraceContext
from aibridge_trio.telemetry.tracing.spans import Span, Value

CONTENT_TYPE = "application/x-protobuf"
# Flags of a span: the lowest byte is the trace's; whether its parent is in another process is known, and so.
_FLAGS = 0xFF
_KNOWS_REMOTE, _IS_REMOTE = 0x100, 0x200
_NANOSECONDS = 1_000_000_000


class Encoder:
    """Encodes spans of one resource, whose attributes these are."""

    def __init__(self, resource: Mapping[str, Value]) -> None:
        self._resource = Resource(attributes=_pairs(resource))
        self._scope = InstrumentationScope(name="aibridge", version=__version__)

    def encode(self, found: Iterable[tuple[TraceContext, Span]]) -> bytes:
        """Return a request to export these; such requests, one behind the other, are one request for all."""
        of_scope = trace_pb2.ScopeSpans(scope=self._scope, spans=[_message(*each) for each in found])
        of_resource = trace_pb2.ResourceSpans(resource=self._resource, scope_spans=[of_scope])
        return ExportTraceServiceRequest(resource_spans=[of_resource]).SerializeToString()


def rejected(answer: bytes) -> int:
    """Return how many spans a collector says that it has not taken; 0 for an answer that cannot be read."""
    try:
        return max(0, ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
    except DecodeError:
        return 0


def _message(context: TraceContext, span: Span) -> trace_pb2.Span:
    remote = _IS_REMOTE if span.parent and span.parent == context.parent else 0
    events = [trace_pb2.Span.Event(name=each.name, time_unix_nano=_nanoseconds(each.at)) for each in span.moments]
    failed = span.failed is not None
    code = trace_pb2.Status.STATUS_CODE_ERROR if failed else trace_pb2.Status.STATUS_CODE_UNSET
    return trace_pb2.Span(
        trace_id=context.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent,
        trace_state=context.state,
        flags=(context.flags & _FLAGS) | _KNOWS_REMOTE | remote,
        name=_text(span.name),
        kind=trace_pb2.Span.SpanKind.ValueType(span.kind),
        start_time_unix_nano=_nanoseconds(span.began),
        end_time_unix_nano=_nanoseconds(max(span.began, span.ended)),
        attributes=_pairs(span.attributes),
        events=events,
        status=trace_pb2.Status(code=code, message=_text(span.failed or "")),
    )


def _pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_any(value)) for name, value in attributes.items()]


def _any(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=_text(value))


def _text(value: str) -> str:
    """Return a text that can be encoded: JSON from outside may hold halves of surrogate pairs."""
    return value.encode(errors="replace").decode()


def _nanoseconds(at: float) -> int:
    return max(0, round(at * _NANOSECONDS))
