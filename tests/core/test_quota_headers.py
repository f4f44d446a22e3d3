"""OpenAI's headers of a quota."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker import retry_after
from aibridge_trio.core.quota import Bucket, Quota, Quotas
from aibridge_trio.core.quota_headers import duration, openai_headers


def test_each_quota_that_there_is_has_three_headers() -> None:
    """Limit a minute, what can be used now, and when the burst is whole again."""
    quota = Quotas[str](600, 6000, 10.0).of("a", 0.0)
    for _ in range(10):
        quota.take(95, 0.0)
    assert dict(openai_headers(quota, 0.0)) == {
        b"x-ratelimit-limit-requests": b"600",
        b"x-ratelimit-remaining-requests": b"90",
        b"x-ratelimit-reset-requests": b"1s",
        b"x-ratelimit-limit-tokens": b"6000",
        b"x-ratelimit-remaining-tokens": b"50",
        b"x-ratelimit-reset-tokens": b"9.5s",
    }
    assert dict(openai_headers(quota, 0.505))[b"x-ratelimit-remaining-tokens"] == b"100"
    assert len(openai_headers(Quota(None, Bucket(1.0, 1.0)), 0.0)) == 3
    assert openai_headers(Quota(None, None), 0.0) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0121, "13ms"),
        (0.012, "12ms"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (3600, "1h0m0s"),
        (3723.5, "1h2m3.5s"),
    ],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    """As in OpenAI's documentation."""
    assert duration(seconds) == text


@given(st.floats(0, 100_000))
def test_the_bridge_reads_what_is_written(seconds: float) -> None:
    """A duration is parsed back, and is never too short."""
    read = retry_after.duration(duration(seconds), 0.0)
    assert read is not None
    assert seconds - 1e-6 <= read <= seconds + 0.001 + 1e-6
