"""Publishes when the adaptive limiters begin and end to limit requests.

Looks at each limiter once a second, and after a change of one leaves it alone for ten, so that a provider that
comes and goes causes few events. What begins and ends between two looks is not published.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import trio

from aibridge_trio.core.adaptive import words
from aibridge_trio.core.adaptive.limiter import AdaptiveStats
from aibridge_trio.events import Limitation, LimitChanged, Publish
from aibridge_trio.gateway.adaptive_line import AdaptiveLine

# Seconds between two looks, and after a change.
_INTERVAL, _REST = 1.0, 10.0


class _Limits(NamedTuple):
    """Which limits a limiter has learned."""

    outage: bool = False
    bound: bool = False
    pace: bool = False

    @property
    def limitation(self) -> Limitation:
        return "outage" if self.outage else "limited" if self.bound or self.pace else "unlimited"

    @classmethod
    def of(cls, stats: AdaptiveStats) -> _Limits:
        governor = stats.governor
        return cls(governor.outage, governor.bound < math.inf, governor.pace < math.inf)


class LimitChanges:
    """Compares what the limiters of some lines have learned with what they had, and publishes the changes."""

    def __init__(self, lines: Iterable[AdaptiveLine], publish: Publish) -> None:
        self._publish = publish
        self._known: dict[str, _Limits] = {}
        self._next_look: dict[str, float] = {}
        self._changed = trio.Event()
        self.apply(lines)

    def apply(self, lines: Iterable[AdaptiveLine]) -> None:
        """Look at these lines from now on; what is known of those that stay is kept."""
        self._lines: Mapping[str, AdaptiveLine] = {line.provider: line for line in lines}
        self._known = {name: self._known.get(name, _Limits()) for name in self._lines}
        self._next_look = {name: self._next_look.get(name, -math.inf) for name in self._lines}
        self._changed.set()

    async def run(self) -> None:
        """Look at the lines every second, until cancelled."""
        while True:
            while not self._lines:
                self._changed = trio.Event()
                await self._changed.wait()
            await trio.sleep(_INTERVAL)
            for name, line in self._lines.items():
                now = line.clock()
                if now >= self._next_look[name]:
                    self._look(line, now)

    def __repr__(self) -> str:
        return f"<LimitChanges of {len(self._lines)} lines>"

    def _look(self, line: AdaptiveLine, now: float) -> None:
        stats = line.limiter.statistics(now)
        before, after = self._known[line.provider], _Limits.of(stats)
        self._known[line.provider] = after
        source, target = before.limitation, after.limitation
        learned = (after.bound and not before.bound) or (after.pace and not before.pace)
        if source != target or (target == "limited" and learned):
            self._next_look[line.provider] = now + _REST
            because = words.limits(stats) or ("outage over" if before.outage else "no limit any more")
            self._publish(LimitChanged(line.provider, source, target, because))
