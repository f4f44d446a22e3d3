"""The providers' headers of a quota."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker import retry_after
from aibridge_trio.core.quota import Bucket, Quota
from aibridge_trio.mock.quota_headers import anthropic_headers, duration, openai_headers, timestamp


def spent() -> Quota:
    """600 requests and 6,000 tokens a minute with a burst of 10 s, of which 10 and 950 are used."""
    requests, tokens = Bucket(10.0, 100.0), Bucket(100.0, 1000.0)
    requests.take(10)
    tokens.take(950)
    return Quota(requests, tokens)


def test_openai_s_are_durations() -> None:
    """Limit a minute, what can be used now, and when the burst is whole again."""
    assert dict(openai_headers(spent(), 0.0)) == {
        b"x-ratelimit-limit-requests": b"600",
        b"x-ratelimit-remaining-requests": b"90",
        b"x-ratelimit-reset-requests": b"1s",
        b"x-ratelimit-limit-tokens": b"6000",
        b"x-ratelimit-remaining-tokens": b"50",
        b"x-ratelimit-reset-tokens": b"9.5s",
    }


def test_anthropic_s_are_times() -> None:
    """The same, with a time of RFC 3339, rounded up."""
    assert dict(anthropic_headers(spent(), 0.0, 1_790_000_000.25)) == {
        b"anthropic-ratelimit-requests-limit": b"600",
        b"anthropic-ratelimit-requests-remaining": b"90",
        b"anthropic-ratelimit-requests-reset": b"2026-09-21T14:13:22Z",
        b"anthropic-ratelimit-tokens-limit": b"6000",
        b"anthropic-ratelimit-tokens-remaining": b"50",
        b"anthropic-ratelimit-tokens-reset": b"2026-09-21T14:13:30Z",
    }


def test_an_unlimited_quota_has_no_headers() -> None:
    """Each kind has headers only if it is limited."""
    assert openai_headers(Quota(None, None), 0.0) == anthropic_headers(Quota(None, None), 0.0, 0.0) == []
    assert len(openai_headers(Quota(Bucket(1.0, 1.0), None), 0.0)) == 3


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
def test_the_bridge_reads_what_the_mock_writes(seconds: float) -> None:
    """Both forms are parsed back, and are never too early."""
    read = retry_after.duration(duration(seconds), 0.0)
    assert read is not None
    assert seconds - 1e-6 <= read <= seconds + 0.001 + 1e-6
    wall = 1_790_000_000.0
    at = retry_after.timestamp(timestamp(wall + seconds), wall)
    assert at is not None
    assert seconds - 1e-6 <= at <= seconds + 1
