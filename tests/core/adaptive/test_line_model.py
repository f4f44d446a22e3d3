"""The line against a naive one: lists, and for each caller when it joined the round or had its last turn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aibridge_trio.core.adaptive.entry import Entry
from aibridge_trio.core.adaptive.line import Line
from aibridge_trio.core.adaptive.patience import Patience

CALLERS = "abcd"


@dataclass
class Lane:
    """One caller's entries; `stamp` is None for a caller that is in no round."""

    low: bool
    fresh: list[Entry] = field(default_factory=list)
    given_up: list[Entry] = field(default_factory=list)
    resting: list[tuple[float, int, Entry]] = field(default_factory=list)
    parked: tuple[float, int] | None = None
    stamp: int | None = None

    @property
    def entries(self) -> list[Entry]:
        return [*self.fresh, *self.given_up, *(entry for *_, entry in self.resting)]


class Naive:
    """Does all work anew in each call."""

    def __init__(self, size: int, patience: Patience) -> None:
        self.size = size
        self.patience = patience
        self.lanes: dict[str, Lane] = {}
        self.numbers = count()
        self.passed = 0  # turns that passed callers of low priority

    @property
    def entries(self) -> list[Entry]:
        return [entry for lane in self.lanes.values() for entry in lane.entries]

    def tidy(self) -> None:
        """Only callers with an entry that may go are in a round."""
        self.lanes = {caller: lane for caller, lane in self.lanes.items() if lane.entries}
        for lane in self.lanes.values():
            if lane.parked or not (lane.fresh or lane.given_up):
                lane.stamp = None
            elif lane.stamp is None:
                lane.stamp = next(self.numbers)

    def push(self, entry: Entry, now: float, *, first: bool) -> None:
        lane = self.lanes.setdefault(str(entry.caller), Lane(low=entry.low))
        if lane.low != entry.low:
            lane.low, lane.stamp = entry.low, None
        if entry.not_before > now:
            lane.resting.append((entry.not_before, next(self.numbers), entry))
        else:
            lane.fresh.insert(0 if first else len(lane.fresh), entry)
        self.tidy()

    def remove(self, entry: Entry) -> None:
        lane = self.lanes[str(entry.caller)]
        lane.fresh = [each for each in lane.fresh if each is not entry]
        lane.given_up = [each for each in lane.given_up if each is not entry]
        lane.resting = [each for each in lane.resting if each[2] is not entry]
        self.tidy()

    def due(self) -> list[tuple[float, int, Lane, Entry | None]]:
        """The ends of all rests and parkings that have one, in order."""
        rests = [(*each[:2], lane, each[2]) for lane in self.lanes.values() for each in lane.resting]
        parkings = [(*lane.parked, lane, None) for lane in self.lanes.values() if lane.parked]
        return sorted([each for each in [*rests, *parkings] if each[0] < math.inf], key=lambda each: each[:2])

    def pop(self, frees: dict[str, float], now: float) -> Entry | None:
        for when, _, lane, entry in self.due():
            if when > now:
                break
            if entry is None:
                lane.parked = None
                if lane.fresh or lane.given_up:
                    lane.stamp = -next(self.numbers)  # the next turn
            else:
                lane.resting = [each for each in lane.resting if each[2] is not entry]
                lane.fresh.insert(0, entry)
            self.tidy()
        parked = 0
        low_first = self.passed >= 9
        while True:
            waiting = [
                (lane.low != low_first, lane.stamp, each)
                for each, lane in self.lanes.items()
                if lane.stamp is not None
            ]
            if not waiting or parked == 16:
                return None
            caller = min(waiting)[2]
            lane = self.lanes[caller]
            oldest = now - self.patience.expected(caller)
            while lane.fresh and lane.fresh[0].came < oldest:
                lane.given_up.append(lane.fresh.pop(0))
            if frees[caller] > now:
                lane.parked = frees[caller], next(self.numbers)
                self.tidy()
                parked += 1
                continue
            entry = lane.fresh[0] if lane.fresh else lane.given_up[-1]
            low_waits = any(each.low and each.stamp is not None for each in self.lanes.values())
            self.passed = 0 if lane.low else self.passed + low_waits
            lane.stamp = next(self.numbers)
            self.remove(entry)
            return entry

    def unpark(self, caller: str) -> None:
        if caller in self.lanes:
            self.lanes[caller].parked = None
            self.tidy()


