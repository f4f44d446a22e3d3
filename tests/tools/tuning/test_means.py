"""Means over days."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.simulate import plan
from tests.support.simulated import shipped
from tools.tuning.means import Mean, mean


def numbers(*shares: float, **more: Any) -> Mean:
    """What a table is made from."""
    return Mean(
        **{
            "shares": shares,
            "wasted": 1234.0,
            "wasted_share": 0.05,
            "fairness": 0.987,
            "wait_p50": 0.61,
            "wait_p99": None,
            "told": -0.04,
            "back": float("inf"),
            **more,
        }
    )


def test_rows_are_compared_day_by_day() -> None:
    """The mean of the differences, and its standard error."""
    for mine, theirs, expected in (
        (numbers(0.5, 0.6, 0.7), numbers(0.4, 0.5, 0.6), [0.1, 0.0]),
        (numbers(0.5, 0.7), numbers(0.5, 0.5), [0.1, 0.1]),
        (numbers(0.5), numbers(0.4), [0.1, 0.0]),
    ):
        assert list(mine.against(theirs)) == pytest.approx(expected)


def test_the_way_back_is_the_median() -> None:
    """One day without a way back does not hide the others; of none nothing is said."""
    usual = plan.play(shipped("outage"), plan.variants("none", "", ""), 1).outcomes[0]
    assert mean([usual, usual]).back == usual.recovery
    quiet = plan.play(shipped("day"), plan.variants("none", "", ""), 1).outcomes[0]
    assert mean([quiet]).back is None
    assert mean([quiet]).told is None
