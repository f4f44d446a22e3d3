"""The adaptive limiter against providers that do whatever they like, and callers that leave at any stage."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aibridge_trio.core.adaptive.entry import Entry, Pushback, Stage
from aibridge_trio.core.adaptive.limiter import AdaptiveLimiter
from aibridge_trio.core.quota import Left

AT_PROVIDER = (Stage.STARTING, Stage.ANSWERING)
PUSHBACKS = {
    "529": Pushback("529"),
    "503 with a hint": Pushback("503", retry_after=2.0),
    "refused": Pushback("refused"),
    "429": Pushback("429", quota=True),
    "429 with a hint": Pushback("429", quota=True, retry_after=3.0),
    "429 for years": Pushback("429", quota=True, retry_after=1e9),
    "429 for nothing": Pushback("429", quota=True, retry_after=0.0),
}
# The longest pause: a hint, and the next start of the slowest pace.
LONGEST = 300.0 * 1.1 + 30.0


class Limits:
    """Slots, and a share of each caller."""

    def __init__(self, entries: list[Entry]) -> None:
        self.slots = 1000
        self.share = 1000
        self._entries = entries

    def is_free(self) -> bool:
        return sum(each.stage in AT_PROVIDER for each in self._entries) < self.slots

    def is_free_for(self, entry: Entry) -> bool:
        own = sum(each.stage in AT_PROVIDER and each.caller == entry.caller for each in self._entries)
        return self.is_free() and own < self.share


class Machine(RuleBasedStateMachine):
    """Entries that have left are forgotten by the machine: the limiter must not wake them any more."""

    @initialize(seed=st.integers(0, 99), own_keys=st.booleans())
    def begin(self, seed: int, own_keys: bool) -> None:
        self.own_keys = own_keys
        self.entries: list[Entry] = []
        self.expected: set[Entry] = set()  # held: to be woken once
        self.limits = Limits(self.entries)
        self.now = self.began = 1000.0
        self.limiter = AdaptiveLimiter(self.woken, Random(seed).random, self.now, self.limits)
        self.requests = self.resends = self.free_resends = 0

    def woken(self, entry: Entry) -> None:
        self.expected.remove(entry)
        assert entry.stage is Stage.STARTING

    def staged(self, *stages: Stage) -> list[Entry]:
        return [each for each in self.entries if each.stage in stages]

    @rule(caller=st.sampled_from("abc"), size=st.sampled_from([0.0, 10.0, 9999.0]), low=st.booleans())
    def come(self, caller: str, size: float, low: bool) -> None:
        key = caller if self.own_keys else None
        entry = Entry(caller, key, self.now, self.now + 300.0, size, low=low)
        self.entries.append(entry)
        self.expected.add(entry)  # its turn may come at once
        self.requests += 1
        if self.limiter.enter(entry, self.now):
            self.expected.remove(entry)
            assert entry.stage is Stage.STARTING
        else:
            assert entry.stage is Stage.HELD

    @rule(data=st.data(), how_many=st.integers(1, 4))
    def begin_answers(self, data: st.DataObject, how_many: int) -> None:
        for entry in self.staged(Stage.STARTING)[:how_many]:
            if self.own_keys or data.draw(st.booleans()):
                self.limiter.told(entry, [Left("requests", 60, data.draw(st.integers(-1, 60)), 1e9)], self.now)
            self.limiter.accepted(entry, self.now)

    @rule(name=st.sampled_from(sorted(PUSHBACKS)), how_many=st.integers(1, 4))
    def push_back(self, name: str, how_many: int) -> None:
        for entry in self.staged(Stage.STARTING)[:how_many]:
            pushback = PUSHBACKS[name]
            self.expected.add(entry)
            returns = entry.returns
            held = self.limiter.pushed_back(entry, pushback, self.now)
            assert entry.returns == returns + held
            self.resends += held
            self.free_resends += held and self.limiter.governor.outage
            if not held:
                self.expected.remove(entry)
                assert entry.stage is Stage.OUTSIDE
                self.entries.remove(entry)

    @rule(data=st.data(), gone=st.booleans())
    def leave(self, data: st.DataObject, gone: bool) -> None:
        if self.entries:
            entry = data.draw(st.sampled_from(self.entries))
            self.expected.discard(entry)
            self.entries.remove(entry)
            self.limiter.leave(entry, self.now, gone=gone)
            assert entry.stage is Stage.OUTSIDE
            self.limiter.leave(entry, self.now, gone=gone)

    @rule(slots=st.sampled_from([1, 3, 1000]), share=st.sampled_from([1, 2, 1000]))
    def change_limits(self, slots: int, share: int) -> None:
        self.limits.slots = max(slots, len(self.staged(*AT_PROVIDER)))
        own = Counter(each.caller for each in self.staged(*AT_PROVIDER))
        self.limits.share = max(share, *own.values()) if own else share
        for caller in "abc":
            self.limiter.freed(caller, self.now)

    @rule(seconds=st.sampled_from([0.01, 0.3, 2.0, 20.0, 400.0]))
    def wait(self, seconds: float) -> None:
        """Time passes; `advance` is called whenever it is due."""
        until, steps = self.now + seconds, 0
        while (due := self.limiter.next_due(self.now)) <= until:
            assert due > self.now
            self.now = due
            self.limiter.advance(self.now)
            steps += 1
            assert steps < 400 + 10 * seconds
        self.now = until
        self.limiter.advance(self.now)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "limiter"):
            return
        now, stats = self.now, self.limiter.statistics(self.now)
        held = self.staged(Stage.HELD)
        assert self.expected == set(held)
        assert (stats.held, stats.callers) == (len(held), len({each.caller for each in held}))
        assert stats.governor.level == len(self.staged(*AT_PROVIDER))
        assert stats.governor.starts == len(self.staged(Stage.STARTING))
        assert stats.governor.level <= self.limits.slots
        assert all(
            count <= self.limits.share
            for count in Counter(each.caller for each in self.staged(*AT_PROVIDER)).values()
        )
        budget = 30.0 + 0.1 * self.requests + 0.5 * (now - self.began)
        assert self.resends - self.free_resends <= budget

    @invariant()
    def nothing_waits_while_there_is_capacity(self) -> None:
        """Provider, key, rest or the bridge's own limits are in the way of a request of each caller that waits.

        Its others queue behind that one. Pauses have an end.
        """
        if not hasattr(self, "limiter"):
            return
        now, limiter = self.now, self.limiter
        held = self.staged(Stage.HELD)
        due = limiter.next_due(now)
        if held and not self.staged(*AT_PROVIDER):
            assert now < due < now + LONGEST
        if not limiter.governor.has_capacity(now) or limiter._line.has_turns:
            return
        waits = dict.fromkeys((entry.caller for entry in held), False)
        for entry in held:
            free = limiter._when_free(entry, now) <= now and self.limits.is_free_for(entry)
            waits[entry.caller] |= entry.not_before > now or not free
        assert all(waits.values())

    def teardown(self) -> None:
        """Whatever the provider did: once it is well and callers stay, all are answered, and counts are zero."""
        if not hasattr(self, "limiter"):
            return
        self.limits.slots = self.limits.share = 1000
        for caller in "abc":
            self.limiter.freed(caller, self.now)
        well = self.now
        while self.entries:
            for entry in self.staged(Stage.STARTING):
                self.limiter.accepted(entry, self.now)
            self.wait(0.5)
            for entry in self.staged(Stage.ANSWERING):
                self.entries.remove(entry)
                self.limiter.leave(entry, self.now)
            assert self.now < well + 2 * LONGEST
        self.nothing_is_lost()
        assert self.limiter.next_due(self.now) == math.inf


def test_whatever_happens_nothing_is_lost_and_nothing_waits_without_a_reason() -> None:
    """Counts add up, limits of the bridge's own hold, pauses end, and all are answered at last."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None))


