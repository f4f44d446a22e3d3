"""One scenario run under one policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aibridge_trio.simulate.policies.adaptive import Adaptive
from aibridge_trio.simulate.policies.bridge import Bridge
from aibridge_trio.simulate.policies.clairvoyant import Clairvoyant
from aibridge_trio.simulate.policies.fleet import Fleet
from aibridge_trio.simulate.policies.others import GoBridge, LiteLlm
from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.policies.per_provider import PerProvider
from aibridge_trio.simulate.policies.replica import Replica
from aibridge_trio.simulate.policies.store_link import StoreLink
from aibridge_trio.simulate.results.measure import POINTS, Measure
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.results.promises import FleetMeasure
from aibridge_trio.simulate.scenario.demand import Request
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from aibridge_trio.simulate.world.callers import Callers
from aibridge_trio.simulate.world.engine import Engine
from aibridge_trio.simulate.world.providers import Providers
from aibridge_trio.simulate.world.store import Store, Way

AIBRIDGE = "aibridge"
ADAPTIVE = "adaptive"
CLAIRVOYANT = "clairvoyant"
_BRIDGES: dict[str, type[Bridge | Adaptive]] = {AIBRIDGE: Bridge, ADAPTIVE: Adaptive}
_ONE: dict[str, Callable[[Values, Engine, Measure], Policy]] = {
    "none": lambda values, clock, measure: Policy(clock, measure, values["first_byte_timeout"]),
    CLAIRVOYANT: lambda _, clock, measure: Clairvoyant(clock, measure),
}
# Policies of which each provider has its own.
_PER_PROVIDER = {"go-aibridge": GoBridge, "litellm": LiteLlm}
POLICIES = (*_BRIDGES, "none", *_PER_PROVIDER, CLAIRVOYANT)


class Play:
    """One run: callers, a policy in one or more replicas, a provider and the measurements."""

    def __init__(
        self,
        scenario: Scenario,
        requests: Sequence[Request],
        policy: str,
        values: Values,
        seed: int,
        *,
        sharing: FleetSharing | None = None,
    ) -> None:
        self.scenario = scenario
        replicas = sharing.replicas if sharing else 1
        self.engine = Engine()
        self.measure = FleetMeasure(scenario, replicas) if sharing else Measure(scenario)
        self.provider = Providers(scenario, self.engine)
        self.callers = Callers(requests, self.engine, self.measure)
        self.policy = self._policy(policy, values, seed)
        if replicas > 1:
            others = [self._policy(policy, values, f"{seed}/{number}") for number in range(1, replicas)]
            self.policy = Fleet(self.engine, self.measure, [self.policy, *others])
        if policy == AIBRIDGE and sharing and sharing.store:
            self.policy = Fleet(self.engine, self.measure, self._replicas(values, seed, sharing))
        self.callers.target = self.policy
        self.provider.listen(self.policy)
        self.policy.connect(self.callers, self.provider)
        self._samples = 0

    def _replicas(self, values: Values, seed: int, sharing: FleetSharing) -> list[Policy]:
        engine, duration = self.engine, self.scenario.duration
        own_keys = {name: model.own_keys for name, model in self.scenario.models.items()}
        store = Store(engine)
        found: list[Policy] = []
        for number in range(sharing.replicas):
            of_one = f"{seed}/{number}"
            cut = (duration / 3, 2 * duration / 3) if number < sharing.cut_off * sharing.replicas else None
            way = Way(store, engine, sharing, seed=of_one, cut=cut)
            link = StoreLink(engine, way, of_one, duration)
            found.append(Replica(values, engine, self.measure, link, own_keys=own_keys, seed=of_one))
        return found

    def _policy(self, policy: str, values: Values, seed: int | str) -> Policy:
        engine, measure, models = self.engine, self.measure, self.scenario.models
        if policy in _BRIDGES:
            own_keys = {name: model.own_keys for name, model in models.items()}
            return _BRIDGES[policy](values, engine, measure, own_keys=own_keys, seed=seed)
        if policy in _PER_PROVIDER:
            kind = _PER_PROVIDER[policy]
            return PerProvider(engine, measure, {name: kind(values, engine, measure, name) for name in models})
        return _ONE[policy](values, engine, measure)

    def run(self, name: str) -> Outcome:
        """Run until every request has ended; the curves end with the scenario."""
        self.engine.at(0.0, self._sample)
        self.engine.run()
        return self.measure.outcome(name)

    def _sample(self, _: None) -> None:
        self.measure.sample(self.provider.in_flight, self.policy.waiting, self.policy.state)
        self._samples += 1
        if self._samples < POINTS:
            self.engine.at(self._samples * self.measure.step, self._sample)
