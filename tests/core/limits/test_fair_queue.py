"""The fair queue against a naive one: a list of items, and turns counted from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aibridge_trio.core.limits.fair_queue import FairQueue

CALLERS = "abcd"
LANES = ("x", "y")


@dataclass(frozen=True)
class Item:
    """A queued item; items come in the order of their numbers."""

    number: int
    caller: str
    lane: str


class Naive:
    """A list, and for each caller when it had its last turn or came."""

    def __init__(self, size: int, low: set[str]) -> None:
        self.size = size
        self.low = low
        self.passed = 0  # turns that passed callers of low priority
        self.items: list[Item] = []
        self.turns: dict[str, int] = {}
        self.clock = 0

    def count(self, caller: str) -> int:
        return sum(item.caller == caller for item in self.items)

    def who_leaves(self, caller: str) -> set[str]:
        """Return those of whom one leaves a full queue for this caller: of low priority, or its like."""
        of_low = sum(item.caller in self.low for item in self.items)
        return self.low if caller in self.low or of_low > self.size // 10 else set(CALLERS) - self.low

    def accepts(self, caller: str) -> bool:
        leave = self.who_leaves(caller)
        longest = max([self.count(each) for each in leave], default=0)
        return len(self.items) < self.size or caller not in leave or longest > self.count(caller) + 1

    def push(self, item: Item) -> Item | None:
        out = None
        if len(self.items) >= self.size:
            leave = self.who_leaves(item.caller)
            most = max(self.count(each) for each in leave)
            candidates = [each for each in leave if self.count(each) == most]
            outs = [
                max((i for i in self.items if i.caller == each), key=lambda i: i.number) for each in candidates
            ]
            out = outs[0] if len(outs) == 1 else None
        if not self.count(item.caller):
            self.clock += 1
            self.turns[item.caller] = self.clock
        self.items.append(item)
        return out

    def turns_ahead(self, caller: str) -> int:
        """Push one more item of this caller to a copy, and count the turns before its own."""
        copy, last = Naive(len(self.items) + 1, self.low), Item(10**9, caller, "x")
        copy.items, copy.turns, copy.clock = [*self.items], {**self.turns}, self.clock
        copy.passed = self.passed
        copy.push(last)
        return next(turns for turns in range(len(copy.items)) if copy.pop(set()) == last)

    def pop(self, blocked: set[tuple[str, str]]) -> Item | None:
        low_first = self.passed >= 9
        waiting = {item.caller for item in self.items}
        for caller in sorted(waiting, key=lambda each: ((each in self.low) != low_first, self.turns[each])):
            free = [i for i in self.items if i.caller == caller and (i.caller, i.lane) not in blocked]
            if free:
                item = min(free, key=lambda i: i.number)
                self.items.remove(item)
                self.clock += 1
                self.turns[caller] = self.clock
                self.passed = 0 if caller in self.low else self.passed + bool(waiting & self.low)
                return item
        return None


class Machine(RuleBasedStateMachine):
    """Both get the same calls."""

    @initialize(size=st.integers(1, 8) | st.sampled_from([10, 20]), low=st.sets(st.sampled_from(CALLERS)))
    def begin(self, size: int, low: set[str]) -> None:
        self.queue: FairQueue[str, Item] = FairQueue(size)
        self.naive = Naive(size, low)
        self.number = 0

    @rule(low=st.sets(st.sampled_from(CALLERS)))
    def priorities_change(self, low: set[str]) -> None:
        moved = [each for each in self.queue.in_turn if (each in low) != (each in self.naive.low)]
        self.naive.low = low
        self.queue.reorder(low.__contains__, lambda _: "")
        for each in moved:
            self.naive.clock += 1
            self.naive.turns[str(each)] = self.naive.clock

    @rule(size=st.integers(0, 8))
    def the_size_changes(self, size: int) -> None:
        self.queue.size = self.naive.size = size

    @rule(caller=st.sampled_from(CALLERS), lane=st.sampled_from(LANES))
    def push(self, caller: str, lane: str) -> None:
        low = caller in self.naive.low
        assert self.queue.accepts(caller, low=low) == self.naive.accepts(caller)
        if not self.queue.accepts(caller, low=low):
            return
        self.number += 1
        item = Item(self.number, caller, lane)
        full, lengths = len(self.queue) >= self.queue.size, {each: self.queue.waiting(each) for each in CALLERS}
        leave = self.naive.who_leaves(caller)
        expected = self.naive.push(item)
        out = self.queue.push(caller, lane, item, low=low)
        assert (out is not None) == full
        if out is not None:
            assert lengths[out.caller] == max(lengths[each] for each in leave)
            assert caller not in leave or lengths[out.caller] >= lengths[caller] + 2
            assert out == max((i for i in self.naive.items if i.caller == out.caller), key=lambda i: i.number)
            assert expected in (None, out)
            self.naive.items.remove(out)

    @rule(blocked=st.sets(st.tuples(st.sampled_from(CALLERS), st.sampled_from(LANES)), max_size=4))
    def take(self, blocked: set[tuple[str, str]]) -> None:
        assert self.queue.pop(lambda caller, lane: (caller, lane) not in blocked) == self.naive.pop(blocked)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.naive.items:
            item = data.draw(st.sampled_from(self.naive.items))
            assert self.queue.remove(item)
            self.naive.items.remove(item)
            assert not self.queue.remove(item)

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert len(self.queue) == len(self.naive.items)
        counts = Counter(item.caller for item in self.naive.items)
        assert {each: self.queue.waiting(each) for each in CALLERS} == {each: counts[each] for each in CALLERS}
        assert self.queue.callers == len(counts)
        assert set(self.queue.lanes) == {item.lane for item in self.naive.items}
        for caller in CALLERS:
            low = caller in self.naive.low
            assert self.queue.turns_ahead(caller, low=low) == self.naive.turns_ahead(caller)


def test_the_queue_does_what_the_naive_one_does() -> None:
    """After any pushes, turns and removals both give the same turns and push out the same items."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))


