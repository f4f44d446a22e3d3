"""Replicas behind a balancer."""

from __future__ import annotations

from collections import Counter

from aibridge_trio.simulate.policies.fleet import Fleet
from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.run import Play
from aibridge_trio.simulate.scenario.demand import requests
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.engine import Engine
from tests.support.simulated import CALLERS, parsed

LIMITED = CALLERS.replace("12", "120") + "[provider]\n[settings]\nmax_concurrency = 4\n"


class Counted(Policy):
    """Counts its calls."""

    def __init__(self, given: Scenario, which: int, calls: Counter[int]) -> None:
        super().__init__(Engine(), Measure(given))
        self._which, self._calls = which, calls

    def call(self, call: Call) -> None:
        self._calls[self._which] += 1


def test_calls_are_spread_evenly_and_a_retry_comes_to_another_one() -> None:
    """By chance that depends on the request and the attempt only."""
    given = parsed(CALLERS)
    calls: Counter[int] = Counter()
    fleet = Fleet(Engine(), Measure(given), [Counted(given, which, calls) for which in range(4)])
    for request in requests(given, 1):
        for attempt in range(2):
            fleet.call(Call(request, attempt))
    assert len(fleet.replicas) == 4
    assert sum(calls.values()) == 2 * len(requests(given, 1)) > 1000
    assert max(calls.values()) < 1.2 * min(calls.values())


def test_replicas_that_share_nothing_admit_so_many_times_as_much() -> None:
    """Each has the whole limit."""
    given = parsed(LIMITED)
    for replicas in (1, 3):
        play = Play(given, requests(given, 1), "aibridge", given.settings, 1, sharing=FleetSharing(replicas))
        outcome = play.run("x")
        assert outcome.peaks
        assert outcome.peaks.in_flight == 4 * replicas
        assert play.provider.in_flight == play.policy.held == 0
