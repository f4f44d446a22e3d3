"""What a fleet of replicas promises in all, and how far each promise was overshot."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import replace

from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.results.outcome import Outcome, Peaks
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers

# Times that differ by less are the same: sums of floats.
_SAME = 1e-9


class FleetMeasure(Measure):
    """The measurements of a run with replicas; what rejects say is not compared: the next try meets another."""

    def __init__(self, scenario: Scenario, replicas: int) -> None:
        super().__init__(scenario)
        self._replicas = replicas
        self._flying = self._most_flying = 0
        self._probes = self._most_probes = 0
        self._sent: defaultdict[int, list[float]] = defaultdict(list)
        self._spent: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
        self._open: defaultdict[str, int] = defaultdict(int)
        self._first_opened: dict[str, float] = {}
        self._known_after: list[float] = []

    def sent(self, call: Call, now: float) -> None:
        """Count a call to the provider, by its caller, and when it was counted."""
        super().sent(call, now)
        self._flying += 1
        self._most_flying = max(self._most_flying, self._flying)
        self._sent[call.request.caller].append(now if call.counted_at is None else call.counted_at)

    def came_back(self, *, good: bool, now: float) -> None:
        """Count the end of a call."""
        super().came_back(good=good, now=now)
        self._flying -= 1

    def refused(self, headers: Headers, now: float, guard: Hashable, true: float | None = None) -> None:  # noqa: ARG002
        """Count a reject."""
        self._refused += 1

    def opened(self, guard: Hashable, now: float) -> None:
        """Compare nothing."""

    def opened_or_closed(self, provider: str, now: float, *, opened: int) -> None:
        """Note when a provider's first breaker opens, and when all have."""
        self._open[provider] += opened
        if opened > 0 and self._open[provider] == 1:
            self._first_opened[provider] = now
        first = self._first_opened.get(provider)
        if first is not None and self._open[provider] in (0, self._replicas):
            del self._first_opened[provider]
            self._known_after.append(now - first if self._open[provider] else math.inf)

    def probing(self, more: int) -> None:
        """Count probes."""
        self._probes += more
        self._most_probes = max(self._most_probes, self._probes)

    def spending(self, caller: int, tokens: int, since: float, until: float) -> None:
        """Count tokens of a caller."""
        self._spent[caller] += [(since, tokens), (until, -tokens)]

    def outcome(self, name: str) -> Outcome:
        """Return all numbers and curves of the run, and the peaks."""
        return replace(super().outcome(name), peaks=self.peaks())

    def peaks(self) -> Peaks:
        """Return the most that there was."""
        known = [*self._known_after, *(math.inf for _ in self._first_opened)]
        return Peaks(
            in_flight=self._most_flying,
            rate=max((_in_a_second(times) for times in self._sent.values()), default=0),
            tokens=max((_at_once(changes) for changes in self._spent.values()), default=0),
            probes=self._most_probes,
            known_after=max(known, default=None),
        )


def _in_a_second(times: Iterable[float]) -> int:
    """Return how many of them are in one second at most."""
    most = first = 0
    ordered = sorted(times)
    for last, when in enumerate(ordered):
        while ordered[first] <= when - 1.0 + _SAME:
            first += 1
        most = max(most, last - first + 1)
    return most


def _at_once(changes: Iterable[tuple[float, int]]) -> int:
    """Return the largest sum of changes up to a time; those that take away come first."""
    most = total = 0
    for _, change in sorted(changes):
        total += change
        most = max(most, total)
    return most