def filled(names: str, size: int = 1000) -> FairQueue[str, tuple[int, str]]:
    """Return a queue in which these callers came, in this order."""
    queue: FairQueue[str, tuple[int, str]] = FairQueue(size)
    for number, name in enumerate(names):
        queue.push(name, "x", (number, name))
    return queue


def served(queue: FairQueue[str, tuple[int, str]]) -> str:
    """Serve all; return whose turns they were."""
    turns = []
    while item := queue.pop(lambda *_: True):
        turns.append(item[1])
    return "".join(turns)


@given(st.text("abcde", max_size=40))
def test_a_caller_that_waits_sees_each_other_at_most_once_before_its_turn(names: str) -> None:
    """Between two turns of a caller every other caller has at most one, in whatever order the items came."""
    turns = served(filled(names))
    assert Counter(turns) == Counter(names)
    left = Counter(names)
    for at, name in enumerate(turns):
        left[name] -= 1
        if left[name]:
            until = turns.index(name, at + 1)
            assert max(Counter(turns[at + 1 : until]).values(), default=0) <= 1


@given(
    st.lists(st.sampled_from("abc") | st.sets(st.sampled_from("bc")), min_size=1, max_size=60), st.integers(3, 30)
)
def test_a_caller_that_can_go_waits_for_one_turn_of_each_other_at_most(
    events: list[str | set[str]], size: int
) -> None:
    """Also while other callers come, are blocked and push out: at most one turn of each since its last one."""
    queue: FairQueue[str, tuple[int, str]] = FairQueue(size)
    seen = Counter[str]()  # turns of the others since "a" came or had its last
    for number, event in enumerate(events):
        if isinstance(event, str):
            if queue.accepts(event):
                if event == "a" and not queue.waiting("a"):
                    seen.clear()
                queue.push(event, "x", (number, event))
            continue
        blocked = event
        if item := queue.pop(lambda caller, _: caller not in blocked):  # noqa: B023 - asked at once
            seen[item[1]] += 1
            if item[1] == "a":
                seen.clear()
        if queue.waiting("a"):
            assert max(seen.values(), default=0) <= 1


