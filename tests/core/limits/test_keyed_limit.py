from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.keyed_limit import KeyedLimit


@given(st.integers(1, 4), st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=60))
def test_nobody_holds_more_than_the_limit(limit: int, story: list[tuple[bool, str]]) -> None:
    """Whoever takes and gives: a key holds at most the limit, others are unaffected, idle keys are forgotten."""
    share, held = KeyedLimit(limit), Counter[str]()
    for takes, key in story:
        if takes:
            assert share.has_room(key) == (held[key] < limit)
            taken = share.take(key)
            assert taken == (held[key] < limit)
            held[key] += taken
        elif held[key]:
            share.give(key)
            held[key] -= 1
        assert {each: share.has_room(each) for each in "abc"} == {each: held[each] < limit for each in "abc"}
        assert len(share) == sum(count > 0 for count in held.values())


def test_zero_is_unlimited_and_counts_nothing() -> None:
    """Where there is no limit there is always room, and nothing to take or give."""
    share = KeyedLimit(0)
    assert share.has_room("a")
    assert not share.take("a")
    assert len(share) == 0
    assert repr(share) == "<Share limit=0 keys=0>"
