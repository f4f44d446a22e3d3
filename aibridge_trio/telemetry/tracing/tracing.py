"""Which requests are traced: those whose trace is sampled, by the caller's word or by the bridge's share."""

from __future__ import annotations

import os
from collections.abc import Callable

from aibridge_trio.config.caller_tokens import contains_token
from aibridge_trio.events import Publish
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.http.request_head import HeadMemo
from aibridge_trio.telemetry.tracing.context import TRACEPARENT, TRACESTATE, NewId, begun, continued
from aibridge_trio.telemetry.tracing.traced_record import Trace, TracedRecord


class Tracing:
    """Makes the records of requests. Traces of those that are sampled are passed to `end`.

    `sample` is the share (0 to 1) of the traces that begin here. `new_id` returns so many random bytes.
    """

    def __init__(
        self,
        sample: float,
        *,
        wall_clock: Callable[[], float],
        end: Callable[[Trace], None],
        new_id: NewId = os.urandom,
    ) -> None:
        self.sample = sample
        self._wall_clock = wall_clock
        self._end = end
        self._new_id = new_id

    def record(self, request: Request, reply: Reply, clock: Callable[[], float], publish: Publish) -> Record:
        """Return a request's record, and put its span into the headers that may go to the provider."""
        states = [each for each in request.header_values(TRACESTATE) if not contains_token(each)]
        parents = request.header_values(TRACEPARENT)
        context = continued(parents, states, self._new_id)
        if context is None:
            request.remove({TRACESTATE})  # it belongs to the trace of the traceparent, which there is none of
            context = begun(self.sample, self._new_id)
        request.replace(TRACEPARENT, context.traceparent)
        # What is remembered of a head has the headers that go up; here they differ with each request.
        request.memo = HeadMemo()
        if not context.sampled:
            return Record(request, reply, clock, publish)
        return TracedRecord(
            request, reply, clock, publish, context=context, wall_clock=self._wall_clock, end=self._end
        )

    def __repr__(self) -> str:
        return f"<Tracing {self.sample:.0%}>"