@given(st.text("abcd", max_size=20), st.integers(0, 8), st.sampled_from("abcde"))
def test_so_many_turns_are_ahead(names: str, taken: int, caller: str) -> None:
    """The number of turns ahead is exact, wherever callers stand in the round."""
    queue = filled(names)
    for _ in range(taken):
        queue.pop(lambda *_: True)
    ahead = queue.turns_ahead(caller)
    queue.push(caller, "x", (999, caller))
    turns = 0
    while queue.pop(lambda *_: True) != (999, caller):
        turns += 1
    assert turns == ahead


def test_turns_go_round() -> None:
    """Five hundred of one caller, two of another, one of a third."""
    assert served(filled("a" * 500 + "bbc")).startswith("abcaba")


def test_own_requests_keep_their_order() -> None:
    """A caller is served in the order in which it came."""
    queue = filled("aaa")
    assert [queue.pop(lambda *_: True) for _ in range(3)] == [(0, "a"), (1, "a"), (2, "a")]


def test_a_blocked_lane_is_passed_by() -> None:
    """Only what cannot be served now waits on, and keeps its place in its own lane."""
    queue: FairQueue[str, str] = FairQueue(9)
    for item, lane in (("1", "x"), ("2", "y"), ("3", "x")):
        queue.push("a", lane, item)
    assert queue.pop(lambda _, lane: lane == "y") == "2"
    assert queue.pop(lambda _, lane: lane == "y") is None
    assert [queue.pop(lambda *_: True) for _ in range(2)] == ["1", "3"]


@pytest.mark.parametrize(("names", "comer", "out"), [("aaaa", "b", 3), ("aaab", "c", 2), ("aabc", "d", 1)])
def test_the_caller_with_the_most_items_loses_one(names: str, comer: str, out: int) -> None:
    """Its youngest item is pushed out, if the new item's caller has at least two less."""
    queue = filled(names, size=4)
    assert queue.accepts(comer)
    assert queue.push(comer, "x", (9, comer)) == (out, "a")


@given(st.text("abc", min_size=4, max_size=4), st.text("abc", max_size=30))
def test_pushing_out_comes_to_an_end(names: str, comers: str) -> None:
    """Each push levels two callers' items that differed by two: after a few no item is pushed out any more."""
    queue = filled(names, size=4)
    pushes = 0
    for number, name in enumerate(comers, 100):
        if queue.accepts(name):
            pushes += queue.push(name, "x", (number, name)) is not None
    assert pushes <= 3


def test_a_repr_tells_the_state() -> None:
    """The repr shows items, size and callers."""
    assert repr(filled("aab", size=7)) == "<FairQueue 3 of 7, 2 callers>"


def test_low_priority_is_served_behind_others_and_never_starved() -> None:
    """One turn of ten is theirs while others wait, and all turns when no other waits."""
    queue: FairQueue[str, tuple[int, str]] = FairQueue(100)
    for number in range(30):
        queue.push("ab"[number % 2], "x", (number, "ab"[number % 2]))
        if number < 5:
            queue.push("l", "x", (number, "l"), low=True)
    assert served(queue) == "ababababa" + "l" + "babababab" + "l" + "ababababa" + "l" + "bab" + "ll"


def test_low_priority_leaves_a_full_queue_first() -> None:
    """For any request of normal priority, but for a tenth of the places; and it pushes out only its like."""
    queue: FairQueue[str, int] = FairQueue(20)
    for number in range(20):
        queue.push("l", "x", number, low=True)
    assert [queue.push("n", "x", 100 + number) for number in range(18)] == list(range(19, 1, -1))
    assert not queue.accepts("n")
    assert queue.accepts("m")
    assert queue.push("m", "x", 200) == 117
    assert not queue.accepts("l", low=True)
    assert queue.push("k", "x", 300, low=True) == 1
    assert not queue.accepts("j", low=True)
    assert sorted(queue) == [0, *range(100, 117), 200, 300]
