"""Spans as OpenTelemetry's messages."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aibridge_trio.telemetry.tracing.context import TraceContext
from aibridge_trio.telemetry.tracing.otlp import Encoder, rejected
from aibridge_trio.telemetry.tracing.spans import Attributes, Kind, Span
from tests.support.collector import values

CONTEXT = TraceContext(b"t" * 16, b"s" * 8, b"p" * 8, 1)


def span(**attributes: str | float | bool) -> tuple[TraceContext, Span]:
    """Return a span with these attributes."""
    return CONTEXT, Span(b"s" * 8, b"p" * 8, "name", Kind.SERVER, 1.5, 2.5, Attributes(attributes))


def test_requests_one_behind_the_other_are_one() -> None:
    """So that a batch can be encoded in steps."""
    encoder = Encoder({"service.name": "x"})
    both = ExportTraceServiceRequest.FromString(encoder.encode([span(a=1)]) + encoder.encode([span(a=2)]))
    found = [each.scope_spans[0].spans[0] for each in both.resource_spans]
    assert [values(each.attributes)["a"] for each in found] == [1, 2]
    assert {values(each.resource.attributes)["service.name"] for each in both.resource_spans} == {"x"}
    assert (found[0].start_time_unix_nano, found[0].end_time_unix_nano) == (1_500_000_000, 2_500_000_000)


def test_values_keep_their_types() -> None:
    """And a text that is not Unicode is sent without what is not."""
    data = Encoder({}).encode([span(yes=True, count=3, share=0.5, text="a", half="x\ud800y")])
    (message,) = ExportTraceServiceRequest.FromString(data).resource_spans[0].scope_spans[0].spans
    assert values(message.attributes) == {"yes": True, "count": 3, "share": 0.5, "text": "a", "half": "x?y"}


def test_an_answer_that_cannot_be_read_refuses_nothing() -> None:
    """Its status said that the batch was taken."""
    assert rejected(b"\xff\xff nonsense") == rejected(b"") == rejected(b"<html>") == 0
