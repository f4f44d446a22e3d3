"""The numbers of one play, and how they are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Back means this share of what was begun a second before, in a window of so many seconds.
_BACK, _WINDOW = 0.9, 10
# What comes first is a start from nothing (seconds).
_WARM = 10


@dataclass(frozen=True, slots=True)
class Curves:
    """How things went: a point every `step` seconds; the first three are a second, the others as they stood."""

    step: float
    wanted: list[float]
    goodput: list[float]
    wasted: list[float]
    in_flight: list[int]
    waiting: list[int]
    state: list[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario under one policy. Seconds; None where nothing is to be said."""

    name: str
    wanted: int
    served: int
    gave_up: int
    left: int
    goodput: float
    share: float
    share_by_caller: float  # each caller counting the same, however much it wants
    tries: int
    calls: int
    wasted: int
    refused: int
    unsaid: int
    trips: int
    fairness: float
    wait_p50: float | None
    wait_p99: float | None
    told_p5: float | None
    told_p50: float | None
    told_p95: float | None
    recovery: float | None  # infinite: never, as long as was looked
    curves: Curves

    @property
    def wasted_share(self) -> float:
        """Which share of the calls to the provider was in vain."""
        return self.wasted / self.calls if self.calls else 0.0


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the least value that so many are not above, None of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def fair(wanted: Sequence[int], served: Sequence[int]) -> float:
    """Return Jain's index of what callers got of their fair share: 1 is fair, 1/n is all for one of n.

    The fair share is what max-min fairness makes of all that was served: everybody the same, but nobody more than
    they wanted. Relative to demand alone, who asks for ten times as much would be owed ten times as much.
    """
    demands = [(want, got) for want, got in zip(wanted, served, strict=True) if want]
    total = sum(got for _, got in demands)
    if not total:
        return 1.0
    level = _level(sorted(want for want, _ in demands), total)
    parts = [got / min(want, level) for want, got in demands]
    return sum(parts) ** 2 / (len(parts) * sum(part**2 for part in parts))


def by_caller(wanted: Sequence[int], served: Sequence[int]) -> float:
    """Return which share of a caller's wishes is fulfilled, on average of the callers."""
    parts = [got / want for want, got in zip(wanted, served, strict=True) if want]
    return sum(parts) / len(parts) if parts else 1.0


def _level(wants: Sequence[int], total: float) -> float:
    """Return up to where wants are met if `total` is shared out like water."""
    left = total
    for number, want in enumerate(wants):
        level = left / (len(wants) - number)
        if want >= level:
            return level
        left -= want
    return float(wants[-1])


def recovery(begun: Sequence[int], troubles: Sequence[tuple[float, float]], duration: float) -> float | None:
    """Return how long after the last trouble answers began at 90 % of the rate before the first one.

    `begun` are answers that began, by second. None without a trouble that has a before and an after.
    """
    if not troubles:
        return None
    first, back = troubles[0][0], max(end for _, end in troubles)
    if back + _WINDOW > duration or first < 2 * _WARM:
        return None
    before = begun[_WARM : int(first)]
    enough = _BACK * sum(before) / len(before) * _WINDOW
    for second in range(math.ceil(back), int(duration) - _WINDOW + 1):
        if sum(begun[second : second + _WINDOW]) >= enough:
            return second - back
    return math.inf
