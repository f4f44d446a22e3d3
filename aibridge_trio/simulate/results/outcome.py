"""The numbers of one run, and how they are computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Recovered: answers begin at this share of the rate before, in a window of so many seconds.
_BACK, _WINDOW = 0.9, 10
# The start-up phase, which is not representative (seconds).
_WARM = 10


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves with a point every `step` seconds: the first three are rates per second, the others as sampled."""

    step: float
    wanted: list[float]
    goodput: list[float]
    wasted: list[float]
    in_flight: list[int]
    waiting: list[int]
    state: list[str]


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most that there was at once, of all replicas together.

    in_flight   Calls at the providers.
    rate        Calls of one caller in any second.
    tokens      Tokens that one caller's limit should have counted at once.
    probes      Half-open probes.
    known_after The longest time from the first replica's breaker that opened until all were open (seconds):
                infinite if they never were, None if none opened.
    """

    in_flight: int
    rate: int
    tokens: int
    probes: int
    known_after: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a scenario under one policy, in seconds; None where there is nothing to measure.

    `peaks` are those of replicas.
    """

    name: str
    wanted: int
    served: int
    gave_up: int
    left: int
    goodput: float
    share: float
    share_by_caller: float  # mean of the callers' shares
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
    told_share_p5: float | None  # of the true wait
    told_share_p95: float | None
    recovery: float | None  # infinite: not before the end
    curves: Curves
    peaks: Peaks | None = None

    @property
    def wasted_share(self) -> float:
        """The share of the calls to the provider that were wasted, 0 to 1."""
        return self.wasted / self.calls if self.calls else 0.0


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the least value that `share` (0 to 1) of them do not exceed; None of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def fair(wanted: Sequence[int], served: Sequence[int]) -> float:
    """Return Jain's index of each caller's part of its fair share: 1 is fair, 1/n means that one of n got all.

    The fair share is max-min fair: the same for each caller, but at most its demand. Relative to demand alone, a
    caller that asks for ten times as much would be owed ten times as much.
    """
    demands = [(want, got) for want, got in zip(wanted, served, strict=True) if want]
    total = sum(got for _, got in demands)
    if not total:
        return 1.0
    level = _level(sorted(want for want, _ in demands), total)
    parts = [got / min(want, level) for want, got in demands]
    return sum(parts) ** 2 / (len(parts) * sum(part**2 for part in parts))


def by_caller(wanted: Sequence[int], served: Sequence[int]) -> float:
    """Return the mean over callers of the share of their requests that were served."""
    parts = [got / want for want, got in zip(wanted, served, strict=True) if want]
    return sum(parts) / len(parts) if parts else 1.0


def _level(wants: Sequence[int], total: float) -> float:
    """Return the max-min fair level: the most that one caller gets of `total`."""
    left = total
    for number, want in enumerate(wants):
        level = left / (len(wants) - number)
        if want >= level:
            return level
        left -= want
    return float(wants[-1])


def recovery(begun: Sequence[int], troubles: Sequence[tuple[float, float]], duration: float) -> float | None:
    """Return seconds from the end of the last trouble until answers begin at 90 % of the rate before the first.

    `begun` are answers that began, by second. None without a trouble, or without enough time before or after it.
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
