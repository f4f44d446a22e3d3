from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.retry_after import duration, from_headers, quotas_left, timestamp
from aibridge_trio.core.quota import Left
from aibridge_trio.providers.quota_headers import QUOTAS

WALL = 1_795_683_600.0  # 2026-11-26T09:00:00Z
DATE = "Thu, 26 Nov 2026 09:00:00 GMT"
OPENAI, ANTHROPIC = QUOTAS["openai"], QUOTAS["anthropic"]


def said(*pairs: tuple[str, str], wall: float = WALL, provider: str = "openai") -> float | None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    return from_headers(headers, QUOTAS[provider], wall)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("0", None),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("30s", None),
        ("1e9", None),
        ("\xb2", None),
        ("999999999999", 365 * 86400.0),
        ("9999999999999", None),
        ("Thu, 26 Nov 2026 09:01:00 GMT", 60.0),
        ("Thursday, 26-Nov-26 09:01:00 GMT", 60.0),
        ("Thu Nov 26 09:01:00 2026", 60.0),
        ("Thu, 26 Nov 2026 08:59:00 GMT", None),
        ("Thu, 99 Nov 2026 09:01:00 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds or a date in any of HTTP's three forms; what is no time ahead says nothing."""
    found = said(("Retry-After", value))
    if value.startswith("Thu, 99"):
        assert found is None or found > 0
    else:
        assert found == seconds


@pytest.mark.parametrize("wall", [WALL, 0.0, WALL + 5000])
def test_dates_are_read_by_the_answers_own_clock(wall: float) -> None:
    """With a Date of its own only the difference on the provider's clock counts."""
    pairs = [("date", DATE), ("retry-after", "Thu, 26 Nov 2026 09:02:00 GMT")]
    assert said(*pairs, wall=wall) == 120.0


@pytest.mark.parametrize(
    ("zone", "seconds"), [("GMT", 120.0), ("+0000", 120.0), ("-0000", 120.0), ("+0001", 60.0), ("-0100", 3720.0)]
)
def test_a_date_is_read_in_its_zone(zone: str, seconds: float) -> None:
    """HTTP dates are in GMT; other zones are accepted."""
    assert said(("date", DATE), ("retry-after", f"Thu, 26 Nov 2026 09:02:00 {zone}")) == seconds


def test_milliseconds() -> None:
    """As Azure says it; the longer of the two counts."""
    assert said(("retry-after-ms", "1500")) == 1.5
    assert said(("retry-after-ms", "1500"), ("retry-after", "1")) == 1.5
    assert said(("retry-after-ms", "1500"), ("retry-after", "2")) == 2.0


def test_the_first_of_several_counts() -> None:
    """A header that comes twice is read once."""
    assert said(("retry-after", "7"), ("Retry-After", "70")) == 7.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("1h30m", 5400.0),
        ("1.5s", 1.5),
        ("8", 8.0),
        ("250us", 0.00025),
        ("6m 0s", None),
        ("m", None),
        ("5d", None),
        ("", None),
        ("s5", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    """As OpenAI writes them."""
    found = duration(text, 0.0)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-26T09:01:15Z", 75.0),
        ("2026-11-26T09:01:15.250Z", 75.25),
        ("2026-11-26t09:01:15z", 75.0),
        ("2026-11-26T10:01:15+01:00", 75.0),
        ("2026-11-26T04:31:15-04:30", 75.0),
        ("2026-11-26T09:01:15", None),
        ("2026-13-26T09:01:15Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("tomorrow", None),
    ],
)
def test_timestamps(text: str, seconds: float | None) -> None:
    """RFC 3339, with a zone; a time without one is malformed."""
    assert timestamp(text, WALL) == seconds


HEADER = st.tuples(
    st.one_of(
        st.sampled_from(
            [
                b"retry-after",
                b"Retry-After",
                b"retry-after-ms",
                b"date",
                b"x-ratelimit-remaining-tokens",
                b"x-ratelimit-reset-tokens",
                b"anthropic-ratelimit-tokens-remaining",
                b"anthropic-ratelimit-tokens-reset",
            ]
        ),
        st.binary(max_size=20),
    ),
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([b"0", b"9" * 12, b"1" * 500, DATE.encode(), b"2026-11-26T09:00:30Z", b"99h"]),
        st.from_regex(rb"[0-9A-Za-z:,. +-]{0,40}", fullmatch=True),
    ),
)


@given(st.lists(HEADER, max_size=12), st.sampled_from([OPENAI, ANTHROPIC, None]), st.floats(-1e12, 1e12))
def test_whatever_a_provider_sends(headers: list[tuple[bytes, bytes]], quotas: object, wall: float) -> None:
    """Nothing raises, and a hint is positive and at most a year."""
    found = from_headers(headers, quotas, wall)  # type: ignore[arg-type]
    assert found is None or 0 < found <= 365 * 86400


def test_what_is_left_of_quotas_is_read_from_both_dialects_and_malformed_ones_are_left_out() -> None:
    """Durations of OpenAI, times of Anthropic."""
    openai = [
        (b"x-ratelimit-limit-requests", b"500"),
        (b"X-RateLimit-Remaining-Requests", b"3"),
        (b"x-ratelimit-reset-requests", b"6m0s"),
        (b"x-ratelimit-limit-tokens", b"many"),
        (b"x-ratelimit-remaining-tokens", b"3"),
        (b"x-ratelimit-reset-tokens", b"1s"),
    ]
    assert quotas_left(openai, QUOTAS["openai"], 0.0) == [Left("requests", 500, 3, 360.0)]
    anthropic = [
        (b"anthropic-ratelimit-tokens-limit", b"40000"),
        (b"anthropic-ratelimit-tokens-remaining", b"1000"),
        (b"anthropic-ratelimit-tokens-reset", b"1970-01-01T00:00:30Z"),
        (b"anthropic-ratelimit-requests-remaining", b"1"),
    ]
    assert quotas_left(anthropic, QUOTAS["anthropic"], 10.0) == [Left("tokens", 40_000, 1000, 20.0)]
