"""Token buckets of a provider's quota."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.quota import Bucket, Quota, Quotas


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


def test_a_bucket_says_how_much_it_holds_and_when_it_is_full() -> None:
    """The level rises with the time, up to the size."""
    bucket = Bucket(2.0, 10.0)
    bucket.take(8)
    assert (bucket.level(1.0), bucket.until_full(1.0)) == (4.0, 3.0)
    assert bucket.level(3.0) == pytest.approx(8.0)
    assert bucket.level(60.0) == pytest.approx(10.0)
    assert not bucket.until_full(60.0)


def test_a_request_takes_from_both_buckets_or_from_none() -> None:
    """What lacks tokens costs no request, and the answer says which of both lacks, for how long."""
    quota = Quota(Bucket(1.0, 2.0), Bucket(10.0, 100.0))
    assert quota.take(95, 0.0) == (0.0, 0.0)
    assert quota.take(25, 0.0) == (0.0, 2.0)
    assert quota.take(5, 0.0) == (0.0, 0.0)
    assert quota.take(10, 0.0) == (1.0, 1.0)
    assert quota.take(10, 1.0) == (0.0, 0.0)


def test_what_is_left_is_what_can_be_used_now() -> None:
    """As many requests as are left are taken, and no more; when the reset is over, the burst is whole again."""
    quota = Quotas[str](60, 0, 10.0).of("a", 0.0)
    quota.take(1, 0.0)
    [left] = quota.left(0.5)
    assert (left.name, left.limit, left.remaining, left.reset) == ("requests", 60, 9, 0.5)
    assert [quota.take(1, 0.5).wait > 0 for _ in range(10)] == [False] * 9 + [True]
    [left] = quota.left(0.5)
    assert (left.remaining, left.reset) == (0, 9.5)
    assert quota.left(0.5 + left.reset)[0].remaining == 10


def test_unlimited_is_never_short() -> None:
    """A rate of 0 makes no bucket."""
    quotas: Quotas[str] = Quotas(0, 0, 10.0)
    assert all(quotas.of("a", 0.0).take(10**9, 0.0) == (0.0, 0.0) for _ in range(100))


def test_credentials_have_quotas_of_their_own() -> None:
    """60 a minute with a burst of 2 s are two at once for each."""
    quotas: Quotas[str] = Quotas(60, 0, 2.0)
    for key in "ab":
        assert [quotas.of(key, 0.0).take(1, 0.0).requests for _ in range(3)] == [0.0, 0.0, 1.0]


def test_full_quotas_are_forgotten_and_spent_ones_are_not() -> None:
    """However many credentials come, memory holds those whose buckets are not full again, and a few."""
    quotas: Quotas[int] = Quotas(60, 0, 10.0)
    for key in range(20_000):
        quotas.of(key, key / 10).take(1, key / 10)
    assert len(quotas) <= 2048
    spent = quotas.of(-1, 2000.0)
    for _ in range(10):
        spent.take(1, 2000.0)
    for key in range(20_000, 30_000):
        quotas.of(key, 2000.0).take(1, 2000.0)
    assert quotas.of(-1, 2000.0).take(1, 2000.0).requests == pytest.approx(1.0)
