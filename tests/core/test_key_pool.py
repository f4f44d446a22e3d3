"""The keys of a provider, against a naive table."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from aibridge_trio.core.key_pool import Choice, Key, KeyPool, KeyState

NAMES = "abcd"
SCOPES = (None, "chat", "images")


def keys(*weights: int) -> list[Key]:
    return [Key(name.encode(), name, weight) for name, weight in zip(NAMES, weights, strict=False)]


class Machine(RuleBasedStateMachine):
    """The table has the end of each rest by key and scope, when each key went out, and the requests in flight."""

    @initialize(number=st.integers(1, 4), choice=st.sampled_from(["weighted", "least-used"]))
    def begin(self, number: int, choice: Choice) -> None:
        self.pool = KeyPool(keys(*range(1, number + 1)), choice)
        self.now = 0.0
        self.names = set(NAMES[:number])
        self.rests: dict[tuple[str, str | None], float] = {}
        self.out: dict[str, float] = {}
        self.flying: list[Key] = []

    def ready(self, scope: str | None) -> set[str]:
        return {name for name in self.names - set(self.out) if self.rests.get((name, scope), 0.0) <= self.now}

    def key(self, name: str) -> Key:
        return next(key for key in self.pool._keys if key.label == name)

    @rule(seconds=st.sampled_from([0.25, 1.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(scope=st.sampled_from(SCOPES), tried=st.sets(st.sampled_from(NAMES)))
    def choose(self, scope: str | None, tried: set[str]) -> None:
        found = self.pool.choose(self.now, scope, tried=[self.key(name) for name in tried & self.names])
        ready = self.ready(scope) - tried
        if ready:
            assert found is not None
            assert found.label in ready
        elif set(self.out) == self.names and not tried & self.names:
            assert found is not None
            assert self.out[found.label] == min(self.out.values())
        else:
            assert found is None
        if found:
            self.flying.append(found)

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        if self.flying:
            self.pool.give_back(self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1))))

    @rule(data=st.data(), scope=st.sampled_from(SCOPES), seconds=st.sampled_from([-1.0, 0.0, 0.5, 20.0]))
    def rest(self, data: st.DataObject, scope: str | None, seconds: float) -> None:
        name = data.draw(st.sampled_from(sorted(self.names)))
        before = self.rests.get((name, scope), 0.0)
        began = before <= self.now < self.now + seconds
        assert self.pool.rested(self.key(name), self.now + seconds, scope, self.now) == began
        self.rests[name, scope] = max(before, self.now + seconds)

    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.names)))
        assert self.pool.failed(self.key(name), self.now) == (name not in self.out)
        self.out[name] = self.now

    @rule(data=st.data(), ago=st.sampled_from([0.0, 1.0, 100.0]))
    def accept(self, data: st.DataObject, ago: float) -> None:
        name = data.draw(st.sampled_from(sorted(self.names)))
        back: set[str] = set()
        if name in self.out and self.now - ago >= self.out[name]:
            back = self.names if set(self.out) == self.names else {name}
        assert {key.label for key in self.pool.accepted(self.key(name), self.now - ago)} == back
        for each in back:
            del self.out[each]

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1))
    def replace(self, names: set[str]) -> None:
        added, gone = self.pool.replace(Key(name.encode(), name) for name in sorted(names))
        assert {key.label for key in added} == names - self.names
        assert {key.label for key in gone} == self.names - names
        for name in self.names - names:
            self.out.pop(name, None)
            self.rests = {key: until for key, until in self.rests.items() if key[0] != name}
        self.names = names

    @rule()
    def wake(self) -> None:
        for key in self.pool.woken(self.now):
            assert all(until <= self.now for (name, _), until in self.rests.items() if name == key.label)

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "pool"):
            return
        for scope in SCOPES:
            soonest = min(
                (max(0.0, self.rests.get((name, scope), 0.0) - self.now) for name in self.names - set(self.out)),
                default=0.0,
            )
            assert self.pool.wait(self.now, scope) == soonest
            assert not (self.pool.ready and soonest)
            assert (self.pool.wait(self.now, scope) == 0) == bool(self.ready(scope) or set(self.out) == self.names)
        flying = Counter(id(key) for key in self.flying)
        for key, stats in zip(self.pool._keys, self.pool.statistics(self.now), strict=True):
            left = max(
                (until - self.now for (name, _), until in self.rests.items() if name == key.label), default=0.0
            )
            state = KeyState.OUT if key.label in self.out else KeyState.RESTING if left > 0 else KeyState.READY
            assert (stats.label, stats.state, stats.left) == (key.label, state, max(0.0, left))
            assert stats.in_use == flying[id(key)]


def test_keys_are_as_in_the_naive_table() -> None:
    """After any sequence of refusals, waits and replacements the same keys are ready, resting and out."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=200, stateful_step_count=40, deadline=None))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 5))
def test_weights_are_kept_exactly(weights: list[int], rounds: int) -> None:
    """In each round of as many requests as the weights sum up to, each key has as many as its weight."""
    pool = KeyPool(keys(*weights))
    for _ in range(rounds):
        chosen = Counter(key.label for _ in range(sum(weights)) if (key := pool.choose(0.0)))
        assert [chosen[name] for name in NAMES[: len(weights)]] == weights


