from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.limits.keyed_limit import KeyedLimit
from aibridge_trio.core.sharing.parts import part


@given(
    st.integers(0, 4),
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 3)),
    st.lists(st.tuples(st.sampled_from(["acquire", "count", "release"]), st.sampled_from("abc")), max_size=60),
)
def test_no_key_holds_more_than_its_limit(limit: int, own: dict[str, int], events: list[tuple[str, str]]) -> None:
    """A key acquires up to its own limit or that of all, affects no other, and is forgotten when it is free."""
    limiter, held = KeyedLimit(limit, dict(own)), Counter[str]()
    most = {key: own.get(key, limit) for key in "abc"}
    assert bool(limiter) == any((limit, *own.values()))
    for event, key in events:
        if event == "acquire":
            free = held[key] < most[key]
            assert limiter.available(key) == (free or not most[key])
            assert limiter.acquire(key) == free
            held[key] += free
        elif event == "count":
            assert limiter.count(key) == bool(most[key])
            held[key] += bool(most[key])
        elif held[key]:
            limiter.release(key)
            held[key] -= 1
        for each in "abc":
            assert limiter.limit(each) == most[each]
            assert limiter.available(each) == (not most[each] or held[each] < most[each])
        assert len(limiter) == sum(count > 0 for count in held.values())


def test_zero_is_unlimited_and_counts_nothing() -> None:
    """Without a limit one is always available, and nothing is taken."""
    limiter = KeyedLimit(0)
    assert limiter.available("a")
    assert not limiter.acquire("a")
    assert not limiter.count("a")
    assert len(limiter) == 0
    assert repr(limiter) == "<KeyedLimit limit=0 keys=0>"


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 14), st.booleans())
def test_a_part_and_what_others_hold(limit: int, replicas: int, others: int, own: bool) -> None:
    """Whichever leaves less: what others hold does not come off the part, which is held back for them already."""
    limiter = KeyedLimit(0 if own else limit, {"a": limit} if own else {})
    limiter.divide(replicas)
    limiter.others("a", others)
    most = max(0, min(part(limit, replicas), limit - others))
    taken = 0
    while limiter.acquire("a"):
        taken += 1
    assert taken == most
    limiter.others("a", 0)
    while limiter.acquire("a"):
        taken += 1
    assert taken == part(limit, replicas)
