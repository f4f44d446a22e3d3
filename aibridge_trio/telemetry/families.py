"""A family of metrics, made of the counts by their labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from aibridge_trio.telemetry.counters import BUCKETS, Histogram
from aibridge_trio.telemetry.exposition_format import Family

_KNOWN = range(100, 600)

# A child's label values; numbers are HTTP statuses.
_Labels = TypeVar("_Labels", bound=tuple[str | int, ...])


def counter(name: str, text: str, labels: Iterable[str], children: Mapping[_Labels, float]) -> Family:
    """Return a counter with its children; those that become one by their labels are added up."""
    sums: defaultdict[tuple[str, ...], float] = defaultdict(int)
    for values, count in children.items():
        sums[tuple(map(_label, values))] += count
    return Family("counter", name, text, tuple(labels), dict(sums))


def gauge(name: str, text: str, labels: Iterable[str], children: Mapping[_Labels, float]) -> Family:
    """Return a gauge with its children."""
    now = {tuple(map(_label, values)): number for values, number in children.items()}
    return Family("gauge", name, text, tuple(labels), now)


def histogram(name: str, text: str, labels: Iterable[str], children: Mapping[_Labels, Histogram]) -> Family:
    """Return a histogram of seconds with its children, which have the same bounds."""
    now = {
        tuple(map(_label, words)): (histogram.sum, tuple(count for _, count in histogram.cumulative()))
        for words, histogram in children.items()
    }
    bounds = next((each.bounds for each in children.values()), BUCKETS)
    return Family("histogram", name, text, tuple(labels), now, (*(str(float(bound)) for bound in bounds), "+Inf"))


def singles(counts: Mapping[str, int]) -> dict[tuple[str], int]:
    """Return the children of a family with one label."""
    return {(name,): count for name, count in counts.items()}


def _label(value: str | int) -> str:
    """Return a label value; a status outside of 100 to 599, which a provider may send, is `other`."""
    return str(value) if isinstance(value, str) or value in _KNOWN else "other"
