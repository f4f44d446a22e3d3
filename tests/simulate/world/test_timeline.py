"""The phase that counts at each time, and the next cut."""

from __future__ import annotations

import dataclasses
import math

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.simulate.scenario.scenario import Phase
from aibridge_trio.simulate.world.timeline import HEALTHY, Timeline


def phase(start: float, length: float, *, cuts: bool = False) -> Phase:
    """Return a phase."""
    return Phase(start, start + length, "503", 1.0, None, cuts=cuts, slower=1.0, slots=None)


SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 10), st.booleans()), max_size=8)


@given(spans=SPANS, when=st.integers(-1, 31))
def test_of_phases_that_overlap_the_last_to_begin_counts(spans: list[tuple[int, int, bool]], when: int) -> None:
    """As looked up among all phases; of two that begin together the later in the file."""
    phases = [phase(start, length, cuts=cuts) for start, length, cuts in spans]
    running = [each for each in phases if each.start <= when < each.end]
    timeline = Timeline(phases)
    assert timeline.at(when) is (max(reversed(running), key=lambda each: each.start) if running else HEALTHY)
    cuts = [each.start for each in phases if each.cuts and each.start > when]
    assert timeline.next_cut(when) == min(cuts, default=math.inf)


def test_changes_are_the_starts_and_ends() -> None:
    """Each once, in order; before the first and after the last all is well."""
    timeline = Timeline([phase(5, 5), phase(8, 2), phase(1, 1)])
    assert timeline.changes == [1, 2, 5, 8, 10]
    assert timeline.at(0) is timeline.at(10) is HEALTHY


def test_slots_are_the_phases_else_the_curves() -> None:
    """The curve has equal parts of the duration, whose last one stays; 0 is no limit."""
    fewer = dataclasses.replace(phase(12, 5), slots=1)
    timeline = Timeline([fewer], 7, (4, 0, 6), 30.0)
    assert [timeline.slots(when) for when in (-1, 0, 9, 10, 12, 17, 20, 99)] == [
        4,
        4,
        4,
        math.inf,
        1,
        math.inf,
        6,
        6,
    ]
    assert timeline.changes == [10.0, 12, 17, 20.0]
    assert Timeline([], 7).slots(5) == 7
