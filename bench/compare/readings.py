"""What was measured, and what is made of it: medians, and medians of ratios taken round by round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

# From here on three digits are no fraction.
_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Reading:
    """One number: of which peer, in which round; `quantity` names its unit, as in `p50_ms@32`."""

    peer: str
    quantity: str
    value: float
    round: int = 0


class Readings:
    """All numbers of a run."""

    def __init__(self, readings: Iterable[Reading] = ()) -> None:
        self.all = list(readings)

    def values(self, peer: str, quantity: str) -> dict[int, float]:
        """Return a peer's values by round."""
        return {each.round: each.value for each in self.all if each.peer == peer and each.quantity == quantity}

    def peers(self, quantity: str) -> list[str]:
        """Return who has such a number, in the order of measuring."""
        return list(dict.fromkeys(each.peer for each in self.all if each.quantity == quantity))

    def median(self, peer: str, quantity: str) -> float | None:
        """Return the middle of a peer's rounds, None when there are none."""
        found = self.values(peer, quantity)
        return median(found.values()) if found else None

    def ratio(self, peer: str, quantity: str, to: str, quantity_to: str | None = None) -> float | None:
        """Return the median of the ratios of rounds that both have: noise that hits both at once cancels out."""
        above, below = self.values(peer, quantity), self.values(to, quantity_to or quantity)
        ratios = [above[each] / below[each] for each in above.keys() & below.keys() if below[each]]
        return median(ratios) if ratios else None


def short(number: float) -> str:
    """Return a number with three digits that count."""
    return f"{number:,.0f}" if number >= _WHOLE else f"{number:.3g}"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of the values do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, ceil(len(ranked) * percent / 100) - 1)]
