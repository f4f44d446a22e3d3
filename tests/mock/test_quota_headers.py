"""Anthropic's headers of a quota."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker import retry_after
from aibridge_trio.core.quota import Bucket, Quota
from aibridge_trio.mock.quota_headers import anthropic_headers, timestamp


def test_each_quota_that_there_is_has_three_headers() -> None:
    """Limit a minute, what can be used now, and the time, rounded up, at which the burst is whole again."""
    requests, tokens = Bucket(10.0, 100.0), Bucket(100.0, 1000.0)
    requests.take(10)
    tokens.take(950)
    assert dict(anthropic_headers(Quota(requests, tokens), 0.0, 1_790_000_000.25)) == {
        b"anthropic-ratelimit-requests-limit": b"600",
        b"anthropic-ratelimit-requests-remaining": b"90",
        b"anthropic-ratelimit-requests-reset": b"2026-09-21T14:13:22Z",
        b"anthropic-ratelimit-tokens-limit": b"6000",
        b"anthropic-ratelimit-tokens-remaining": b"50",
        b"anthropic-ratelimit-tokens-reset": b"2026-09-21T14:13:30Z",
    }
    assert anthropic_headers(Quota(None, None), 0.0, 0.0) == []


@given(st.floats(0, 100_000))
def test_the_bridge_reads_what_the_mock_writes(seconds: float) -> None:
    """A time is parsed back, and is never too early."""
    wall = 1_790_000_000.0
    at = retry_after.timestamp(timestamp(wall + seconds), wall)
    assert at is not None
    assert seconds - 1e-6 <= at <= seconds + 1
