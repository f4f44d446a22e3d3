"""Token buckets of a provider's quota."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.simulate.world.quota import Bucket


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 5)), min_size=1, max_size=30))
def test_a_bucket_never_gives_more_than_it_has(takes: list[tuple[float, float]]) -> None:
    """In any span not more than size and refill; and the wait that it tells is enough."""
    bucket, now, taken = Bucket(2.0, 10.0), 0.0, 0.0
    for gap, amount in takes:
        now += gap
        if wait := bucket.wait(amount, now):
            now += wait
            assert not bucket.wait(amount, now)
        bucket.take(amount)
        taken += amount
        assert taken <= 10 + 2 * now + 1e-3
