"""One run: nothing is lost, the same seed gives the same result, and protections protect."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibridge_trio.simulate.plan import SHIPPED
from aibridge_trio.simulate.run import POLICIES, Play
from aibridge_trio.simulate.scenario.demand import requests
from tests.support.simulated import CALLERS, OUTAGE, outcome_of, parsed, play, shipped

EVERY_POLICY = pytest.mark.parametrize("policy", POLICIES)


@EVERY_POLICY
@pytest.mark.parametrize("name", SHIPPED)
def test_every_wish_ends_once_and_no_slot_leaks(name: str, policy: str) -> None:
    """In every scenario under every policy; calls that went up came back as good or as waste."""
    outcome = outcome_of(name, policy)
    assert outcome.served == outcome.calls - outcome.wasted
    assert outcome.tries >= outcome.wanted
    # Only the adaptive limiter sends a call once more, and only after it was pushed back.
    again = outcome.wasted if policy == "adaptive" else 0
    assert outcome.tries - outcome.refused >= outcome.calls - again


FAULTS = st.sampled_from(
    ["none", "429", "500", "503", "529", "exhausted", "refuse", "hang", "overloaded", "break"]
)


@settings(deadline=None, max_examples=40)
@given(
    fault=FAULTS,
    client=st.sampled_from(["openai-python", "anthropic-python", "codex", "claude-code", "none"]),
    told=st.fixed_dictionaries(
        {
            "max_concurrency": st.integers(0, 12),
            "max_concurrency_per_caller": st.integers(0, 3),
            "max_concurrency_per_provider": st.integers(0, 8),
            "queue_size": st.integers(0, 15),
            "queue_timeout": st.sampled_from(["1s", "5s"]),
            "rate_limit": st.integers(0, 2),
            "circuit_breaker": st.sampled_from(["true", "false"]),
            "circuit_breaker_failure_share": st.sampled_from(["0", "50%"]),
            "circuit_breaker_cooldown": st.sampled_from(["2s", "10s"]),
            "circuit_breaker_max_cooldown": st.sampled_from(["1s", "1m"]),
            "circuit_breaker_growth": st.sampled_from(["1", "2"]),
            "circuit_breaker_ramp": st.sampled_from(["0s", "5s"]),
            "circuit_breaker_429": st.sampled_from(["provider", "credential"]),
            "circuit_breaker_slow_first_byte": st.sampled_from(["0s", "1s"]),
            "first_byte_timeout": st.sampled_from(["0s", "8s"]),
        }
    ),
    seed=st.integers(0, 9),
)
def test_nothing_is_lost_whatever_is_set(fault: str, client: str, told: dict[str, object], seed: int) -> None:
    """Settings, faults and clients at random: each wish ends once, and all that was held is given back."""
    text = (
        'duration = "40s"\n[[callers]]\ncount = 6\nrequests_per_minute = 20\npatience = "15s"\n'
        f'client = "{client}"\n[provider]\nslots = 10\nkeys = "own"\nrequests_per_minute = 60\n'
        f'[[phases]]\nfrom = "10s"\nfor = "10s"\nfault = "{fault}"\nshare = 0.8\ncuts = true\nretry_after = "4s"\n'
    )
    for policy in POLICIES:
        play(text, policy, seed, **told)


@pytest.mark.parametrize("cooldown", [5, 10, 30])
def test_a_breaker_wastes_no_more_than_what_is_in_flight_and_its_probes(cooldown: int) -> None:
    """What runs when the outage begins, the threshold, and three probes each time a cooldown ends."""
    outcome = play(
        CALLERS + "[provider]\nslots = 100\n" + OUTAGE,
        circuit_breaker="true",
        circuit_breaker_cooldown=f"{cooldown}s",
        circuit_breaker_growth="1",
    )
    in_flight = max(outcome.curves.in_flight)
    probes = 3 * (60 // cooldown + 1)
    assert 0 < outcome.wasted <= in_flight + 5 + probes
    assert play(CALLERS + OUTAGE, "none").wasted > 3 * outcome.wasted


def test_after_an_outage_all_is_as_before() -> None:
    """The way back is found, not much later than the cooldown."""
    outcome = play(CALLERS + OUTAGE, circuit_breaker="true", circuit_breaker_max_cooldown="1s")
    assert outcome.recovery is not None
    assert 0 <= outcome.recovery <= 45
    last = outcome.curves.goodput[-40:]
    assert sum(last) / len(last) > 3


@pytest.mark.parametrize("fair", [{"max_concurrency_per_caller": 10}, {"queue_size": 100}], ids=["share", "queue"])
def test_a_greedy_caller_is_held_back(fair: dict[str, int]) -> None:
    """With a share per caller, or with the fair queue, the modest get what is theirs."""
    greedy = shipped("greedy-caller")
    settings_: dict[str, Any] = {"max_concurrency_per_caller": 0, "queue_size": 0, "max_concurrency": 40}
    without, with_ = play(greedy, **settings_), play(greedy, **(settings_ | fair))
    assert without.fairness < 0.7
    assert with_.fairness > 0.95


def test_a_queue_answers_more_of_a_crowd() -> None:
    """A request that waits a little need not be retried."""
    crowd = shipped("flash-crowd")
    assert play(crowd).served > play(crowd, queue_size=0).served


def test_the_quota_of_one_key_does_not_open_the_breaker_for_all() -> None:
    """With the breaker on keys the modest are served, while they are few who ask for too much."""
    quota = shipped("quota")
    modest, over = quota.groups
    quota = dataclasses.replace(quota, groups=(modest, dataclasses.replace(over, count=2)))
    by_provider, by_key = play(quota), play(quota, circuit_breaker_429="credential")
    assert by_key.fairness > by_provider.fairness
    assert by_key.share > 2 * by_provider.share


def test_a_longer_ramp_lets_them_back_in_later() -> None:
    """Between the end of the cooldown and full load there is a slope."""
    at_once = play(CALLERS + OUTAGE, circuit_breaker="true", circuit_breaker_max_cooldown="1s")
    slowly = play(
        CALLERS + OUTAGE, circuit_breaker="true", circuit_breaker_max_cooldown="1s", circuit_breaker_ramp="40s"
    )
    assert at_once.recovery is not None
    assert slowly.recovery is not None
    assert slowly.recovery > at_once.recovery + 5


def test_an_hour_of_a_thousand_callers_takes_seconds() -> None:
    """Under 10 s on a quiet machine; here there may be others, so the processor's time counts, threefold."""
    given_ = parsed(
        'duration = "10m"\n[[callers]]\ncount = 1000\nrequests_per_minute = 2\n'
        "[provider]\nslots = 300\n[settings]\nmax_concurrency = 300\nqueue_size = 200\ncircuit_breaker = true\n"
    )
    begun = time.process_time()
    Play(given_, requests(given_, 1), "aibridge", given_.settings, 1).run("aibridge")
    assert time.process_time() - begun < 5
