"""The days that settings are tried on."""

from __future__ import annotations

import dataclasses

import pytest

from aibridge_trio.simulate import plan
from tests.support import simulated
from tests.support.simulated import kept_apart, shipped
from tools.tuning.days import KEPT_APART, LENGTHS, USUAL, day


def test_trouble_lasts_another_time_on_each_day() -> None:
    """It begins when it did; what comes again takes the same share of the time."""
    for number, length in enumerate(LENGTHS, 1):
        [(start, end)] = day("outage", number).troubles
        assert start == 180
        assert end == pytest.approx(180 + 180 * length)
        first, second, *_ = day("flapping", number).troubles
        assert second[0] - first[0] == pytest.approx(60 * length)
        assert first[1] - first[0] == pytest.approx(20 * length)
    assert day("day", 1) == shipped("day")


def test_the_usual_day_is_the_scenarios_own() -> None:
    """Where trouble lasts as long as the scenario says, nothing is changed."""
    for name in plan.SHIPPED:
        assert day(name, USUAL) == shipped(name)
    assert KEPT_APART == simulated.KEPT_APART
    for name in KEPT_APART:
        assert day(name, USUAL) == dataclasses.replace(kept_apart(name), name=name)
