"""What phases and a curve of slots make of a provider over time: known in advance."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from aibridge_trio.simulate.scenario.scenario import Phase

HEALTHY = Phase(0.0, math.inf, "none", 0.0, None, cuts=False, slower=1.0, slots=None)


class Timeline:
    """The phase that counts at each time, of those that overlap the one that began last; and the slots.

    These are the phase's, else the curve's in equal parts of `duration`, else `slots`; 0 is no limit.
    """

    def __init__(
        self, phases: Sequence[Phase], slots: int = 0, curve: Sequence[int] = (), duration: float = math.inf
    ) -> None:
        self._curve = curve or (slots,)
        self._starts = [
            number * duration / len(self._curve) if number else 0.0 for number in range(len(self._curve))
        ]
        starts = sorted(range(len(phases)), key=lambda number: phases[number].start)
        begun: list[Phase] = []
        coming = iter([*(phases[number] for number in starts), None])
        following = next(coming)
        spans = [each for phase in phases for each in (phase.start, phase.end)]
        self.changes: list[float] = sorted(dict.fromkeys([*spans, *self._starts[1:]]))
        self._phases: list[Phase] = []
        for now in self.changes:
            while following and following.start <= now:
                begun.append(following)
                following = next(coming)
            begun = [phase for phase in begun if phase.end > now]
            self._phases.append(begun[-1] if begun else HEALTHY)
        self.cuts: list[float] = sorted(dict.fromkeys(phase.start for phase in phases if phase.cuts))

    def at(self, when: float) -> Phase:
        """Return the phase that counts at this time."""
        number = bisect_right(self.changes, when)
        return self._phases[number - 1] if number else HEALTHY

    def slots(self, when: float) -> float:
        """Return the slots at this time; infinite without a limit."""
        own = self.at(when).slots
        part = bisect_right(self._starts, when) - 1
        return (self._curve[max(part, 0)] if own is None else own) or math.inf

    def next_cut(self, now: float) -> float:
        """Return when the answers under way break next; infinite if they do not."""
        number = bisect_right(self.cuts, now)
        return self.cuts[number] if number < len(self.cuts) else math.inf
