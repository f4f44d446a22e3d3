"""Small scenarios for the simulator's tests, and how they are played."""

from __future__ import annotations

import tomllib
from typing import Any

from aibridge_trio.simulate import plan
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.run import Play
from aibridge_trio.simulate.scenario import scenario
from aibridge_trio.simulate.scenario import settings as setting
from aibridge_trio.simulate.scenario.demand import Wish, wishes
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers

CALLERS = """
duration = "4m"

[[callers]]
count = 20
requests_per_minute = 12
patience = "30s"
"""
OUTAGE = """
[[phases]]
from = "1m"
for = "1m"
fault = "503"
cuts = true
"""


def parsed(text: str) -> Scenario:
    """Read a scenario."""
    return scenario.parsed("test.toml", tomllib.loads(text))


def play(given: Scenario | str, policy: str = "aibridge", seed: int = 1, **settings: Any) -> Outcome:
    """Play it to its end, see that nothing is left over, and return what came of it."""
    given = given if isinstance(given, Scenario) else parsed(given)
    told = setting.read(" ".join(f"{name}={value}" for name, value in settings.items()))
    one = Play(given, wishes(given, seed), policy, given.settings | told, seed)
    outcome = one.run(policy)
    assert one.provider.in_flight == one.door.waiting == one.door.held == 0
    assert outcome.served + outcome.gave_up + outcome.left == outcome.wanted
    return outcome


def shipped(name: str) -> Scenario:
    """Return a scenario that comes with the program."""
    return plan.shipped(name)


def wish(given: Scenario, caller: int = 0, luck: int = 7, born: float = 0.0, tokens: int = 100) -> Wish:
    """Return one wish of a scenario's first group."""
    return Wish(born, caller, given.groups[0], given.model.prompt_tokens, tokens, luck)


class Ear:
    """Hears what a provider says, and when."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.heard: list[tuple[Any, ...]] = []

    def first(self, call: Call) -> None:
        self._note("first", call)

    def ended(self, call: Call) -> None:
        self._note("ended", call)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        self._note(status, call, *headers, *(["exhausted"] if exhausted else []))

    def broke(self, call: Call, phase: str) -> None:
        self._note(f"broke: {phase}", call)

    def overloaded(self, call: Call) -> None:
        self._note("overloaded", call)

    def _note(self, what: str | int, call: Call, *more: Any) -> None:
        self.heard.append((round(self.clock.now, 3), what, call.wish.caller, *more))

    @property
    def said(self) -> list[Any]:
        """What was heard, without times and callers."""
        return [what for _, what, *_ in self.heard]