class Counted:
    """No limits, but it counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def is_free(self) -> bool:
        return True

    def is_free_for(self, entry: Entry) -> bool:
        self.asked += 1
        return True


def test_the_work_of_an_event_does_not_grow_with_the_line() -> None:
    """Ten thousand held requests of a thousand callers with limited keys: an event asks for a few."""
    counted = Counted()
    limiter = AdaptiveLimiter(lambda _: None, lambda: 0.5, 0.0, counted)
    limited = Pushback("429", quota=True, retry_after=200.0)
    for number in range(1000):
        entry = Entry(number, number, 0.0, 1e6)
        if limiter.enter(entry, number / 10):
            limiter.pushed_back(entry, limited, number / 10 + 0.05)
    now = 101.0
    for number in range(9000):
        assert not limiter.enter(Entry(number % 1000, number % 1000, now, 1e6), now)
    counted.asked = 0
    for _ in range(1000):
        other = Entry("other", "other", now, 1e6)
        assert limiter.enter(other, now)
        limiter.accepted(other, now)
        limiter.leave(other, now)
        limiter.advance(now)
        assert now < limiter.next_due(now)
    assert counted.asked <= 20_000


def test_a_request_that_leaves_teaches_its_callers_patience_while_held_or_starting() -> None:
    """Not in quiet times, and not once its answer has begun: then its caller did not wait in vain."""
    limiter = AdaptiveLimiter(lambda _: None, lambda: 0.5, 0.0)
    for caller, begins, active in (("quiet", False, False), ("a", False, True), ("b", True, True)):
        limiter.governor.active = active
        entry = Entry(caller, came=0.0)
        limiter.enter(entry, 0.0)
        if begins:
            limiter.accepted(entry, 1.0)
        limiter.leave(entry, 61.0, gone=True)
    assert limiter._patience.expected("a") < 61.0
    assert limiter._patience.expected("b") == math.inf
    assert limiter._patience.expected("quiet") == math.inf
