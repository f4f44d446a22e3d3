"""The limit on failures by key."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.failure_limit import FailureLimit


def test_some_at_once_then_one_in_each_interval() -> None:
    """The wait is the true one: at its end the next failure is counted, a moment before it is not."""
    limit = FailureLimit(burst=3, interval=1.0, capacity=10)
    assert [limit.charge("a", 0.0) for _ in range(4)] == [None, None, None, 1.0]
    assert limit.charge("a", 0.75) == 0.25
    assert limit.charge("b", 0.75) is None
    assert limit.charge("a", 1.0) is None
    assert limit.charge("a", 1.0) == 1.0


def test_all_is_forgotten_in_the_end() -> None:
    """A burst is allowed again when as many intervals have gone by."""
    limit = FailureLimit(burst=3, interval=1.0, capacity=10)
    for _ in range(3):
        limit.charge("a", 0.0)
    assert [limit.charge("a", 3.0) for _ in range(4)] == [None, None, None, 1.0]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4))), st.integers(1, 4))
def test_it_counts_as_a_bucket_does(steps: list[tuple[int, int]], burst: int) -> None:
    """A naive token bucket for each key allows the same failures, and waits as long."""
    limit = FailureLimit(burst=burst, interval=1.0, capacity=10)
    buckets: dict[int, tuple[float, float]] = {}
    now = 0.0
    for key, quarters in steps:
        now += quarters / 4
        level, since = buckets.get(key, (float(burst), now))
        level = min(float(burst), level + now - since)
        wait = limit.charge(key, now)
        if level >= 1:
            assert wait is None
            level -= 1
        else:
            assert wait is not None
            assert math.isclose(wait, 1 - level)
        buckets[key] = (level, now)


@given(st.lists(st.integers(0, 1000), max_size=200))
def test_its_memory_is_bounded(keys: list[int]) -> None:
    """Callers choose how many addresses there are (IPv6), not the memory for them."""
    limit = FailureLimit(burst=2, interval=1.0, capacity=5)
    for key in keys:
        limit.charge(key, 0.0)
        assert len(limit) <= 5


def test_the_longest_idle_key_is_forgotten_first() -> None:
    """An address that goes on failing stays limited, however many others fail once."""
    limit = FailureLimit(burst=1, interval=100.0, capacity=2)
    assert limit.charge("a", 0.0) is None
    assert limit.charge("b", 1.0) is None
    assert limit.charge("c", 2.0) is None
    assert limit.charge("b", 3.0) is not None
    assert limit.charge("a", 3.0) is None
