"""Keys that rest, against a naive table."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aibridge_trio.core.breaker.key_cooldowns import Cooled, KeyCooldowns

KEYS = [bytes([n]) for n in range(6)]


class Machine(RuleBasedStateMachine):
    """The table keeps until when each key rests, in the order in which they were told; no heap, no expiry."""

    @initialize(window=st.sampled_from([1.0, 10.0]), room=st.integers(1, 6))
    def begin(self, window: float, room: int) -> None:
        self.credentials = KeyCooldowns(window, room)
        self.window, self.room = window, room
        self.now = 0.0
        self.until: dict[bytes, float] = {}
        self.told: dict[bytes, float] = {}
        self.evictions = 0

    @rule(seconds=st.sampled_from([0.25, 1.0, 5.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=st.sampled_from(KEYS), seconds=st.sampled_from([0.0, 0.5, 5.0, 5.0, 60.0]))
    def cool(self, key: bytes, seconds: float) -> None:
        resting = {each: until for each, until in self.until.items() if until > self.now}
        before = resting.pop(key, -math.inf)
        if max(before, self.now + seconds) > self.now:
            resting[key] = max(before, self.now + seconds)
        if len(resting) > self.room:
            del resting[next(iter(resting))]
            self.evictions += 1
        self.until = resting
        self.told[key] = self.now
        many = sum(self.now - at < self.window for at in self.told.values()) >= 3
        assert self.credentials.cool(key, key.hex(), seconds, self.now) == many

    @rule(key=st.sampled_from(KEYS))
    def ask(self, key: bytes) -> None:
        until = self.until.get(key, -math.inf)
        assert self.credentials.left(key, self.now) == (until - self.now if until > self.now else None)

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "credentials"):
            return
        resting = {key: until for key, until in self.until.items() if until > self.now}
        statistics = self.credentials.statistics(self.now)
        assert (statistics.resting, statistics.evictions) == (len(resting), self.evictions)
        latest = list(reversed(resting.items()))[:5]
        assert statistics.shown == tuple(Cooled(key.hex(), until - self.now) for key, until in latest)
        assert sorted(key for _, key in self.credentials._due) == sorted(resting), "each key stands once"
        assert len(self.credentials._told) <= 3


def test_keys_rest_as_in_the_naive_table() -> None:
    """In any story of 429s and time the same keys rest, for as long, and the same are many."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))


def test_three_different_keys_are_many() -> None:
    """One key often is one; the third within the window makes it the provider's trouble, a fourth all the more."""
    credentials = KeyCooldowns(10.0)
    told = [credentials.cool(key, "", 60.0, now) for key, now in zip(b"aaabcd", range(6), strict=True)]  # type: ignore[arg-type]
    assert told == [False, False, False, False, True, True]
    assert not credentials.cool(b"e", "", 60.0, 100.0)


def test_the_total_is_of_keys_that_began_to_rest() -> None:
    """A longer word for a key that rests is no second rest; one behind its end is; nothing to wait for is none."""
    credentials = KeyCooldowns(10.0)
    for key, seconds, now in ((b"a", 5.0, 0.0), (b"a", 50.0, 1.0), (b"b", 0.0, 1.0), (b"b", 5.0, 1.0)):
        credentials.cool(key, "", seconds, now)
    assert credentials.statistics(1.0).total == 2
    credentials.cool(b"a", "", 5.0, 51.0)
    assert credentials.statistics(51.0).total == 3


def test_memory_is_bounded() -> None:
    """However many keys are told, so many are remembered, and the heap is no longer than the table."""
    credentials = KeyCooldowns(10.0, room=100)
    for n in range(1000):
        credentials.cool(b"%d" % n, "", 60.0, 0.0)
        credentials.cool(b"%d" % n, "", 60.0 + n, 0.0)
    assert credentials.statistics(0.0).resting == len(credentials._due) == 100
    assert credentials.statistics(0.0).evictions == 900
    assert credentials.statistics(5000.0).resting == 0
    assert credentials._due == []
    assert repr(credentials) == "<Credentials resting=0>"