def test_turns_of_a_heavy_key_are_spread() -> None:
    """A heavy key does not have all its turns in a row."""
    pool = KeyPool(keys(3, 1, 1))
    assert "".join(key.label for _ in range(5) if (key := pool.choose(0.0))) == "abaca"


def test_least_used_goes_by_what_is_in_flight() -> None:
    """Of the keys with as few requests in flight for their weight, the one used the longest ago goes first."""
    pool = KeyPool(keys(1, 2), "least-used")
    flying = [key for _ in range(6) if (key := pool.choose(0.0))]
    assert Counter(key.label for key in flying) == {"a": 2, "b": 4}
    for key in flying:
        if key.label == "a":
            pool.give_back(key)
    again = [pool.choose(0.0), pool.choose(0.0)]
    assert [key.label for key in again if key] == ["a", "a"]


def test_a_key_that_comes_back_is_not_owed_what_it_missed() -> None:
    """While a key rests, the others have its turns; afterwards the weights are as before."""
    pool = KeyPool(keys(1, 1))
    first = pool.choose(0.0)
    assert first
    pool.rested(first, 100.0, None, 0.0)
    assert {key.label for now in range(50) if (key := pool.choose(now))} == {"b"}
    after = Counter(key.label for _ in range(100) if (key := pool.choose(100.0)))
    assert abs(after["a"] - after["b"]) <= 2


def test_when_all_are_out_they_are_tried_in_turn() -> None:
    """One after another, each request with one of them; the first that is accepted brings all back."""
    pool = KeyPool(keys(1, 1, 1))
    for now in range(3):
        key = pool.choose(now)
        assert key
        pool.failed(key, now)
    tried = []
    for now in range(3, 9):
        key = pool.choose(now)
        assert key
        tried.append(key.label)
        pool.failed(key, now)
    assert "".join(tried) == "abcabc"
    key = pool.choose(9)
    assert key
    assert not pool.accepted(key, 5.0), "it was sent before the key went out"
    assert len(pool.accepted(key, 9)) == 3
    assert all(stats.state is KeyState.READY for stats in pool.statistics(9))


def test_one_key_is_its_own_pool() -> None:
    """It is never refused for being out, and rests like any other."""
    pool = KeyPool(keys(1))
    [key] = pool._keys
    pool.failed(key, 0.0)
    assert pool.choose(1.0) is key
    assert pool.choose(1.0, tried=[key]) is None
    pool.forgive()
    assert pool.rested(key, 10.0, None, 1.0)
    assert pool.choose(9.9) is None
    assert pool.wait(1.0) == 9.0
    assert pool.next_due() == 10.0
    assert pool.woken(10.0) == (key,)
    assert pool.next_due() == math.inf


def test_rates_of_a_key_count_like_rests() -> None:
    """A key whose rate is spent is passed over, and the wait is the soonest."""

    class Spent:
        def wait(self, tokens: float, now: float) -> float:
            return max(0.0, tokens - now)

    pool = KeyPool([Key(b"a", "a", rates=Spent()), Key(b"b", "b", rates=Spent())])
    assert pool.choose(1.0, tokens=5.0) is None
    assert pool.wait(1.0, tokens=5.0) == 4.0
    assert pool.choose(5.0, tokens=5.0) is not None


def test_replaced_keys_keep_their_state_and_take_new_terms() -> None:
    """A key that stays rests on, whatever it is called now; two with one id are one."""
    pool = KeyPool(keys(1, 1))
    pool.rested(pool._keys[0], 10.0, None, 0.0)
    added, gone = pool.replace([Key(b"a", "new name", 5), Key(b"c", "c"), Key(b"c", "again")], "least-used")
    assert [key.label for key in added] == ["c"]
    assert [key.label for key in gone] == ["b"]
    [a, c] = pool.statistics(1.0)
    assert (a.label, a.state, a.left) == ("new name", KeyState.RESTING, 9.0)
    assert c.label == "c"
    assert pool.labels == ("new name", "c")
    assert len(pool) == 2


@pytest.mark.parametrize("text", [repr(Key(b"secret", "label")), repr(KeyPool([Key(b"secret", "label")]))])
def test_what_is_shown_has_no_id(text: str) -> None:
    """Neither a key nor a pool shows what identifies the key."""
    assert "secret" not in text


def test_a_key_with_too_little_left_is_spared() -> None:
    """While others have enough; each request that goes up is charged."""

    class Left:
        def __init__(self, tokens: float) -> None:
            self.tokens = tokens

        def resumes(self, size: float, now: float) -> float:
            return now if size <= self.tokens else now + 1

        def sent(self, size: float) -> None:
            self.tokens -= size

    a, b = keys(1, 1)
    a.quotas = Left(10.0)
    pool = KeyPool([a, b])
    assert [key.label for _ in range(4) if (key := pool.choose(0.0, tokens=6.0))] == ["a", "b", "b", "b"]
    assert a.quotas.tokens == 4.0
    b.quotas = Left(0.0)
    assert {key.label for _ in range(2) if (key := pool.choose(0.0, tokens=6.0))} == {"a", "b"}
    assert pool.wait(0.0) == 0.0
