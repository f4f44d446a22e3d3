"""Small scenarios for the simulator's tests, and how they are played."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from aibridge_trio.simulate import plan
from aibridge_trio.simulate.plan import Played
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.run import POLICIES, Play
from aibridge_trio.simulate.scenario import parse
from aibridge_trio.simulate.scenario.demand import Request, requests
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.scenario.settings import parse_settings
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers

_APART = Path(__file__).parents[1] / "simulate" / "kept_apart"
# The names of the scenarios that are not shipped.
KEPT_APART = tuple(sorted(file.stem for file in _APART.glob("*.toml")))
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
    return parse.parsed("test.toml", tomllib.loads(text))


def play(given: Scenario | str, policy: str = "aibridge", seed: int = 1, **settings: Any) -> Outcome:
    """Play it to its end, see that nothing is left over, and return what came of it."""
    given = given if isinstance(given, Scenario) else parsed(given)
    told = parse_settings(" ".join(f"{name}={value}" for name, value in settings.items()))
    one = Play(given, requests(given, seed), policy, given.settings | told, seed)
    outcome = one.run(policy)
    assert one.provider.in_flight == one.policy.waiting == one.policy.held == 0
    assert outcome.served + outcome.gave_up + outcome.left == outcome.wanted
    return outcome


def shipped(name: str) -> Scenario:
    """Return a scenario that comes with the program."""
    return plan.shipped(name)


def kept_apart(name: str) -> Scenario:
    """Return a scenario with which no number of the program was chosen."""
    return parse.load(_APART / f"{name}.toml")


@cache
def outcome_of(name: str, policy: str) -> Outcome:
    """Play a scenario that has a name under a policy, with its own settings: once for all tests that ask."""
    return play(kept_apart(name) if name in KEPT_APART else shipped(name), policy)


def played(*names: str, seed: int = 1) -> list[Played]:
    """Play shipped scenarios under every policy."""
    compared = plan.variants(",".join(POLICIES), "", "")
    return [plan.play(shipped(name), compared, seed) for name in names]


def a_request(given: Scenario, caller: int = 0, seed: int = 7, born: float = 0.0, tokens: int = 100) -> Request:
    """Return one request of a scenario's first group."""
    return Request(born, caller, given.groups[0], given.groups[0].prompt_tokens, tokens, seed)


class RecordingListener:
    """Records the events of calls, with their times."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.events: list[tuple[Any, ...]] = []

    def head(self, call: Call, headers: Headers) -> None:
        self._note("head", call, *headers)

    def first_token(self, call: Call) -> None:
        self._note("first", call)

    def completed(self, call: Call) -> None:
        self._note("ended", call)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        self._note(status, call, *headers, *(["exhausted"] if exhausted else []))

    def broke(self, call: Call, phase: str) -> None:
        self._note(f"broke: {phase}", call)

    def overloaded(self, call: Call) -> None:
        self._note("overloaded", call)

    def _note(self, what: str | int, call: Call, *more: Any) -> None:
        self.events.append((round(self.clock.now, 3), what, call.request.caller, *more))

    @property
    def kinds(self) -> list[Any]:
        """The events, without times and callers."""
        return [what for _, what, *_ in self.events]
