"""Who wants what, when: drawn once, so that every policy sees the same."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from aibridge_trio.simulate.scenario.scenario import Crowd, Group, Scenario
from aibridge_trio.simulate.world.chance import lognormal


class Wish(NamedTuple):
    """One answer that one caller wants; `luck` decides whatever chance decides about it."""

    born: float
    caller: int
    group: Group
    prompt: int
    tokens: int
    luck: int


def wishes(scenario: Scenario, seed: int) -> list[Wish]:
    """Return all wishes of a scenario, in the order in which they come."""
    found: list[Wish] = []
    first = 0
    for number, group in enumerate(scenario.groups):
        found += _of_group(scenario, group, first, Random(f"{seed}/demand/{number}"))  # noqa: S311 - no secret
        first += group.count
    found.sort(key=lambda wish: (wish.born, wish.caller, wish.luck))
    return found


def _of_group(scenario: Scenario, group: Group, first: int, chance: Random) -> Iterator[Wish]:
    crowds = [crowd for crowd in scenario.crowds if crowd.group in ("", group.name)]
    model = scenario.model
    # A Poisson process at the highest rate there is; where the rate is lower, some are left out.
    highest = max([1.0, *(crowd.times for crowd in crowds)])
    rate = group.count * group.requests_per_minute / 60 * highest
    now = 0.0
    while rate:
        now += chance.expovariate(rate)
        if now >= scenario.duration:
            return
        caller = first + int(chance.random() * group.count)
        length = lognormal(model.answer_tokens, model.answer_tokens_spread, chance.random() or 0.5)
        luck, kept = chance.getrandbits(64), chance.random() * highest
        if kept < _times(crowds, now):
            yield Wish(now, caller, group, model.prompt_tokens, max(1, round(length)), luck)


def _times(crowds: list[Crowd], now: float) -> float:
    return max((crowd.times for crowd in crowds if crowd.start <= now < crowd.end), default=1.0)
