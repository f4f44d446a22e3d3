"""Traces: a span for each request with children for its waits and attempts, exported by OTLP over HTTP.

Terms
    trace: what callers, the bridge and providers say of one request; its id comes from the caller or is made here.
    span: a part of it with a beginning and an end. attempt: the span of one sending to a provider.
    collector: the program that takes spans.

Files, in reading order
    context: `traceparent` and sampling. traced_record: notes the times of one request.
    tracing: which requests are traced, and how. spans: the spans of a request.
    otlp: spans as OpenTelemetry's messages; the only one that imports them. exporter: sends them.

Nothing of this is imported without --otel-endpoint.
"""
