"""What may happen a thousand times a second and is told at most once a second, with how often it happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

# Between two tellings (seconds).
_PAUSE = 1.0

_What = TypeVar("_What")


class Throttled(Generic[_What]):
    """Tells at once of what comes after a second of silence; of what follows later, while `run` runs.

    `tell` is given the latest, and how many there were since the last telling.
    """

    def __init__(self, tell: Callable[[_What, int], None]) -> None:
        self._tell = tell
        self._count = 0
        self._latest: _What | None = None
        self._silent_until = -float("inf")
        self._news = trio.Event()

    def add(self, what: _What) -> None:
        """Count one."""
        self._latest = what
        self._count += 1
        if trio.current_time() >= self._silent_until:
            self._say()
        else:
            self._news.set()

    async def run(self) -> None:
        """Tell of what came in silence when that is over; at the end at once."""
        try:
            while True:
                await self._news.wait()
                self._news = trio.Event()
                await trio.sleep_until(self._silent_until)
                self._say()
        finally:
            self._say()

    def _say(self) -> None:
        if self._latest is not None:
            what, count = self._latest, self._count
            self._latest, self._count = None, 0
            self._silent_until = trio.current_time() + _PAUSE
            self._tell(what, count)
