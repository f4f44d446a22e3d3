"""What a bridge says of the store: the same in metrics and in the status document."""

from __future__ import annotations

import pytest

from aibridge_trio.sharing.store import Condition, OwnStore
from aibridge_trio.telemetry.sharing_report import SharingReport


def numbers(report: SharingReport) -> dict[str, object]:
    return {family.name: family.children[()] for family in report.families()}


def test_without_a_store() -> None:
    """All is there, at 0."""
    report = SharingReport(None, "aibridge")
    document = report.document()
    assert (document["url"], document["prefix"], document["condition"]) == (None, None, "own")
    assert (document["degraded"], document["replicas"], document["failures"]) == (False, 1, 0)
    found = numbers(report)
    assert (found["store_degraded"], found["store_replicas"], found["store_failures"]) == (0, 1, 0)


@pytest.mark.parametrize(
    ("condition", "degraded"), [("shared", 0), ("settling", 0), ("degraded", 1), ("closed", 1)]
)
def test_whether_it_is_away(condition: Condition, degraded: int) -> None:
    """1 while it is, whatever holds then."""
    report = SharingReport("redis://***@h", "p")
    store = OwnStore()
    store.condition, store.replicas = condition, 3
    report.store = store
    assert numbers(report)["store_degraded"] == degraded
    assert numbers(report)["store_replicas"] == 3
    assert report.document()["degraded"] is bool(degraded)
    assert report.document()["url"] == "redis://***@h"


def test_calls_are_counted() -> None:
    """Those with a reply by their time, with bounds that fit one round trip."""
    report = SharingReport("redis://h", "p")
    for seconds in (0.0002, 0.0007, 0.3, None):
        report.observe(seconds)
    assert numbers(report)["store_failures"] == 1
    [family] = [family for family in report.families() if family.kind == "histogram"]
    total, counts = family.children[()]  # type: ignore[misc]
    assert total == pytest.approx(0.3009)
    assert len(counts) == len(family.bounds)
    assert counts[0] == 1
    assert counts[-1] == 3
    assert report.document()["call_s"]["buckets"]["0.001"] == 2
