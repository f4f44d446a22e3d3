"""What a record notes of a traced request."""

from __future__ import annotations

import os

from aibridge_trio.errors import UpstreamFault
from aibridge_trio.events import Event, Finished
from aibridge_trio.http.message import Request
from aibridge_trio.telemetry.tracing.context import begun
from aibridge_trio.telemetry.tracing.traced_record import MOST_PARTS, Trace, TracedRecord
from tests.gateway.test_request_events import Unanswered, Upload


class Lab:
    """A record with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.events: list[Event] = []
        self.ended: list[Trace] = []
        self.record = TracedRecord(
            Request("POST", b"/", b"", [], None, None, Upload()),
            Unanswered(),
            lambda: self.now,
            self.events.append,
            context=begun(1.0, os.urandom),
            wall_clock=lambda: 1e9,
            end=self.ended.append,
        )

    def close(self) -> Trace:
        """End the request; return its trace."""
        self.record.close()
        (trace,) = self.ended
        return trace


def test_each_attempt_has_its_times() -> None:
    """One that was not ended ends when the next one begins."""
    lab = Lab()
    lab.record.provider = "openai"
    for status in (503, 200):
        lab.record.went_upstream(lab.now)
        lab.now += 1
        lab.record.connected()
        lab.now += 1
        lab.record.answered(status)
        lab.now += 1
        lab.record.first_byte()
        lab.now += 1
    first, second = lab.close().attempts
    assert (first.began, first.connected, first.answered, first.first_byte, first.ended) == (
        100,
        101,
        102,
        103,
        104,
    )
    assert (first.status, second.status, second.began, second.ended) == (503, 200, 104, None)


def test_a_fault_belongs_to_the_attempt_that_has_ended() -> None:
    """It is noted behind its end."""
    lab = Lab()
    lab.record.went_upstream(lab.now)
    lab.record.left_upstream()
    lab.record.faulted(UpstreamFault("head", "silent", timeout=True))
    assert [(each.fault, each.cause) for each in lab.close().attempts] == [
        ("head_timeout", "no head in time: silent")
    ]


def test_what_is_asked_for_is_not_what_is_answered() -> None:
    """The log has the model that was asked for, as without traces."""
    lab = Lab()
    for model in ("asked", "answered"):
        lab.record.model = model
        lab.record.went_upstream(lab.now)
    lab.record.model = "answered"
    trace = lab.close()
    assert (trace.asked, trace.answered, trace.finished.model) == ("asked", "answered", "asked")


def test_parts_are_bounded() -> None:
    """However often a request waits, or is sent; the times of what is not kept go nowhere."""
    lab = Lab()
    for _ in range(MOST_PARTS + 5):
        with lab.record.queued():
            lab.now += 1
        lab.record.was_held(1.0, "sent")
        lab.record.went_upstream(lab.now)
        lab.record.answered(200)
    trace = lab.close()
    assert (len(trace.waits), len(trace.attempts), trace.finished.attempts) == (
        MOST_PARTS,
        MOST_PARTS,
        MOST_PARTS + 5,
    )
    assert trace.spans == 1 + 2 * MOST_PARTS


def test_the_end_is_published_as_without_traces() -> None:
    """Once, and nothing else is."""
    lab = Lab()
    trace = lab.close()
    assert [event for event in lab.events if isinstance(event, Finished)] == [trace.finished]
    assert len(lab.events) == 1
