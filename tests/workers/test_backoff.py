"""When a worker that has ended is started again."""

from __future__ import annotations

from aibridge_trio.workers.backoff import FIRST, LONG_LIFE, LONGEST, Backoff


def test_short_lives_have_longer_and_longer_pauses() -> None:
    """At once, then doubling up to the longest: a worker that cannot start does not spin."""
    backoff = Backoff()
    pauses = [backoff.ended(0.1) for _ in range(10)]
    assert pauses == [0.0, FIRST, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST, LONGEST, LONGEST]


def test_a_long_life_begins_anew() -> None:
    """A worker that has served for long is started at once."""
    backoff = Backoff()
    for _ in range(5):
        backoff.ended(0.0)
    assert backoff.ended(LONG_LIFE) == 0.0
    assert backoff.ended(1.0) == FIRST
