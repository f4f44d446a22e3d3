"""A collector of traces: reads what bridges export with OpenTelemetry's own classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import trio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aibridge_trio.http.message import Reply, Request

ENDPOINT = "http://collector:4318"


def values(pairs: Any) -> dict[str, Any]:
    """Return attributes as a dict."""
    return {pair.key: _value(pair.value) for pair in pairs if isinstance(pair, KeyValue)}


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")


@dataclass
class Collector:
    """Keeps the requests that it got; answers with `status` and `answer` after `delay` seconds."""

    status: int = 200
    answer: bytes = b""
    delay: float = 0.0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    requests: list[tuple[str, bytes, dict[bytes, bytes]]] = field(default_factory=list)
    batches: list[ExportTraceServiceRequest] = field(default_factory=list)

    async def handle(self, request: Request, reply: Reply) -> None:
        """Take a batch."""
        body = b"".join([piece async for piece in request.body])
        self.take(request.method, request.path, dict(request.headers), body)
        await trio.sleep(self.delay)
        await reply.write(self.status, self.headers, self.answer)
        await reply.end()

    def take(self, method: str, path: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        """Read a batch; one that cannot be read raises."""
        self.requests.append((method, path, headers))
        self.batches.append(ExportTraceServiceRequest.FromString(body))

    @property
    def spans(self) -> list[Span]:
        """All spans, in order."""
        return [
            span
            for batch in self.batches
            for resource in batch.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def of_request(self, request_id: str) -> tuple[Span, list[Span]]:
        """Return the span of a request, and all others of its trace."""
        (own,) = [each for each in self.spans if values(each.attributes).get("aibridge.request_id") == request_id]
        return own, [each for each in self.spans if each.trace_id == own.trace_id and each is not own]

    @property
    def resource(self) -> dict[str, Any]:
        """The attributes of what sent the first batch."""
        return values(self.batches[0].resource_spans[0].resource.attributes)
