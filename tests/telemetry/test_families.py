"""Families of metrics; what each one has is tested in test_metrics."""

from __future__ import annotations

from aibridge_trio.telemetry.counters import BUCKETS, Histogram
from aibridge_trio.telemetry.families import counter, gauge, histogram, singles


def test_statuses_that_no_one_knows_are_one() -> None:
    """A provider cannot make series without end."""
    family = counter("x", "X.", ("provider", "status"), {("a", 200): 1, ("a", 7): 2, ("a", 999): 3})
    assert family.children == {("a", "200"): 1, ("a", "other"): 5}


def test_each_kind_has_its_children() -> None:
    """By their labels, as text."""
    assert gauge("x", "X.", (), {(): 1.5}).children == {(): 1.5}
    assert counter("x", "X.", ("cause",), singles({"a": 3})).children == {("a",): 3}
    times = Histogram()
    times.observe(0.3)
    [(seconds, counts)] = histogram("x", "X.", ("provider",), {("a",): times}).children.values()  # type: ignore[misc]
    assert (seconds, counts[-1], len(counts)) == (0.3, 1, len(BUCKETS) + 1)
