"""Reports of frequent occurrences: at most one per second, with the count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

# Minimum time between two reports (seconds).
_INTERVAL = 1.0

_Item = TypeVar("_Item")


class Throttled(Generic[_Item]):
    """Reports an item at once if a second has passed since the last report; else when it has, while `run` runs.

    `report` gets the latest item, and the number of items since the last report.
    """

    def __init__(self, report: Callable[[_Item, int], None]) -> None:
        self._report = report
        self._count = 0
        self._latest: _Item | None = None
        self._next_report = -float("inf")
        self._added = trio.Event()

    def add(self, item: _Item) -> None:
        """Count an item, and report it if one is due."""
        self._latest = item
        self._count += 1
        if trio.current_time() >= self._next_report:
            self._flush()
        else:
            self._added.set()

    async def run(self) -> None:
        """Report delayed items when the interval is over, and at once when cancelled."""
        try:
            while True:
                await self._added.wait()
                self._added = trio.Event()
                await trio.sleep_until(self._next_report)
                self._flush()
        finally:
            self._flush()

    def _flush(self) -> None:
        if self._latest is not None:
            item, count = self._latest, self._count
            self._latest, self._count = None, 0
            self._next_report = trio.current_time() + _INTERVAL
            self._report(item, count)
