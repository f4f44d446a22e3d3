"""Rates of callers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.telemetry import status as status_room
from aibridge_trio.top.data import history as history_room
from aibridge_trio.top.data.document import Caller, Document
from tests.support.watched import STEPS, Step, pictured, played, said, watched


def calling(uptime: float, *callers: tuple[str, int]) -> Document:
    """A document with these callers and their requests."""
    return replace(said(uptime), callers=tuple(Caller(hint, requests, 0, 0) for hint, requests in callers))


def rates(*documents: Document) -> list[tuple[str, float | None]]:
    """Callers that are shown, and their rates."""
    return [(caller.hint, rate) for caller, rate in pictured(watched(*documents)).callers]


def test_the_busiest_of_the_interval_comes_first() -> None:
    """Callers are ordered by what they did lately, then by what they did ever."""
    old = calling(10.0, ("…aaaa", 900), ("…bbbb", 50), ("…cccc", 10), ("…dddd", 20))
    new = calling(20.0, ("…aaaa", 910), ("…bbbb", 100), ("…cccc", 10), ("…dddd", 20))
    assert rates(old, new) == [("…bbbb", 5.0), ("…aaaa", 1.0), ("…dddd", 0.0), ("…cccc", 0.0)]


def test_a_new_caller_counts_from_0() -> None:
    """A caller that is missing in an earlier complete list is new."""
    assert rates(calling(10.0), calling(20.0, ("…aaaa", 30))) == [("…aaaa", 3.0)]
    nineteen = [(f"…{number:04}", 5) for number in range(19)]
    assert ("…aaaa", 3.0) in rates(calling(10.0, *nineteen), calling(20.0, *nineteen, ("…aaaa", 30)))


def test_who_may_have_been_there_before_has_no_rate() -> None:
    """With twenty told, one more may have been there untold: its rate is not known."""
    twenty = [(f"…{number:04}", 5) for number in range(20)]
    assert ("…aaaa", None) in rates(calling(10.0, *twenty), calling(20.0, *twenty[1:], ("…aaaa", 30)))


def test_since_the_start_every_caller_is_known() -> None:
    """At the bridge's start there was no caller, so that twenty callers have rates since then."""
    twenty = [(f"…{number:04}", 50) for number in range(20)]
    assert {rate for _, rate in rates(calling(10.0, *twenty))} == {5.0}


@pytest.mark.parametrize("old", [[("…aaaa", 10)], [("…aaaa", 10), ("…aaaa", 5)]])
@pytest.mark.parametrize("new", [[("…aaaa", 40)], [("…aaaa", 40), ("…aaaa", 5)]])
def test_callers_that_look_alike_have_no_rate(old: list[tuple[str, int]], new: list[tuple[str, int]]) -> None:
    """Two callers behind one hint, now or before, cannot be told apart; the others are not touched by it."""
    expected = 3.0 if len(old) == len(new) == 1 else None
    found = rates(calling(10.0, *old, ("…bbbb", 0)), calling(20.0, *new, ("…bbbb", 10)))
    assert {rate for hint, rate in found if hint == "…aaaa"} == {expected}
    assert dict(found)["…bbbb"] == 1.0


def test_a_forgotten_caller_counts_from_0_again() -> None:
    """A caller whose count fell was forgotten meanwhile: what it has now is new."""
    assert rates(calling(10.0, ("…aaaa", 500)), calling(20.0, ("…aaaa", 30))) == [("…aaaa", 3.0)]


@given(STEPS, st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 99)), max_size=6))
def test_callers_are_all_shown_and_none_is_negative(steps: list[Step], callers: list[tuple[str, int]]) -> None:
    """Whatever came before, every caller of the document is shown, with a rate from 0 on or none."""
    world = played(steps, tells_start=True)
    last = world.documents[-1]
    shown = tuple(Caller(hint, requests, 0, 0) for hint, requests in callers)
    world.history.add(replace(last, uptime=last.uptime + 1.0, callers=shown), world.at + 1.0)
    found = pictured(world.history).callers
    assert sorted(str(caller) for caller, _ in found) == sorted(map(str, shown))
    assert all(rate is None or rate >= 0 for _, rate in found)


def test_as_many_callers_are_told_as_are_reckoned_with() -> None:
    """The status's bound on callers is the one that rates are worked out by."""
    assert history_room._MOST_CALLERS == status_room._SHOWN_CALLERS
