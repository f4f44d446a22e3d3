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
    assert pace.wait() == 0.0
    assert pace.rate == math.inf


@pytest.mark.parametrize("rate", [0.5, 2.0, 25.0])
def test_the_pace_finds_the_rate_of_a_bucket_and_wastes_little(rate: float) -> None:
    """As much as the quota gives, and a few refusals in a hundred, whatever the rate."""
    pace, bucket, now = Pace(), Bucket(rate, 10 * rate), 0.0
    accepted = refused = 0
    while now < 600:
        pace.advance(now)
        if wait := pace.wait():
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


def test_requests_of_unknown_size_have_no_pace_of_tokens() -> None:
    """Nothing was counted, so nothing was measured: the pace is none, never zero."""
    tokens = Pace()
    for now in (10.0, 60.0):
        tokens.refused(now, now + 0.1)
        for each in range(6):
            tokens.accepted(now + each, 0.0)
        tokens.advance(now + 6)
        assert tokens.rate == math.inf
        assert tokens.wait(0.0) == 0.0
