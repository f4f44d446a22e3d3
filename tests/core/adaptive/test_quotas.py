"""The quotas of one credential."""

from __future__ import annotations

import math
from random import Random

import pytest

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.quotas import Quotas
from aibridge_trio.core.quota import Left, Quota
from aibridge_trio.core.quota import Quotas as Buckets

_429 = Pushback("429", quota=True, retry_after=10.0)


def test_a_refused_request_holds_back_those_that_are_as_large_for_as_long_as_it_says() -> None:
    """Smaller ones may still fit."""
    quotas = Quotas()
    for _ in range(30):
        quotas.accepted(2_000.0, 0.5)
    quotas.refused(_429, 50_000.0, 0.0, 1.0, 0.0)
    assert quotas.wait_for(50_000.0, 2.0) == 9.0
    quotas.advance(2.0)
    assert quotas.wait_for(2_000.0, 2.0) == 0.0
    quotas.refused(_429, 2_000.0, 2.0, 3.0, 0.0)
    assert quotas.wait_for(2_000.0, 4.0) == 9.0
    quotas.advance(14.0)
    assert quotas.wait_for(50_000.0, 14.0) == 0.0


def test_requests_of_one_size_show_no_quota_of_tokens() -> None:
    """Nor before many of them were accepted."""
    quotas = Quotas()
    quotas.accepted(2_000.0, 0.5)
    quotas.refused(_429, 2_000.0, 0.6, 1.0, 0.0)
    assert not quotas.by_tokens


def test_what_headers_tell_holds_back_before_it_is_spent() -> None:
    """What was sent since is taken off, and what is refilled is added."""
    quotas = Quotas()
    quotas.told([Left("requests", 60, 2, 1.0), Left("tokens", 60_000, 5_000, 5.0)], 0.0)
    assert quotas.wait(0.0) == 0.0
    assert quotas.wait_for(5_000.0, 0.0) == 0.0
    quotas.sent(4_000.0)
    assert quotas.wait_for(2_000.0, 0.0) == pytest.approx(1.0, abs=0.01)
    quotas.sent(0.0)
    assert quotas.wait(0.0) == pytest.approx(1.0, abs=0.01)
    assert quotas.wait(1.1) == 0.0
    assert quotas.wait_for(60_000.0, 61.0) == 0.0  # it is too old to be believed


def test_absurd_headers_hold_nothing_back() -> None:
    """A limit of nothing is none."""
    quotas = Quotas()
    quotas.told([Left("requests", 0, 0, 1e9), Left("tokens", 0, 0, 0.0)], 0.0)
    assert quotas.wait(0.0) == 0.0
    assert quotas.wait_for(1e9, 0.0) == 0.0


def test_what_a_header_tells_holds_back_no_longer_than_it_is_believed() -> None:
    """Whatever it says: a minute."""
    for left in (Left("requests", 1, -(10**9), 1e9), Left("tokens", 1, 0, math.inf)):
        quotas = Quotas()
        quotas.told([left], 100.0)
        wait = max(quotas.wait(130.0), quotas.wait_for(1e12, 130.0))
        assert 29.0 < wait <= 30.001
        assert quotas.wait(130.0 + wait) == quotas.wait_for(1e12, 130.0 + wait) == 0.0


def test_requests_of_many_sizes_are_paced_by_their_tokens() -> None:
    """Nothing told but refusals: the quota of ten minutes is used, and little is refused."""
    quotas, random, now = Quotas(), Random(3), 0.0
    buckets: Buckets[None] = Buckets(0, 600_000, 20.0)
    bucket: Quota = buckets.of(None, 0.0)
    accepted = refused = tokens = 0
    while now < 600:
        now += 0.25
        quotas.advance(now)
        size = 60_000 if random.random() < 1 / 3 else 2_000
        if quotas.wait(now) or quotas.wait_for(size, now):
            continue
        quotas.sent(size)
        wait = bucket.take(size, now).wait
        if wait:
            quotas.refused(Pushback("429", quota=True, retry_after=wait), size, now, now, 0.0)
            refused += 1
        else:
            quotas.accepted(size, now)
            accepted += 1
            tokens += size
    assert quotas.by_tokens
    assert tokens > 0.9 * 6_000_000
    assert refused < 0.1 * accepted


def test_a_size_that_exceeds_the_whole_quota_counts_as_the_quota() -> None:
    """It is an estimate: a request that is estimated too large is not held until the header is out of date."""
    quotas = Quotas()
    quotas.told([Left("tokens", 200_000, 199_000, 1.0)], 0.0)
    assert quotas.wait_for(250_000.0, 0.0) == pytest.approx(0.3, abs=0.01)
