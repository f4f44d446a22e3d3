"""What is known of all workers."""

from __future__ import annotations

from typing import Any

from aibridge_trio.telemetry.exposition_format import Family
from aibridge_trio.workers.reports import Report, Reports


def report(requests: int, in_flight: int = 0) -> Report:
    """What a worker says that has had so many requests."""
    document: dict[str, Any] = {
        "requests": {"total": requests},
        "concurrency": {"in_flight": in_flight},
        "events": [],
        "callers": [],
    }
    families = [
        Family("counter", "requests", "", (), {(): requests}),
        Family("gauge", "requests_in_flight", "", (), {(): in_flight}),
    ]
    return families, document


def counted(reports: Reports) -> tuple[Any, Any, Any]:
    """The counter, the gauge, and the status document's counter."""
    found = {family.name: family.children[()] for family in reports.families([])}
    document = reports.document()
    assert document
    return found["requests"], found.get("requests_in_flight"), document["requests"]["total"]


def test_counters_never_go_back() -> None:
    """A worker that ends and begins anew keeps its counts, and nothing is in flight where it was."""
    reports = Reports()
    assert reports.document() is None
    reports.heard(1, report(10, 2))
    reports.heard(2, report(5, 1))
    assert counted(reports) == (15, 3, 15)
    reports.ended(1)
    assert counted(reports) == (15, 1, 15)
    reports.heard(1, report(1))
    assert counted(reports) == (16, 1, 16)
    reports.ended(1)
    reports.ended(1)
    reports.ended(2)
    assert counted(reports)[::2] == (16, 16)
    assert reports.of(1) is None
