"""The latest requests, kept as they were published, to be explained when someone asks; in bounded memory.

Those that were answered well are kept in one ring. Those that were refused, failed or broke off are in a longer
one, and once more in a ring for each group of callers: a flood of one caller does not push out those of others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from aibridge_trio.core.breaker.verdict import ERRORS_FROM
from aibridge_trio.events import Finished, Handlers
from aibridge_trio.telemetry.explanation import document

# How many are kept; each has about a kilobyte.
WELL, REFUSED = 2048, 4096
GROUPS, OF_GROUP = 64, 32
# How many of the same id are shown, and refusals in a list, at most.
SHOWN = 100


class RecentRequests:
    """Keeps the latest `Finished`. `clock` is that of their times, `wall_clock` the Unix time (seconds)."""

    def __init__(self, clock: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._well: deque[Finished] = deque(maxlen=WELL)
        self._refused: deque[Finished] = deque(maxlen=REFUSED)
        self._of_groups: list[deque[Finished]] = [deque(maxlen=OF_GROUP) for _ in range(GROUPS)]
        self.handlers: Handlers = {Finished: self._finished}

    def _finished(self, event: Finished) -> None:
        if event.reject is None and event.status < ERRORS_FROM and not event.broken:
            self._well.append(event)
            return
        self._refused.append(event)
        caller = event.caller
        self._of_groups[hash(caller.key) % GROUPS if caller else 0].append(event)

    def find(self, request_id: str) -> list[dict[str, Any]]:
        """Return all that had this id and are kept, the oldest first, as JSON types with their explanation."""
        kept = [event for event in self._all() if event.request_id == request_id]
        return [self._shown(event, explained=True) for event in kept[-SHOWN:]]

    def refused(self) -> list[dict[str, Any]]:
        """Return the latest that were refused, failed or broke off, the latest first, without explanation."""
        latest = [event for _, event in zip(range(SHOWN), reversed(self._refused), strict=False)]
        return [self._shown(event) for event in latest]

    def __repr__(self) -> str:
        return f"<RecentRequests {len(self._well)} well, {len(self._refused)} refused>"

    def _all(self) -> list[Finished]:
        rings: Iterable[deque[Finished]] = (self._well, self._refused, *self._of_groups)
        found = {id(event): event for ring in rings for event in ring}
        return sorted(found.values(), key=lambda event: event.at)

    def _shown(self, event: Finished, *, explained: bool = False) -> dict[str, Any]:
        return document(event, self._wall_clock() - (self._clock() - event.at), explained=explained)
