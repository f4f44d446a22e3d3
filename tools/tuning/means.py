"""Means over the days of one row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from aibridge_trio.simulate.results.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Mean:
    """Means over days, and the median of the recovery time; None where there is nothing to measure."""

    shares: tuple[float, ...]
    wasted: float
    wasted_share: float
    fairness: float
    wait_p50: float | None
    wait_p99: float | None
    told: float | None
    back: float | None

    @property
    def share(self) -> float:
        """The share of requests that were served."""
        return fmean(self.shares)

    def against(self, other: Mean) -> tuple[float, float]:
        """Return the mean difference in shares served, day by day, and its standard error."""
        differences = [mine - theirs for mine, theirs in zip(self.shares, other.shares, strict=True)]
        error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
        return fmean(differences), error


def mean(days: Sequence[Outcome]) -> Mean:
    """Return the means of some days."""
    backs = [each.recovery for each in days if each.recovery is not None]
    return Mean(
        shares=tuple(each.share for each in days),
        wasted=fmean(each.wasted for each in days),
        wasted_share=fmean(each.wasted_share for each in days),
        fairness=fmean(each.fairness for each in days),
        wait_p50=_of(each.wait_p50 for each in days),
        wait_p99=_of(each.wait_p99 for each in days),
        told=_of(each.told_p50 for each in days),
        back=median(backs) if backs else None,
    )


def _of(values: Iterable[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return fmean(known) if known else None
