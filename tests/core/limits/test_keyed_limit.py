from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.keyed_limit import KeyedLimit


@given(st.integers(1, 4), st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=60))
def test_no_key_holds_more_than_the_limit(limit: int, events: list[tuple[bool, str]]) -> None:
    """A key holds at most the limit, does not affect other keys, and is forgotten when it holds nothing."""
    limiter, held = KeyedLimit(limit), Counter[str]()
    for takes, key in events:
        if takes:
            assert limiter.available(key) == (held[key] < limit)
            taken = limiter.acquire(key)
            assert taken == (held[key] < limit)
            held[key] += taken
        elif held[key]:
            limiter.release(key)
            held[key] -= 1
        assert {each: limiter.available(each) for each in "abc"} == {each: held[each] < limit for each in "abc"}
        assert len(limiter) == sum(count > 0 for count in held.values())


def test_zero_is_unlimited_and_counts_nothing() -> None:
    """Without a limit one is always available, and nothing is taken."""
    limiter = KeyedLimit(0)
    assert limiter.available("a")
    assert not limiter.acquire("a")
    assert len(limiter) == 0
    assert repr(limiter) == "<KeyedLimit limit=0 keys=0>"
