from __future__ import annotations

from typing import get_args

import pytest

from aibridge_trio.core.limits.lease import Limit
from aibridge_trio.core.limits.refusals import Reason, Refusal, reject

REASONS: list[Reason] = [*get_args(Limit), "queue_full", "queue_timeout", "queue_deadline"]


@pytest.mark.parametrize("reason", REASONS)
def test_a_refusal_becomes_the_reject_of_its_reason(reason: Reason) -> None:
    """The reject's reason is the refusal's, for every reason that there is."""
    assert set(REASONS) == {literal for part in get_args(Reason) for literal in (get_args(part) or (part,))}
    assert reject(Refusal(reason, 2.0), "openai", 5.0).reason == reason


@pytest.mark.parametrize("reason", ["rate_limit", "queue_full", "queue_timeout", "queue_deadline"])
def test_an_estimated_wait_reaches_the_caller(reason: Reason) -> None:
    """Where the limiter knows when to come back, the reject's wait is that time."""
    assert reject(Refusal(reason, 7.25), "openai", 5.0).wait == 7.25


def test_messages_name_their_numbers() -> None:
    """A caller reads its limit, its provider, how long its request waited, or when its turn would have come."""
    assert "3 requests" in reject(Refusal("caller_capacity", 1.0, limit=3), "openai", 0.0).message
    assert "openai" in reject(Refusal("provider_capacity", 1.0), "openai", 0.0).message
    assert "4.5 s" in reject(Refusal("queue_timeout", 1.0), "openai", 4.5).message
    late = reject(Refusal("queue_deadline", 8.0, expected=8.0), "openai", 5.0).message
    assert "8 s" in late
    assert "5 s" in late


def test_a_rate_limits_spread_takes_the_place_of_the_jitter() -> None:
    """The wait in the headers is the turn plus the spread, whatever the jitter."""
    headers = dict(reject(Refusal("rate_limit", 2.0, spread=0.125), "openai", 0.0).headers(0.2))
    assert headers[b"retry-after-ms"] == b"2125"
