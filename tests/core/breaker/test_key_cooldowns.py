"""Key cooldowns, against a naive table."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aibridge_trio.core.breaker.key_cooldowns import CoolingKey, KeyCooldowns
from aibridge_trio.core.breaker.policy import BreakerPolicy

POLICY = BreakerPolicy(window=10.0)
KEYS = [bytes([n]) for n in range(6)]


class Machine(RuleBasedStateMachine):
    """The table has the end of each key's cooldown, in the order of their last 429; no heap, no expiry."""

    @initialize(window=st.sampled_from([1.0, 10.0]), capacity=st.integers(1, 6))
    def begin(self, window: float, capacity: int) -> None:
        self.cooldowns = KeyCooldowns(BreakerPolicy(window=window), capacity)
        self.window, self.capacity = window, capacity
        self.now = 0.0
        self.until: dict[bytes, float] = {}
        self.limited: dict[bytes, float] = {}
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
        if len(resting) > self.capacity:
            del resting[next(iter(resting))]
            self.evictions += 1
        self.until = resting
        self.limited[key] = self.now
        many = sum(self.now - at < self.window for at in self.limited.values()) >= 3
        assert self.cooldowns.start(key, key.hex(), seconds, self.now) == many

    @rule(key=st.sampled_from(KEYS))
    def ask(self, key: bytes) -> None:
        until = self.until.get(key, -math.inf)
        assert self.cooldowns.remaining(key, self.now) == (until - self.now if until > self.now else None)

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "cooldowns"):
            return
        resting = {key: until for key, until in self.until.items() if until > self.now}
        statistics = self.cooldowns.statistics(self.now)
        assert (statistics.resting, statistics.evictions) == (len(resting), self.evictions)
        latest = list(reversed(resting.items()))[:5]
        assert statistics.latest == tuple(CoolingKey(key.hex(), until - self.now) for key, until in latest)
        assert sorted(key for _, key in self.cooldowns._due) == sorted(resting), "each key stands once"
        assert len(self.cooldowns._limited) <= 3


def test_keys_rest_as_in_the_naive_table() -> None:
    """After any sequence of 429s and waits, the same keys are in cooldown for the same time."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))


def test_three_different_keys_are_many() -> None:
    """One key counts once, however often; from the third key in the window on, 429s count against the provider."""
    cooldowns = KeyCooldowns(POLICY)
    counted = [cooldowns.start(key, "", 60.0, now) for key, now in zip(b"aaabcd", range(6), strict=True)]  # type: ignore[arg-type]
    assert counted == [False, False, False, False, True, True]
    assert not cooldowns.start(b"e", "", 60.0, 100.0)


@pytest.mark.parametrize(
    ("hint", "longest", "rest"),
    [(None, 300.0, 30.0), (5.0, 300.0, 5.0), (60.0, 300.0, 60.0), (9999.0, 300.0, 300.0), (60.0, 10.0, 30.0)],
)
def test_a_key_rests_as_long_as_its_provider_asks(hint: float | None, longest: float, rest: float) -> None:
    """Without a hint for the configured cooldown; a hint counts up to the longer of that and the longest one."""
    cooldowns = KeyCooldowns(BreakerPolicy(cooldown=30.0, longest_cooldown=longest))
    cooldowns.start(b"a", "", hint, 100.0)
    assert cooldowns.remaining(b"a", 100.0) == rest
    assert cooldowns.remaining(b"a", 100.0 + rest) is None


def test_the_total_is_of_keys_that_began_to_rest() -> None:
    """A longer hint extends a cooldown; a 429 after its end begins another; a hint of 0 begins none."""
    cooldowns = KeyCooldowns(POLICY)
    for key, seconds, now in ((b"a", 5.0, 0.0), (b"a", 50.0, 1.0), (b"b", 0.0, 1.0), (b"b", 5.0, 1.0)):
        cooldowns.start(key, "", seconds, now)
    assert cooldowns.statistics(1.0).total == 2
    cooldowns.start(b"a", "", 5.0, 51.0)
    assert cooldowns.statistics(51.0).total == 3


def test_memory_is_bounded() -> None:
    """However many keys get a 429, at most `capacity` are remembered, and the heap is no longer than the table."""
    cooldowns = KeyCooldowns(POLICY, capacity=100)
    for n in range(1000):
        cooldowns.start(b"%d" % n, "", 60.0, 0.0)
        cooldowns.start(b"%d" % n, "", 60.0 + n, 0.0)
    assert cooldowns.statistics(0.0).resting == len(cooldowns._due) == 100
    assert cooldowns.statistics(0.0).evictions == 900
    assert cooldowns.statistics(5000.0).resting == 0
    assert cooldowns._due == []
    assert repr(cooldowns) == "<KeyCooldowns resting=0>"
