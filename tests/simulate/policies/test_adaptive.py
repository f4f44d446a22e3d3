"""The adaptive policy: the program's limiter in virtual time."""

from __future__ import annotations

import pytest

from aibridge_trio.simulate import plan
from aibridge_trio.simulate.plan import Numbers, Variant
from aibridge_trio.simulate.run import ADAPTIVE, CLAIRVOYANT


@pytest.mark.parametrize("name", ["day", "outage", "quota", "two-providers"])
def test_it_answers_nearly_as_many_as_the_bound(name: str) -> None:
    """Without a number set."""
    scenario = plan.shipped(name)
    variants = [Variant(policy, policy, {}) for policy in (ADAPTIVE, CLAIRVOYANT)]
    adaptive, bound = plan.play(scenario, variants, 1).outcomes
    assert adaptive.share >= 0.96 * bound.share
    assert adaptive.wasted_share <= 0.08


def test_a_quiet_day_has_no_rejects_and_no_waits() -> None:
    """Every call goes up once."""
    scenario = plan.scaled(plan.shipped("day"), Numbers(duration=120.0))
    (outcome,) = plan.play(scenario, [Variant(ADAPTIVE, ADAPTIVE, {})], 1).outcomes
    assert (outcome.refused, outcome.calls) == (0, outcome.tries)
