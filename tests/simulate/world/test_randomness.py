"""Random numbers of attempts."""

from __future__ import annotations

import pytest

from aibridge_trio.simulate.world.randomness import lognormal, uniform


def test_chance_is_even_and_needs_no_order() -> None:
    """The mean of many is a half, no two tries share theirs, and the median is the median."""
    numbers = [uniform(seed, attempt, 0) for seed in range(500) for attempt in range(4)]
    assert 0.48 < sum(numbers) / len(numbers) < 0.52
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 1 for number in numbers)
    assert lognormal(3.0, 0.7, 0.5) == pytest.approx(3.0)
    assert lognormal(3.0, 0.0, 0.99) == 3.0
