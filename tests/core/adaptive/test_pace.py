"""The learned rate of a quota."""

from __future__ import annotations

import math

import pytest

from aibridge_trio.core.adaptive.pace import Pace
from aibridge_trio.core.quota import Bucket


def test_without_a_refusal_there_is_no_pace() -> None:
    """A quiet quota costs nothing."""
    pace = Pace()
    pace.advance(5.0)
    assert pace.wait(5.0) == 0.0
    assert pace.rate == math.inf


@pytest.mark.parametrize("rate", [0.5, 2.0, 25.0])
def test_the_pace_finds_the_rate_of_a_bucket_and_wastes_little(rate: float) -> None:
    """As much as the quota gives, and a few refusals in a hundred, whatever the rate."""
    pace, bucket, now = Pace(), Bucket(rate, 10 * rate), 0.0
    accepted = refused = 0
    while now < 600:
        pace.advance(now)
        if wait := pace.wait(now):
            now += wait
            continue
        pace.sent()
        if bucket.wait(1, now):
            pace.refused(now, now + 0.01)
            refused += now > 60
        else:
            bucket.take(1)
            pace.accepted(now + 0.01)
            accepted += now > 60
        now += 0.02
    assert accepted >= 0.95 * 540 * rate
    assert refused <= 0.08 * accepted


def test_of_a_quota_of_a_few_requests_a_minute_little_is_lost() -> None:
    """Its bucket holds one request: after a refusal the next goes up when the provider says, not much later."""
    rate = 5 / 60
    pace, bucket, now = Pace(0.1), Bucket(rate, 10 * rate), 0.0
    accepted = refused = 0
    while now < 1800:
        pace.advance(now)
        if wait := pace.wait(now):
            now += wait
            continue
        pace.sent()
        if wait := bucket.wait(1, now):
            hint = math.ceil(wait)
            pace.refused(now, now + 0.1, hint=hint)
            refused += 1
            now += 0.1 + hint
        else:
            bucket.take(1)
            pace.accepted(now + 0.5)
            accepted += 1
            now += 0.5
    assert accepted >= 0.95 * 1800 * rate
    assert refused <= 0.3 * accepted


def test_a_pace_does_not_grow_while_the_provider_holds_back_all() -> None:
    """After a hint of a minute it would be twenty times what it was, and all held requests would go up at once."""
    pace = Pace()
    for number in range(50):
        pace.accepted(number / 10)
    pace.refused(4.9, 5.0, hint=60.0)
    rate = pace.rate
    for now in range(5, 66):
        pace.advance(float(now))
    assert pace.rate == rate
    pace.advance(67.0)
    assert pace.rate > rate


def test_a_refusal_of_long_ago_measures_nothing() -> None:
    """The quota was not used up since: what was accepted is what came, not what fits."""
    pace = Pace()
    pace.refused(0.0, 0.1)
    for minute in range(60):
        pace.accepted(60.0 * minute + 1)
        pace.advance(60.0 * minute + 1)
    for number in range(50):
        pace.accepted(3600 + number / 10)
    pace.refused(3604.9, 3605.0)
    assert pace.rate > 1.0


def test_after_minutes_of_nothing_but_refusals_the_pace_recovers_at_once() -> None:
    """The provider was ill: its refusals measured nothing, and callers must not wait for another five minutes."""
    pace, now = Pace(0.05), 0.0
    for _ in range(100):
        pace.accepted(now)
        now += 0.1
    ill_until, sent = now + 180.0, 0
    while sent < 40:
        pace.advance(now)
        if wait := pace.wait(now):
            now += wait
            continue
        pace.sent()
        if now < ill_until:
            pace.refused(now, now + 0.01)
        else:
            pace.accepted(now + 0.01)
            sent += 1
        now += 0.5
    assert now < ill_until + 50.0
    pace.refused(now, now + 0.01)
    rate = pace.rate
    pace.accepted(now + 1.0)
    assert pace.rate == rate < math.inf


def test_a_few_refusals_in_a_row_begin_no_recovery() -> None:
    """A bucket of three requests a minute refuses for a while, too."""
    pace = Pace()
    for now in (0.0, 1.0, 2.0):
        pace.refused(now, now + 0.1)
    rate = pace.rate
    pace.accepted(60.0)
    assert pace.rate == rate


def test_of_the_refusals_of_one_round_trip_the_first_counts() -> None:
    """Ten requests that were sent together are refused together."""
    pace = Pace()
    pace.accepted(0.5)
    pace.refused(0.0, 1.0)
    rate = pace.rate
    for number in range(9):
        pace.refused(0.5, 1.0 + number / 100)
    assert pace.rate == rate
    pace.refused(1.5, 2.0)
    assert pace.rate < rate


def test_a_pace_is_forgotten_after_five_minutes_without_a_refusal() -> None:
    """A quota that was raised, or a key that was not used."""
    pace = Pace(0.1)
    pace.accepted(0.0)
    pace.refused(0.0, 1.0)
    pace.advance(300.9)
    assert pace.rate < math.inf
    pace.advance(301.1)
    assert pace.rate == math.inf


@pytest.mark.parametrize("rate", [0.05, 0.3, 7.0])
def test_the_time_at_which_a_request_may_be_sent_is_never_off(rate: float) -> None:
    """A timer that fires a rounding error too early would fire again and again."""
    pace, now = Pace(), 12345.678
    pace.refused(now - 1.0, now)
    for _ in range(1000):
        pace.rate, pace._resumes_at = rate, now
        pace.advance(now)
        assert 0.0 < pace.wait(now) <= 1.01 / rate
        now += pace.wait(now)
        pace.advance(now)
        assert not pace.wait(now)
        pace.sent()


def test_requests_of_unknown_size_have_no_pace_of_tokens() -> None:
    """Nothing was counted, so nothing was measured: the pace is none, never zero."""
    tokens = Pace()
    for now in (10.0, 60.0):
        tokens.refused(now, now + 0.1)
        for each in range(6):
            tokens.accepted(now + each, 0.0)
        tokens.advance(now + 6)
        assert tokens.rate == math.inf
        assert tokens.wait(now + 6, 0.0) == 0.0


def test_what_has_become_free_meanwhile_is_seen_without_a_change() -> None:
    """Status pages look at any time: the wait they show shrinks, and the pace does not grow by a look."""
    pace = Pace()
    pace.refused(0.0, 1.0, hint=2.0)
    rate = pace.rate
    assert pace.wait(2.0) == pytest.approx(pace.wait(1.0) - 1.0)
    assert pace.wait(1.0 + 1 / rate + 0.001) == 0.0
    assert pace.rate == rate
