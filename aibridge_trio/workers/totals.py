"""The metrics of all workers: counters and histograms are added up, of gauges each has its rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce

from aibridge_trio.telemetry.exposition_format import Family, Labels, Value

# Gauges of what each worker has for itself. The others are the same for all, or tell of the worst: the highest
# counts.
ADDED = frozenset(
    {
        *("requests_in_flight", "provider_requests_in_flight", "queue_size", "queue_waiting", "connections"),
        *("adaptive_bound", "adaptive_window", "adaptive_pace", "adaptive_held", "adaptive_held_callers"),
        *("adaptive_resend_budget", "process_resident_memory_bytes", "process_virtual_memory_bytes"),
    }
)
LOWEST = frozenset({"circuit_breaker_ramp_share", "quota_remaining", "process_start_time_seconds"})


def total(every: Iterable[Iterable[Family]]) -> list[Family]:
    """Return the families of all, each once, in the order in which they were found first."""
    found: dict[str, list[Family]] = {}
    for families in every:
        for family in families:
            found.setdefault(family.name, []).append(family)
    return [_together(families) for families in found.values()]


def lasting(families: Iterable[Family]) -> list[Family]:
    """Return what stays of a worker that has ended: its counts."""
    return [family for family in families if family.kind != "gauge"]


def _together(families: Sequence[Family]) -> Family:
    if len(families) == 1:
        return families[0]
    first = families[0]
    rule = _rule(first)
    values: dict[Labels, list[Value]] = {}
    for family in families:
        for labels, value in family.children.items():
            values.setdefault(labels, []).append(value)
    children: Mapping[Labels, Value] = {labels: reduce(rule, some) for labels, some in values.items()}
    return first._replace(children=children)


def _rule(family: Family) -> Callable[[Value, Value], Value]:
    if family.kind != "gauge" or family.name in ADDED:
        return _sum
    return _lower if family.name in LOWEST else _higher


def _sum(one: Value, other: Value) -> Value:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return one[0] + other[0], tuple(a + b for a, b in zip(one[1], other[1], strict=True))
    assert not isinstance(one, tuple)
    assert not isinstance(other, tuple)
    return one + other


def _higher(one: Value, other: Value) -> Value:
    return other if _number(other) > _number(one) else one


def _lower(one: Value, other: Value) -> Value:
    return other if _number(other) < _number(one) else one


def _number(value: Value) -> float:
    assert not isinstance(value, tuple)
    return value
