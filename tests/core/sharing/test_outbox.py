"""What was used while the store was away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.sharing.needs import Leave, Settled
from aibridge_trio.core.sharing.outbox import Outbox


def taken(outbox: Outbox, now: float) -> list[Leave]:
    """All that is to be posted."""
    found = []
    while outbox:
        found.append(outbox.take(now))
    return found


def test_it_adds_up_by_key() -> None:
    """Holdings and estimates are left out; what was not used is no post."""
    outbox = Outbox()
    outbox.add(Leave((("slots", 1),), (Settled("t", 60.0, 9, 5), Settled("u", 60.0, 9, 0)), ("b", 9, 5)), 0.0)
    outbox.add(Leave(settled=(Settled("t", 60.0, 9, 6),), budget=("b", 9, 6), uncounted=(("r", 60.0, 7.0),)), 1.0)
    assert taken(outbox, 2.0) == [
        Leave(settled=(Settled("t", 60.0, 0, 11),), budget=("b", 0, 11), uncounted=(("r", 60.0, 7.0),))
    ]
    assert not outbox


def test_what_is_older_than_its_span_counts_no_more() -> None:
    """Budgets have no span."""
    outbox = Outbox()
    outbox.add(Leave(settled=(Settled("t", 60.0, 0, 5),), budget=("b", 0, 5), uncounted=(("r", 60.0, 7.0),)), 0.0)
    assert taken(outbox, 60.0) == [Leave(budget=("b", 0, 5))]
    outbox.add(Leave(settled=(Settled("t", 60.0, 0, 5),)), 0.0)
    outbox.add(Leave(settled=(Settled("t", 60.0, 0, 6),)), 60.0)
    assert taken(outbox, 60.0) == [Leave(settled=(Settled("t", 60.0, 0, 6),))]


def test_a_request_without_the_store_that_did_not_go_up_is_taken_off() -> None:
    """It has no time of the store."""
    outbox = Outbox()
    outbox.add(Leave(settled=(Settled("r", 1.0, 0, 1),)), 0.0)
    outbox.add(Leave(uncounted=(("r", 1.0, 0.0), ("r", 1.0, 0.0))), 0.0)
    outbox.add(Leave(settled=(Settled("r", 1.0, 0, 1),)), 0.0)
    assert taken(outbox, 0.0) == [Leave(settled=(Settled("r", 1.0, 0, 1),))]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 9)), max_size=400))
def test_nothing_is_lost_or_doubled(uses: list[tuple[int, int]]) -> None:
    """Whatever the number of posts; each has at most what a store takes."""
    outbox = Outbox()
    for key, used in uses:
        outbox.add(Leave(settled=(Settled(f"t{key}", 60.0, 1, used),), budget=(f"b{key}", 1, used)), 0.0)
    posts = taken(outbox, 0.0)
    assert all(len(post.settled) <= 256 for post in posts)
    total = sum(used for _, used in uses)
    assert sum(each.used for post in posts for each in post.settled) == total
    assert sum(post.budget[2] for post in posts if post.budget) == total


def test_memory_is_bounded() -> None:
    """The oldest keys are forgotten."""
    outbox = Outbox()
    for number in range(30_000):
        use = Settled(f"t{number}", 60.0, 0, 1)
        outbox.add(Leave(settled=(use,), budget=(f"b{number}", 0, 1), uncounted=((f"r{number}", 60.0, 1.0),)), 0.0)
    assert len(outbox) == 30_000
    keys = {each.key for post in taken(outbox, 0.0) for each in post.settled}
    assert len(keys) == 10_000
    assert "t29999" in keys
