from __future__ import annotations

import math

from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.window import SlicedWindow, Window

# Quarters of a second: exact in binary, so that a naive oracle and the window cannot differ by rounding.
steps = st.lists(st.integers(0, 12).map(lambda quarters: quarters / 4), max_size=40)


def test_counts_what_lies_in_the_window() -> None:
    """A window counts the events within its span."""
    window = Window(span=10, cap=5)
    for now in (0.0, 3.0, 3.0):
        window.add(now)
    assert window.count(9.0) == 3


def test_the_boundary_is_half_open() -> None:
    """An event exactly one span old is outside; one slightly younger is inside."""
    window = Window(span=10, cap=5)
    window.add(0.0)
    window.add(0.25)
    assert window.count(9.75) == 2
    assert window.count(10.0) == 1
    assert window.count(10.25) == 0


@given(st.floats(0, 1e6), st.floats(0.001, 1e4))
@example(0.9, 1.0)  # 0.9 + 1 − 1 < 0.9
def test_an_event_leaves_exactly_one_span_later(at: float, span: float) -> None:
    """An event no longer counts at the very instant, as floats add, that is one span after it."""
    window = Window(span, cap=1)
    window.add(at)
    assert window.count(at) == 1
    assert window.count(at + span) == 0


def test_clear_forgets_all() -> None:
    """A cleared window is empty."""
    window = Window(span=10, cap=5)
    window.add(0.0)
    window.clear()
    assert window.count(0.0) == 0


@given(steps, st.integers(1, 6), st.integers(1, 12))
def test_equals_counting_from_scratch(gaps: list[float], cap: int, span: int) -> None:
    """After any times, a window counts what a list of all of them has in (now − span, now], up to the cap."""
    window, times, now = Window(span, cap), [], 0.0
    for gap in gaps:
        now += gap
        window.add(now)
        times.append(now)
        assert window.count(now) == min(cap, sum(now - span < at <= now for at in times))


def test_memory_is_bounded() -> None:
    """A window keeps no more times than it needs to answer, however many come at once."""
    window = Window(span=10, cap=7)
    for _ in range(1000):
        window.add(0.0)
    assert len(window._events) == 7


def test_the_highest_value_is_of_those_that_count() -> None:
    """Values are dropped with their events: by time, by number, and by clearing."""
    window = Window(10.0, 2)
    assert window.highest(0.0) == -math.inf
    window.add(0.0, 9.0)
    window.add(1.0, 5.0)
    assert window.highest(9.5) == 9.0
    assert window.highest(10.0) == 5.0
    window.add(10.5, 1.0)
    window.add(10.6)
    assert window.highest(10.6) == 1.0
    window.clear()
    assert window.highest(10.6) == -math.inf


# Without a rounding error, so that an oracle can say which slices are in the window.
SPAN = 16.0
SLICE = SPAN / 64


def test_a_sliced_event_counts_for_the_span_and_at_most_a_slice_longer() -> None:
    """Its slice leaves the window as a whole."""
    window = SlicedWindow(SPAN)
    window.add(SLICE * 0.5)
    assert window.count(SLICE * 0.5 + SPAN) == 1
    assert window.count(SLICE + SPAN - 0.01) == 1
    assert window.count(SLICE + SPAN) == 0


@given(st.lists(st.tuples(st.floats(0.0, 12.0), st.floats(0.0, 9.0), st.booleans()), max_size=60))
def test_a_sliced_window_equals_counting_from_scratch(story: list[tuple[float, float, bool]]) -> None:
    """It counts the events in the slices of the span, without those taken back; the highest value is of all."""
    window, now = SlicedWindow(SPAN), 0.0
    times: list[float] = []
    values: list[tuple[float, float]] = []
    for gap, value, takes_back in story:
        now += gap
        window.add(now, value)
        times.append(now)
        values.append((now, value))
        if takes_back:
            at = times.pop(len(times) // 2)
            window.remove(at)
        since = (now // SLICE - 64) * SLICE
        assert window.count(now) == sum(at >= since for at in times)
        assert window.highest(now) == max(value for at, value in values if at >= since)


def test_a_sliced_window_is_bounded_and_forgets() -> None:
    """However many events there were, it keeps one counter per slice; a cleared one is empty."""
    window = SlicedWindow(SPAN)
    for event in range(10_000):
        window.add(event * 0.01, 1.0)
        assert len(window._slices) <= 65
    assert window.count(100.0) == 1600
    window.clear()
    assert (window.count(100.0), window.highest(100.0)) == (0, -math.inf)
    window.remove(99.0)
    assert window.count(100.0) == 0
