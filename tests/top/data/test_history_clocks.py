"""What is kept, and clocks that stand still."""

from __future__ import annotations

import pytest

from aibridge_trio.top.data.history import TRACE, History, levels
from tests.support.watched import pictured, said


@pytest.mark.parametrize("every", [0.0, 0.001, 0.15, 1.0, 40.0])
def test_memory_is_bounded(every: float) -> None:
    """However often documents come, and however long, a bounded number of them and of spans is kept."""
    history = History()
    most = 0
    for number in range(8000):
        history.add(said(number * every, number), number * every)
        most = max(most, len(history._documents) + len(history._spans))
    assert most <= 240 + 3000


def test_memory_is_bounded_while_bridges_come_and_go() -> None:
    """Restarts without end, each with a gap before it, are bounded too."""
    history = History()
    for number in range(8000):
        history.add(said(0.0001, 1, started_at=float(number)), number * 0.001)
    assert len(history._documents) == 1
    assert len(history._spans) <= 3000


def test_a_burst_does_not_push_the_minutes_out() -> None:
    """At fifty documents a second, five minutes are still there, and every request of them."""
    history = History()
    for number in range(50 * 400):
        history.add(said(number / 50, number), number / 50)
    spans = pictured(history).spans
    assert spans[0].start <= 400 - TRACE
    assert sum(span.requests for span in spans) == pytest.approx(50 * TRACE, abs=50 * 2.5)


def test_what_is_older_than_the_trace_is_forgotten() -> None:
    """A span is kept as long as a part of it is within the trace."""
    history = History()
    for second in range(0, 1000, 10):
        history.add(said(float(second), second), float(second))
    spans = pictured(history).spans
    assert [spans[0].start, spans[-1].end] == [680.0, 990.0]


def peak(history: History, now: float) -> float:
    """The highest column of what a screen shows."""
    values = levels(pictured(history).spans, lambda each: each.requests, columns=34, now=now)
    return max(value for value in values if value is not None)


def test_documents_that_waited_make_no_peak() -> None:
    """What comes all at once after Ctrl-Z is shown where it happened."""
    history = History()
    for second in range(60):
        at = 1000.0 + (second if not 30 <= second < 55 else 55)
        history.add(said(100.0 + second, 10 * second, 0), at + second * 1e-4)
    assert peak(history, 1060.0) == pytest.approx(10.0, rel=0.01)


def test_a_sleep_is_no_peak() -> None:
    """While this machine slept its clock stood still and the bridge's went on: eight hours are eight hours."""
    history = History()
    for second in range(60):
        history.add(said(100.0 + second, 10 * second, 0), 1000.0 + second)
    history.add(said(100.0 + 8 * 3600, 10 * 8 * 3600, 0), 1060.0)
    assert peak(history, 1060.0) == pytest.approx(10.0, rel=0.01)


def test_the_life_of_another_bridge_is_no_peak() -> None:
    """Another bridge at the address that has run for long counted before, at unknown times."""
    history = History()
    for second in range(60):
        history.add(said(100.0 + second, 10 * second, 0, started_at=1.0), 1000.0 + second)
    for second in range(60, 70):
        history.add(said(900_000.0 + second, 10_000_000 + 10 * second, 0, started_at=2.0), 1000.0 + second)
    assert peak(history, 1070.0) == pytest.approx(10.0, rel=0.01)
