"""Quotas in the headers of a simulated provider."""

from __future__ import annotations

from aibridge_trio.core.quota import Quotas
from aibridge_trio.simulate.world import quota_headers
from tests.support.simulated import CALLERS, parsed


def test_each_quota_that_there_is_has_three_headers() -> None:
    """Its limit a minute, the whole requests or tokens that are left, and when it will be full."""
    model = parsed(CALLERS + "[provider]\ntokens_per_minute = 6000\n").model
    quota = Quotas[int](0, 6000, 10.0).of(0, 0.0)
    quota.take(250, 0.0)
    assert quota_headers.of(model, quota, 0.505) == [
        (b"x-ratelimit-limit-tokens", b"6000"),
        (b"x-ratelimit-remaining-tokens", b"800"),
        (b"x-ratelimit-reset-tokens", b"1995ms"),
    ]
    assert quota_headers.of(parsed(CALLERS).model, Quotas[int](0, 0, 10.0).of(0, 0.0), 0.0) == []
