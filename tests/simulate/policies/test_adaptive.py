"""The adaptive policy: the program's limiter in virtual time."""

from __future__ import annotations

import pytest

from aibridge_trio.simulate import plan
from aibridge_trio.simulate.plan import Numbers, Variant
from aibridge_trio.simulate.run import ADAPTIVE, CLAIRVOYANT
from tests.support import simulated

# More than the provider takes, so that a short line is full.
OVERLOAD = """
duration = "5m"
[[callers]]
count = 60
client = "none"
requests_per_minute = 8
patience = "2m"
[provider]
slots = 20
when_full = "529"
answer_tokens = 150
"""
IMPATIENT = OVERLOAD.replace('"2m"', '"30s"')
QUOTA = """
duration = "4m"
[[callers]]
count = 40
client = "none"
requests_per_minute = 3
patience = "2m"
[provider]
requests_per_minute = 60
answer_tokens = 150
"""
# Its refusals come at one level, which the pace keeps steady.
STEADY_QUOTA = """
duration = "6m"
[[callers]]
count = 10
client = "openai-python"
requests_per_minute = 12
patience = "30s"
[provider]
requests_per_minute = 90
answer_tokens = 30
"""
CROWD = """
duration = "3m"
[[callers]]
count = 30
client = "anthropic-python"
requests_per_minute = 4
patience = "2m"
[provider]
slots = 16
when_full = "529"
answer_tokens = 150
[[crowds]]
from = "60s"
for = "20s"
times = 5
"""
OUTAGE = """
duration = "5m"
[[callers]]
count = 40
client = "anthropic-python"
requests_per_minute = 4
patience = "2m"
[provider]
slots = 20
when_full = "529"
answer_tokens = 150
[[phases]]
from = "2m"
for = "30s"
fault = "503"
cuts = true
"""


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


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("scenario", "line_size"), [(OVERLOAD, 60), (IMPATIENT, 60), (QUOTA, 30), (CROWD, 30), (OUTAGE, 40)]
)
def test_the_told_wait_is_within_half_of_the_true_one(scenario: str, line_size: int, seed: int) -> None:
    """From the 5th to the 95th percentile of the requests that a full line rejects."""
    outcome = simulated.play(scenario, ADAPTIVE, seed, line_size=line_size)
    assert outcome.refused > 40
    assert outcome.told_share_p5 is not None
    assert outcome.told_share_p95 is not None
    assert -0.5 <= outcome.told_share_p5 <= outcome.told_share_p95 <= 0.5


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_quota_is_not_taken_for_a_limit_on_concurrency(seed: int) -> None:
    """Few requests are at the provider at once, so that the levels of refusals say little."""
    outcome = simulated.play(STEADY_QUOTA, "adaptive", seed)
    assert outcome.wasted_share <= 0.08
    assert outcome.served >= 0.95 * simulated.play(STEADY_QUOTA, "clairvoyant", seed).served
