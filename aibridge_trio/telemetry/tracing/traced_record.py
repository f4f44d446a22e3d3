"""The record of a request that is traced: notes when its waits and attempts began and ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.events import Event, Finished, HoldOutcome, Publish
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.telemetry.tracing.context import TraceContext

# Attempts, and waits, of one request that become spans; the others are in its counts only.
MOST_PARTS = 32


class Wait(NamedTuple):
    """A wait from `began` to `ended`, in the bridge's queue or held for what the provider takes."""

    what: Literal["queue", "hold"]
    began: float
    ended: float
    outcome: str = ""


@dataclass(slots=True)
class AttemptTimes:
    """One sending to a provider; what has not happened is None. `fault` is its kind, such as `head_timeout`."""

    provider: str
    began: float
    connected: float | None = None
    answered: float | None = None
    status: int | None = None
    first_byte: float | None = None
    ended: float | None = None
    fault: str | None = None
    cause: str | None = None


class Trace(NamedTuple):
    """All that the spans of a request are made of. Times are the clock's, `wall` is the Unix time of the end.

    `asked` is the model that the request names, `answered` the one that the answer names; None if not read.
    """

    context: TraceContext
    finished: Finished
    wall: float
    admitted: float | None
    waits: tuple[Wait, ...]
    attempts: tuple[AttemptTimes, ...]
    asked: str | None
    answered: str | None

    @property
    def spans(self) -> int:
        """How many spans it has."""
        streams = sum(each.first_byte is not None for each in self.attempts)
        return 1 + len(self.waits) + len(self.attempts) + streams


class TracedRecord(Record):
    """A record whose trace is passed to `end` when the request is over."""

    def __init__(
        self,
        request: Request,
        reply: Reply,
        clock: Callable[[], float],
        publish: Publish,
        *,
        context: TraceContext,
        wall_clock: Callable[[], float],
        end: Callable[[Trace], None],
    ) -> None:
        super().__init__(request, reply, clock, publish)
        self._context = context
        self._wall_clock = wall_clock
        self._end = end
        self._admitted: float | None = None
        self._waits: list[Wait] = []
        self._attempt_times: list[AttemptTimes] = []
        self._asked: str | None = None

    def started(self, caller: Caller) -> None:
        """See Record; note when the request had passed the limits."""
        super().started(caller)
        self._admitted = self._clock()

    @contextmanager
    def queued(self) -> Iterator[None]:
        """See Record; note the wait."""
        began = self._clock()
        try:
            with super().queued():
                yield
        finally:
            self._waited(Wait("queue", began, self._clock()))

    def was_held(self, seconds: float, outcome: HoldOutcome) -> None:
        """See Record; note the wait."""
        super().was_held(seconds, outcome)
        now = self._clock()
        self._waited(Wait("hold", now - seconds, now, outcome))

    def went_upstream(self, now: float) -> None:
        """See Record; note a new attempt."""
        self.left_upstream()  # the attempt before, if it has not ended
        super().went_upstream(now)
        # What is known of the model before an answer is what was asked for; then the relay reads the answer's.
        self._asked, self.model = self._asked or self.model, None
        if len(self._attempt_times) < MOST_PARTS:
            self._attempt_times.append(AttemptTimes(self.provider, now))

    def connected(self) -> None:
        """See Record; note when."""
        super().connected()
        if now := self._now:
            now.connected = self._clock()

    def answered(self, status: int) -> None:
        """See Record; note when, and the status."""
        super().answered(status)
        if now := self._now:
            now.answered, now.status = self._clock(), status

    def first_byte(self) -> None:
        """See Record; note when."""
        super().first_byte()
        if now := self._now:
            now.first_byte = self._clock()

    def faulted(self, fault: UpstreamFault) -> None:
        """See Record; note the fault of the last attempt."""
        super().faulted(fault)
        if self._attempt_times:
            last = self._attempt_times[-1]
            last.fault = f"{fault.phase}_{'timeout' if fault.timeout else 'error'}"
            last.cause = str(fault)

    def left_upstream(self) -> None:
        """See Record; note the end of the attempt."""
        super().left_upstream()
        if now := self._now:
            now.ended = self._clock()

    def close(self) -> None:
        """See Record; pass the trace on behind `Finished`."""
        answered, self.model = self.model, self._asked or self.model
        publish, said = self._publish, list[Event]()
        self._publish = said.append
        super().close()
        self._publish = publish
        for event in said:
            publish(event)
            if isinstance(event, Finished):
                self._end(self._trace(event, answered if self.attempts else None))

    def _trace(self, finished: Finished, answered: str | None) -> Trace:
        return Trace(
            self._context,
            finished,
            self._wall_clock(),
            self._admitted,
            tuple(self._waits),
            tuple(self._attempt_times),
            self._asked if self.attempts else finished.model,
            answered,
        )

    @property
    def _now(self) -> AttemptTimes | None:
        """The attempt that is under way."""
        last = self._attempt_times[-1] if self._attempt_times else None
        return last if last and last.ended is None and len(self._attempt_times) == self.attempts else None

    def _waited(self, wait: Wait) -> None:
        if len(self._waits) < MOST_PARTS:
            self._waits.append(wait)
