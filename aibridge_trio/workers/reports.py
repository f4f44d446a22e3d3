"""What is known of all workers: of those that serve now, and the counts of those that have ended."""

from __future__ import annotations

from typing import Any

from aibridge_trio.telemetry.exposition_format import Family
from aibridge_trio.workers import documents, totals

# What a worker reports: its metrics, and its status document.
Report = tuple[list[Family], dict[str, Any]]


class Reports:
    """The last report of each worker, by its number."""

    def __init__(self) -> None:
        self._now: dict[int, Report] = {}
        self._families: list[Family] = []
        self._document: dict[str, Any] | None = None

    def heard(self, number: int, report: Report) -> None:
        """Remember what a worker has reported."""
        self._now[number] = report

    def ended(self, number: int) -> None:
        """Keep the counts of a worker that has ended, so that the sums do not go back."""
        if report := self._now.pop(number, None):
            families, document = report
            self._families = totals.total([self._families, totals.lasting(families)])
            former = [self._document] if self._document else []
            self._document = documents.together([documents.counts(document), *former])

    def of(self, number: int) -> dict[str, Any] | None:
        """Return a worker's last status document."""
        report = self._now.get(number)
        return report and report[1]

    def families(self, own: list[Family]) -> list[Family]:
        """Return the metrics of all; `own` are the supervisor's."""
        return totals.total([*(families for families, _ in self._now.values()), self._families, own])

    def document(self) -> dict[str, Any] | None:
        """Return the status of all; None if no worker has ever reported."""
        now = [document for _, document in self._now.values()]
        former = [self._document] if self._document else []
        return documents.together(now, former) if now else documents.together(former) if former else None

    def __repr__(self) -> str:
        return f"<Reports of {len(self._now)} workers>"
