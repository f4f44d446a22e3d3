"""One scenario, played under one policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aibridge_trio.simulate.policies.bridge import Bridge
from aibridge_trio.simulate.policies.others import GoBridge, LiteLlm
from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.results.measure import POINTS, Measure
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.scenario.demand import Wish
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.world.callers import Callers
from aibridge_trio.simulate.world.engine import Engine
from aibridge_trio.simulate.world.provider import Provider

AIBRIDGE = "aibridge"
_OTHERS: dict[str, Callable[[Values, Engine, Measure], Policy]] = {
    "none": lambda values, clock, measure: Policy(clock, measure, values["first_byte_timeout"]),
    "go-aibridge": GoBridge,
    "litellm": LiteLlm,
}
POLICIES = (AIBRIDGE, *_OTHERS)


class Play:
    """Everything that takes part, put together."""

    def __init__(self, scenario: Scenario, wishes: Sequence[Wish], policy: str, values: Values, seed: int) -> None:
        self.scenario = scenario
        self.engine = Engine()
        self.measure = Measure(scenario)
        self.provider = Provider(scenario, self.engine)
        self.callers = Callers(wishes, self.engine, self.measure)
        if policy == AIBRIDGE:
            own_keys = scenario.model.own_keys
            self.door: Policy = Bridge(values, self.engine, self.measure, own_keys=own_keys, seed=seed)
        else:
            self.door = _OTHERS[policy](values, self.engine, self.measure)
        self.callers.door = self.provider.listener = self.door
        self.door.callers, self.door.provider = self.callers, self.provider

        self._samples = 0

    def run(self, name: str) -> Outcome:
        """Play until every wish has ended; the curves end with the scenario."""
        self.engine.at(0.0, self._sample)
        self.engine.run()
        return self.measure.outcome(name)

    def _sample(self, _: None) -> None:
        self.measure.sample(self.provider.in_flight, self.door.waiting, self.door.state)
        self._samples += 1
        if self._samples < POINTS:
            self.engine.at(self._samples * self.measure.step, self._sample)
