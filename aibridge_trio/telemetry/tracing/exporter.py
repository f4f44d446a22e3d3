"""Sends spans to a collector, in batches. A collector that is slow, away or hostile costs spans, nothing else.

It is a Trio task that sends with the bridge's own client, not OpenTelemetry's exporter in a thread: a deadline
ends it wherever it is, nothing is left when the bridge stops, and a thread would fight the event loop for the
interpreter. A batch is encoded in small steps, between which requests go on.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

import httpx
import trio

from aibridge_trio.telemetry.tracing.otlp import CONTENT_TYPE, Encoder, rejected
from aibridge_trio.telemetry.tracing.spans import ProviderFacts, Value, spans
from aibridge_trio.telemetry.tracing.traced_record import Trace

# Requests that are kept until they are sent, and in one batch; how many are encoded in one step.
QUEUE, BATCH, STEP = 2048, 256, 8
# A batch that is not full is sent after so long (seconds).
INTERVAL = 1.0
# The longest that the collector may take for a batch, and for all that is left at the end (seconds).
DEADLINE, FLUSH = 10.0, 3.0
# Waits (seconds) before a batch is sent again, by the attempts so far; the longest that a collector may ask for.
RETRIES = (1.0, 2.0, 4.0, 8.0)
LONGEST_RETRY = 30.0
# Statuses after which a batch may be sent again, as OTLP has it.
_AGAIN = frozenset({429, 502, 503, 504})
_LONGEST_ANSWER = 65536
_LONGEST_WAIT = 6  # digits
_OK = range(200, 300)


class Exporter:
    """Takes traces with `put`, and sends their spans to `url` while `run` is running.

    `headers` go with each batch, `resource` describes the bridge. `counts` has spans by their outcome: `exported`,
    `dropped` because the queue was full or the bridge stopped, `failed` because the collector did not take them.
    `warn` is called when it begins to fail, and when it works again; `report` gets bugs.
    """

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport,
        *,
        headers: Iterable[tuple[str, str]],
        resource: Mapping[str, Value],
        counts: Counter[str],
        warn: Callable[[str], None],
        report: Callable[[BaseException], None],
    ) -> None:
        self.providers: Mapping[str, ProviderFacts] = {}
        self._url = url
        self._transport = transport
        self._headers = [*headers, ("content-type", CONTENT_TYPE)]
        self._encoder = Encoder(resource)
        self._counts = counts
        self._warn = warn
        self._report = report
        self._queue: deque[Trace] = deque()
        self._wake = trio.Event()  # set when a batch is full, or the end has come
        self._closed = trio.Event()
        self._closing = False
        self._ended = trio.Event()
        self._failing = False

    def put(self, trace: Trace) -> None:
        """Queue a trace; it is dropped if the queue is full."""
        if len(self._queue) >= QUEUE:
            self._counts["dropped"] += trace.spans
            return
        self._queue.append(trace)
        if len(self._queue) >= BATCH:
            self._wake.set()

    async def run(self) -> None:
        """Send what is queued, until `finish` was called and all is sent, or cancelled."""
        try:
            while self._queue or not self._closing:
                if len(self._queue) < BATCH:
                    with trio.move_on_after(INTERVAL):
                        await self._wake.wait()
                await self._send_batch()
        finally:
            self._counts["dropped"] += sum(each.spans for each in self._queue)
            self._queue.clear()
            self._ended.set()

    async def finish(self) -> None:
        """Send what is left at once; what is not sent within FLUSH seconds is left."""
        self._closing = True
        self._wake.set()
        self._closed.set()
        with trio.move_on_after(FLUSH):
            await self._ended.wait()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _send_batch(self) -> None:
        """Send the oldest traces; they count as failed if that does not succeed."""
        if not self._closing:
            self._wake = trio.Event()
        traces = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        if not traces:
            await trio.lowlevel.checkpoint()
            return
        left = sum(each.spans for each in traces)
        try:
            if (refused := await self._deliver(await self._encoded(traces))) is not None:
                refused = min(refused, left)
                self._counts["exported"] += left - refused
                left = refused
        except Exception as error:  # noqa: BLE001 - a bug costs this batch only
            self._report(error)
        finally:
            self._counts["failed"] += left

    async def _encoded(self, traces: list[Trace]) -> bytes:
        pieces = []
        for at in range(0, len(traces), STEP):
            step = traces[at : at + STEP]
            found = [(each.context, span) for each in step for span in spans(each, self.providers, os.urandom)]
            pieces.append(self._encoder.encode(found))
            await trio.lowlevel.checkpoint()
        return b"".join(pieces)

    async def _deliver(self, batch: bytes) -> int | None:
        """Send a batch, again if that may help; return how many spans were refused, None if all were lost."""
        for wait in (*RETRIES, None):
            asked = 0.0
            with trio.move_on_after(DEADLINE) as bound:
                try:
                    status, asked, answer = await self._post(batch)
                except Exception as error:  # noqa: BLE001 - whatever a collector provokes ends this attempt only
                    problem, again = f"{type(error).__name__}", isinstance(error, httpx.TransportError)
                else:
                    if status in _OK:
                        self._works()
                        return rejected(answer)
                    problem, again = f"status {status}", status in _AGAIN
            if bound.cancelled_caught:
                problem, again = f"no answer within {DEADLINE:g} s", True
            self._fails(problem)
            if wait is None or not again or self._closing:
                break
            with trio.move_on_after(max(wait, asked)):
                await self._closed.wait()
        return None

    async def _post(self, batch: bytes) -> tuple[int, float, bytes]:
        """Return the status, for how long (seconds) the collector wants no more, and the beginning of its answer.

        Redirects are not followed: they could lead anywhere.
        """
        request = httpx.Request("POST", self._url, headers=self._headers, content=batch)
        response = await self._transport.handle_async_request(request)
        try:
            answer = bytearray()
            if response.status_code in _OK:
                async for piece in response.stream:  # type: ignore[union-attr]
                    answer += piece
                    if len(answer) > _LONGEST_ANSWER:
                        break
            return response.status_code, _retry_after(response.headers), bytes(answer[:_LONGEST_ANSWER])
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await response.aclose()

    def _fails(self, problem: str) -> None:
        if not self._failing:
            self._warn(f"the collector does not take spans: {problem}; requests go on, spans are lost")
        self._failing = True

    def _works(self) -> None:
        if self._failing:
            self._warn("the collector takes spans again")
        self._failing = False

    def __repr__(self) -> str:
        return f"<Exporter {len(self._queue)} queued>"


def _retry_after(headers: httpx.Headers) -> float:
    text = headers.get("retry-after", "")
    seconds = float(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_WAIT else 0.0
    return min(seconds, LONGEST_RETRY)
