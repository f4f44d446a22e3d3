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
