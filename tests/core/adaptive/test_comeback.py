"""When a rejected request should come back."""

from __future__ import annotations

import pytest

from aibridge_trio.core.adaptive.comeback import Comeback


def test_waits_are_computed_from_the_rate_and_spaced() -> None:
    """Twenty ahead at two a second are ten seconds; the next comes half a second later."""
    comeback = Comeback()
    for number in range(20):
        comeback.began(number / 2)
    waits = [comeback.wait(10.0, 0.0, 20) for _ in range(3)]
    assert waits == pytest.approx([10.0, 10.5, 11.0])


def test_a_wait_is_at_least_a_second_and_at_most_a_minute() -> None:
    """An estimate says little beyond."""
    comeback = Comeback()
    assert comeback.wait(0.0, 300.0, 1) == 60.0
    busy = Comeback()
    for number in range(1000):
        busy.began(number / 100)
    assert busy.wait(10.0, 0.0, 1) == 1.0


def test_an_outage_with_many_rejects_leaves_no_debt() -> None:
    """Spacing thousands of rejects by a second must not delay those of the next hours."""
    comeback = Comeback()
    for number in range(10_000):
        assert 1.0 <= comeback.wait(number / 20, 3.0, 10) <= 60.0
    for number in range(1000):
        comeback.began(560.0 + number / 100)
    assert comeback.wait(570.0, 0.0, 100) < 5.0


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    """And of so many answers at most: memory is bounded."""
    comeback = Comeback()
    for number in range(100):
        comeback.began(number / 10)
    assert comeback.rate(9.9) == 10.0
    assert comeback.rate(14.95) == 5.0
    assert comeback.rate(30.0) == 0.0
    for _ in range(10_000):
        comeback.began(31.0)
    assert comeback.rate(31.0) == 409.6
