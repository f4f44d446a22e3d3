"""The last minutes in columns."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.data.history import TRACE, Span, levels
from tests.support.watched import STEPS, Step, pictured, played

SPANS = st.lists(st.tuples(st.floats(0.01, 40), st.floats(0, 20), st.integers(0, 500)), min_size=1, max_size=25)


COLUMNS = st.integers(1, 100)


def in_a_row(pieces: list[tuple[float, float, int]], end: float = 1000.0) -> list[Span]:
    """Spans of these lengths and counts, with these gaps between them, up to the end."""
    spans: list[Span] = []
    for length, gap, times in reversed(pieces):
        spans.insert(0, Span(end - length, end, times, times // 2))
        end -= length + gap
    return spans


def overlap(span: Span, start: float, end: float) -> float:
    """How long the span is within these bounds."""
    return max(0.0, min(span.end, end) - max(span.start, start))


@given(SPANS, COLUMNS, st.floats(0, 30))
def test_columns_hold_what_came_in_their_time(
    pieces: list[tuple[float, float, int]], columns: int, later: float
) -> None:
    """A column is the rate over what is known of its time, and None where nothing is."""
    spans = in_a_row(pieces)
    now = spans[-1].end + later
    values = levels(spans, lambda each: each.requests, columns=columns, now=now)
    assert len(values) == columns
    width = TRACE / columns
    last = math.floor(now / width)
    for place, value in enumerate(values):
        start = (last - columns + 1 + place) * width
        known = [(span, overlap(span, start, start + width)) for span in spans]
        time = sum(part for _, part in known)
        times = sum(span.requests * part / (span.end - span.start) for span, part in known)
        # Where bounds all but coincide, rounding decides whether there is a sliver of it.
        if time > 1e-6:
            assert value == pytest.approx(times / time, rel=1e-3, abs=1e-9)
        elif time == 0:
            assert value is None or value >= 0


@given(STEPS, st.booleans(), COLUMNS)
def test_columns_hold_every_request_once(steps: list[Step], tells_start: bool, columns: int) -> None:
    """Rates times the known time of their columns are all requests of the trace: none twice, none missing."""
    brief = [replace(step, after=min(step.after, 2.0)) for step in steps]
    world = played(brief, tells_start=tells_start)
    spans = pictured(world.history).spans
    width = TRACE / columns
    last = math.floor(world.at / width)
    values = levels(spans, lambda each: each.requests, columns=columns, now=world.at)
    found = 0.0
    for place, value in enumerate(values):
        start = (last - columns + 1 + place) * width
        found += (value or 0.0) * sum(overlap(span, start, start + width) for span in spans)
    # The first column begins up to a width after the trace does.
    hidden = sum(
        span.requests * overlap(span, 0.0, (last - columns + 1) * width) / (span.end - span.start)
        for span in spans
        if span.end > span.start
    )
    assert found + hidden == pytest.approx(world.requests, rel=1e-6, abs=1e-3)


@given(SPANS, COLUMNS, st.floats(0, 0.99), st.floats(0, 0.99))
def test_columns_stand_still_within_their_width(
    pieces: list[tuple[float, float, int]], columns: int, one: float, other: float
) -> None:
    """While time moves within the last column nothing moves; in the next one everything has moved by one."""
    spans = in_a_row(pieces)
    width = TRACE / columns
    begins = math.ceil(spans[-1].end / width) * width

    def at(part: float) -> list[float | None]:
        # A hair inside, because a multiple of the width is not exact.
        now = begins + width * (part + 0.005)
        return levels(spans, lambda each: each.requests, columns=columns, now=now)

    assert at(one) == at(other)
    assert at(one + 1)[:-1] == at(one)[1:]
    assert at(one + 1)[-1] is None


def test_what_is_not_known_is_no_zero() -> None:
    """Columns without a document have no value; those in which nothing came have 0."""
    spans = [Span(700.0, 760.0, 0, 0), Span(880.0, 940.0, 30, 6)]
    assert levels(spans, lambda each: each.requests, columns=5, now=959.0) == [0.0, 0.0, None, 0.5, 0.5]
    assert levels(spans, lambda each: each.rejects, columns=5, now=959.0)[3] == pytest.approx(0.1)
