"""Replicas behind a store keep their promises together; while it is away each has its part."""

from __future__ import annotations

import math

import pytest

from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.sharing import parts
from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.session import Session
from aibridge_trio.simulate.policies import bridge, replica, store_link
from aibridge_trio.simulate.results.outcome import Outcome, Peaks
from aibridge_trio.simulate.run import Play
from aibridge_trio.simulate.scenario.demand import requests
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from aibridge_trio.simulate.world import store
from tests.support.simulated import parsed

# Three times what the limits admit.
CROWD = """
duration = "30s"
[[callers]]
count = 60
requests_per_minute = 60
patience = "10s"
client = "none"
[[callers]]
count = 1
requests_per_minute = 3000
patience = "10s"
client = "none"
[provider]
first_token = "200ms"
answer_tokens = 40
prompt_tokens = 100
[settings]
max_concurrency = 60
max_concurrency_per_provider = 50
max_concurrency_per_caller = 20
rate_limit = 10
token_limit = 15000
"""
OUTAGE = """
[[phases]]
from = "8s"
for = "6s"
fault = "503"
[settings]
max_concurrency = 30
circuit_breaker = true
circuit_breaker_cooldown = "1s"
"""


def play(given: Scenario, sharing: FleetSharing, seed: int = 1) -> tuple[Outcome, Peaks]:
    """Play it to its end, see that nothing is left over, and return what came of it."""
    one = Play(given, requests(given, seed), "aibridge", given.settings, seed, sharing=sharing)
    outcome = one.run("x")
    assert one.provider.in_flight == one.policy.waiting == one.policy.held == 0
    assert outcome.peaks
    return outcome, outcome.peaks


def test_the_machines_are_the_products_own() -> None:
    """Limiter, session, parts and ledger: the same objects."""
    assert vars(store_link)["Session"] is Session
    assert vars(store)["Ledger"] is Ledger
    assert vars(replica)["part"] is parts.part
    assert vars(bridge)["ConcurrencyLimiter"] is ConcurrencyLimiter


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("replicas", [1, 3, 20])
def test_no_limit_is_exceeded(replicas: int, seed: int) -> None:
    """In flight, per caller and provider, rates and tokens, of all replicas; and what there is gets used."""
    outcome, peaks = play(parsed(CROWD), FleetSharing(replicas, store=True), seed)
    assert peaks.in_flight == 50
    assert peaks.rate == 10
    assert 14_000 < peaks.tokens <= 15_000
    one, _ = play(parsed(CROWD), FleetSharing(1), seed)
    assert outcome.served > 0.9 * one.served


def test_probes_are_those_of_all() -> None:
    """Half-open no more than three probes run, of however many replicas."""
    given = parsed(CROWD.partition("[settings]")[0] + OUTAGE)
    assert play(given, FleetSharing(8, store=True))[1].probes <= 3 < play(given, FleetSharing(8))[1].probes


def test_parts_hold_while_the_store_is_away() -> None:
    """Below twice the limits while what was in flight ends, and nothing is lost."""
    outcome, peaks = play(parsed(CROWD), FleetSharing(3, store=True, cut_off=1.0))
    assert 50 <= peaks.in_flight < 2 * 50
    assert peaks.rate < 2 * 10
    whole, _ = play(parsed(CROWD), FleetSharing(3, store=True))
    assert outcome.served > 0.8 * whole.served


@pytest.mark.parametrize("loss", [0.001, 0.02])
def test_a_bad_way_loses_no_slot(loss: float) -> None:
    """Batches and replies are lost all the time: what is held is given back, and limits hold nearly."""
    outcome, peaks = play(parsed(CROWD), FleetSharing(3, store=True, round_trip=0.01, loss=loss))
    assert peaks.in_flight < 2 * 50
    assert outcome.served > 0


def test_the_same_seed_gives_the_same() -> None:
    """And another one does not."""
    ways = FleetSharing(5, store=True, loss=0.01, cut_off=0.4)
    first, again, other = (play(parsed(CROWD), ways, seed)[0] for seed in (1, 1, 2))
    assert first == again != other
    assert not math.isnan(first.share)