class Machine(RuleBasedStateMachine):
    """Both get the same calls; the clock goes on or stands still."""

    @initialize(size=st.integers(1, 12))
    def begin(self, size: int) -> None:
        self.patience = Patience()
        self.line = Line(size, self.patience)
        self.naive = Naive(size, self.patience)
        self.now = 1000.0
        self.popped: list[Entry] = []

    @rule(caller=st.sampled_from(CALLERS), age=st.sampled_from([0, 1, 20]), low=st.booleans())
    def push(self, caller: str, age: float, low: bool) -> None:
        count = sum(entry.caller == caller for entry in self.naive.entries)
        accepts = count < self.naive.size - len(self.naive.entries)
        assert self.line.accepts(caller) == accepts
        if accepts:
            entry = Entry(caller, came=self.now - age, low=low and caller > "b")
            self.line.push(entry, self.now)
            self.naive.push(entry, self.now, first=False)

    @rule(data=st.data(), rest=st.sampled_from([0.0, 0.0, 0.5, 3.0]))
    def push_back(self, data: st.DataObject, rest: float) -> None:
        """What was popped may return, to a full line, too."""
        if self.popped:
            entry = self.popped.pop(data.draw(st.integers(0, len(self.popped) - 1)))
            entry.not_before = self.now + rest
            self.line.push(entry, self.now, first=True)
            self.naive.push(entry, self.now, first=True)

    @rule(waits=st.fixed_dictionaries({each: st.sampled_from([0.0, 0.0, 0.5, 2.0, math.inf]) for each in CALLERS}))
    def pop(self, waits: dict[str, float]) -> None:
        frees = {caller: self.now + wait for caller, wait in waits.items()}
        entry = self.line.pop(lambda each: frees[str(each.caller)], self.now)
        assert entry is self.naive.pop(frees, self.now)
        if entry:
            self.popped.append(entry)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.naive.entries:
            entry = data.draw(st.sampled_from(self.naive.entries))
            self.line.remove(entry)
            self.naive.remove(entry)

    @rule(caller=st.sampled_from(CALLERS), waited=st.sampled_from([0.1, 5.0, 15.0, 60.0]))
    def lose_patience(self, caller: str, waited: float) -> None:
        self.patience.left(caller, waited)

    @rule(caller=st.sampled_from(CALLERS))
    def unpark(self, caller: str) -> None:
        self.line.unpark(caller)
        self.naive.unpark(caller)

    @rule(seconds=st.sampled_from([0.25, 0.5, 2.5, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def wait_until_due(self) -> None:
        due = self.line.next_due()
        if due < math.inf:
            self.now = max(self.now, due)

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "line"):
            return
        assert self.line.count == len(self.naive.entries)
        assert self.line.callers == len(self.naive.lanes)
        assert self.line.has_turns == any(lane.stamp is not None for lane in self.naive.lanes.values())
        due = self.naive.due()
        assert self.line.next_due() == (due[0][0] if due else math.inf)
        assert len(self.line._due) <= 4 * (self.line.count + 20) + 64


def test_the_line_does_what_the_naive_one_does() -> None:
    """Turns, patience, rests, parking, priorities and sizes are those of lists, and nothing is lost or doubled."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=100, stateful_step_count=50, deadline=None))


def test_a_callers_turn_comes_after_one_of_each_other_caller_at_most() -> None:
    """However many requests the others have, and whenever they came."""
    line = Line(10_000, Patience())
    for number in range(1000):
        line.push(Entry(f"greedy {number % 9}"), 0.0)
    for _ in range(100):
        line.push(Entry("modest"), 0.0)
        turns = 1
        while (entry := line.pop(lambda _: -math.inf, 0.0)) and entry.caller != "modest":
            turns += 1
        assert turns <= 10


def test_the_work_of_a_turn_does_not_depend_on_how_many_are_held() -> None:
    """Of ten thousand requests of a thousand callers a few are asked for at once, and each caller's once."""
    line, asked = Line(10_000, Patience()), 0

    def not_yet(_: Entry) -> float:
        nonlocal asked
        asked += 1
        return 300.0

    for number in range(10_000):
        line.push(Entry(number % 1000), 0.0)
    pops = 0
    while line.has_turns:
        pops += 1
        assert line.pop(not_yet, 0.0) is None
        assert asked <= 16 * pops
    assert asked == 1000
    for event in range(20_000):
        line.unpark(event % 7)
        assert line.pop(not_yet, 1.0) is None
    assert asked == 21_000
    assert len(line._due) <= 4 * 10_000 + 64


def test_parking_the_same_caller_over_and_over_takes_no_memory() -> None:
    """A key that is limited for minutes, and a caller that comes and goes a thousand times a second."""
    line = Line(100, Patience())
    line.push(Entry("a"), 0.0)
    for _ in range(10_000):
        line.unpark("a")
        assert line.pop(lambda _: 300.0, 0.0) is None
    assert len(line._due) <= 70
    for _ in range(10_000):
        entry = Entry("b", not_before=5.0)
        line.push(entry, 0.0)
        line.remove(entry)
    assert len(line._due) <= 80
    assert line.next_due() == 300.0
