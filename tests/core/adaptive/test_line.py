"""The line of held requests."""

from __future__ import annotations

import math

from aibridge_trio.core.adaptive.entry import Entry
from aibridge_trio.core.adaptive.line import Line
from aibridge_trio.core.adaptive.patience import Patience


def free(_: Entry) -> float:
    """Return that an entry may go."""
    return -math.inf


def test_turns_go_round_by_caller() -> None:
    """One caller's ten requests delay another's by one turn."""
    line = Line(100, Patience())
    for number in range(3):
        line.push(Entry("greedy", came=number), 0.0)
    line.push(Entry("modest", came=5.0), 5.0)
    turns = [line.pop(free, 6.0) for _ in range(5)]
    assert [entry and entry.caller for entry in turns] == ["greedy", "modest", "greedy", "greedy", None]


def test_requests_beyond_their_callers_patience_come_last() -> None:
    """The oldest of those that still have a chance goes first."""
    patience = Patience()
    patience.left("a", 60.0)
    line = Line(100, patience)
    entries = [Entry("a", came=came) for came in (0.0, 10.0, 50.0, 70.0)]
    for entry in entries:
        line.push(entry, 70.0)
    assert [line.pop(free, 100.0) for _ in entries] == [entries[2], entries[3], entries[1], entries[0]]


def test_a_parked_caller_has_no_turn_until_its_time_or_until_it_is_unparked() -> None:
    """Its key has no capacity."""
    line = Line(100, Patience())
    line.push(Entry("a"), 0.0)
    assert line.pop(lambda _: 5.0, 0.0) is None
    assert line.next_due() == 5.0
    assert line.pop(free, 4.9) is None
    assert line.pop(lambda _: math.inf, 5.0) is None
    assert line.next_due() == math.inf
    line.unpark("a")
    assert line.pop(free, 5.1)
    assert not line.count


def test_a_resting_request_goes_before_its_callers_others_once_it_may() -> None:
    """It was pushed back, and came before them."""
    line = Line(100, Patience())
    resting, other = Entry("a", not_before=3.0), Entry("a", came=1.0)
    line.push(resting, 1.0, first=True)
    line.push(other, 1.0)
    assert line.next_due() == 3.0
    assert line.pop(free, 3.0) is resting
    assert line.pop(free, 3.0) is other


def test_one_caller_gets_half_of_the_line() -> None:
    """There is always a place for another caller."""
    line = Line(10, Patience())
    while line.accepts("a"):
        line.push(Entry("a"), 0.0)
    assert line.count == 5
    assert line.accepts("b")


def test_callers_of_low_priority_are_served_behind_others_and_never_starved() -> None:
    """One turn of ten."""
    line = Line(1000, Patience())
    for number in range(40):
        line.push(Entry("a", came=number), 0.0)
        line.push(Entry("b", came=number, low=True), 0.0)
    turns = [line.pop(free, 0.0) for _ in range(20)]
    assert sum(entry is not None and entry.low for entry in turns) == 2


def test_an_entry_leaves_from_wherever_it_stands() -> None:
    """Resting, given up, or in turn."""
    patience = Patience()
    patience.left("a", 10.0)
    line = Line(100, patience)
    resting, old, fresh = Entry("a", not_before=99.0), Entry("a", came=0.0), Entry("a", came=50.0)
    for entry in (resting, old, fresh):
        line.push(entry, 50.0)
    line.pop(lambda _: math.inf, 50.0)
    for entry in (old, resting, fresh):
        line.remove(entry)
    assert (line.count, line.callers) == (0, 0)


def test_all_parked_callers_may_have_turns_again() -> None:
    """When what they share has become free: a limit of their class."""
    line = Line(9, Patience())
    for caller in "ab":
        line.push(Entry(caller), 0.0)
    assert line.pop(lambda _: math.inf, 0.0) is None
    assert line.pop(lambda _: 0.0, 0.0) is None
    line.unpark(None)
    assert [entry.caller for _ in "ab" if (entry := line.pop(lambda _: 0.0, 0.0))] == ["a", "b"]
