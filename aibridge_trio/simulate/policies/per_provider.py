"""A policy of its own for each provider, where a program keeps them apart."""

from __future__ import annotations

from collections.abc import Mapping

from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.policies.several import Several
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.engine import Clock


class PerProvider(Several):
    """Gives each call and its events to the policy of its provider."""

    def __init__(self, clock: Clock, measure: Measure, policies: Mapping[str, Policy]) -> None:
        super().__init__(clock, measure, list(policies.values()))
        self._by_provider = policies

    def _of(self, call: Call) -> Policy:
        return self._by_provider[call.request.group.provider]
