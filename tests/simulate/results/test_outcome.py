"""How the numbers of a simulation are made."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.simulate.results.outcome import fair, percentile, recovery


@pytest.mark.parametrize(
    ("wanted", "served", "index"),
    [
        ([10, 10], [5, 5], 1.0),
        ([10, 10], [10, 0], 0.5),
        ([10, 100], [10, 40], 1.0),  # who wants little has it, the rest is the other's
        ([10, 100], [0, 50], 0.5),
        ([0, 10], [0, 10], 1.0),  # who wants nothing lacks nothing
        ([10, 10], [0, 0], 1.0),
        ([], [], 1.0),
        ([10, 10, 40], [5, 5, 20], (0.5 + 0.5 + 2) ** 2 / (3 * (0.25 + 0.25 + 4))),
    ],
)
def test_fairness_is_of_fair_shares(wanted: list[int], served: list[int], index: float) -> None:
    """Jain's index of what each got of the share that max-min fairness would give."""
    assert fair(wanted, served) == pytest.approx(index)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), max_size=20))
def test_fairness_is_between_one_of_n_and_one(callers: list[tuple[int, float]]) -> None:
    """Whatever is wanted and served."""
    wanted = [want for want, _ in callers]
    served = [int(want * share) for want, share in callers]
    assert 1 / max(1, len(wanted)) - 1e-9 <= fair(wanted, served) <= 1 + 1e-9


def test_percentiles_are_values_that_were_seen() -> None:
    """The least that so many are not above."""
    assert percentile([], 0.5) is None
    assert percentile([3.0], 0.99) == 3.0
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.0, 0.25, 0.5, 0.51, 1.0)] == [1, 1, 2, 3, 4]


def test_recovery_is_from_the_end_of_trouble_to_nine_tenths() -> None:
    """Ten a second, nothing for a minute, eight a second for twenty seconds, then ten again."""
    begun = [10] * 60 + [0] * 60 + [8] * 20 + [10] * 100
    assert recovery(begun, [(60.0, 120.0)], 240.0) == 15.0
    assert recovery(begun, [], 240.0) is None
    assert recovery([10] * 240, [(60.0, 120.0)], 240.0) == 0.0
    assert recovery([10] * 60 + [0] * 180, [(60.0, 120.0)], 240.0) == math.inf
    assert recovery(begun, [(60.0, 240.0)], 240.0) is None  # there is no after
