"""The requests of a scenario: drawn once, so that every policy gets the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from aibridge_trio.simulate.scenario.scenario import Crowd, Group, Scenario
from aibridge_trio.simulate.world.randomness import lognormal


class Request(NamedTuple):
    """One request of one caller; `seed` determines all random decisions about it."""

    born: float
    caller: int
    group: Group
    prompt: int
    tokens: int
    seed: int


def requests(scenario: Scenario, seed: int) -> list[Request]:
    """Return all requests of a scenario, in order of time."""
    found: list[Request] = []
    first = 0
    for number, group in enumerate(scenario.groups):
        found += _of_group(scenario, group, first, Random(f"{seed}/demand/{number}"))  # noqa: S311 - no secret
        first += group.count
    found.sort(key=lambda request: (request.born, request.caller, request.seed))
    return found


def _of_group(scenario: Scenario, group: Group, first: int, random: Random) -> Iterator[Request]:
    crowds = [crowd for crowd in scenario.crowds if crowd.group in ("", group.name)]
    # A Poisson process at the highest rate, thinned where the rate is lower.
    highest = max([1.0, *(crowd.times for crowd in crowds)]) * max(group.curve, default=1.0)
    rate = group.count * group.requests_per_minute / 60 * highest
    now = 0.0
    while rate:
        now += random.expovariate(rate)
        if now >= scenario.duration:
            return
        caller = first + int(random.random() * group.count)
        length = lognormal(group.answer_tokens, group.answer_tokens_spread, random.random() or 0.5)
        request_seed, kept = random.getrandbits(64), random.random() * highest
        prompt: float = group.prompt_tokens
        if group.prompt_tokens_spread:
            prompt = lognormal(prompt, group.prompt_tokens_spread, random.random() or 0.5)
        if kept < _times(crowds, now) * _on_curve(group.curve, now / scenario.duration):
            yield Request(now, caller, group, round(prompt), max(1, round(length)), request_seed)


def _on_curve(curve: Sequence[float], share: float) -> float:
    """Return the factor at this share of the duration (0 to 1), which has equal parts."""
    return curve[int(share * len(curve))] if curve else 1.0


def _times(crowds: list[Crowd], now: float) -> float:
    return max((crowd.times for crowd in crowds if crowd.start <= now < crowd.end), default=1.0)
