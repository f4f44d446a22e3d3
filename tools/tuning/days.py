"""The days that settings are compared on: shipped scenarios and those kept apart, each with several seeds.

A day's number is its seed, and also scales how long its faults last, so that a cooldown cannot win by ending with
the outage by chance.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

from aibridge_trio.simulate import plan
from aibridge_trio.simulate.scenario.parse import load
from aibridge_trio.simulate.scenario.scenario import Scenario

# The duration of faults on each day, relative to the scenario's.
LENGTHS = (0.55, 1.0)
DAYS = tuple(range(1, len(LENGTHS) + 1))
# The day with the scenario's own durations.
USUAL = LENGTHS.index(1.0) + 1
_APART = Path(__file__).parents[2] / "tests" / "simulate" / "kept_apart"
# The scenarios that are not shipped: no constant of core/adaptive was chosen with them.
KEPT_APART = tuple(sorted(file.stem for file in _APART.glob("*.toml")))


@cache
def day(name: str, number: int) -> Scenario:
    """Return one day of a scenario; days count from 1."""
    length = LENGTHS[number - 1]
    given = _given(name)
    phases, crowds = given.phases, given.crowds
    # The first fault begins as in the scenario; repeated ones keep their share of the time.
    first = min((start for start, _ in given.troubles), default=0.0)

    def longer(start: float, end: float) -> tuple[float, float]:
        return first + (start - first) * length, first + (end - first) * length

    return dataclasses.replace(
        given,
        name=name,
        phases=tuple(
            dataclasses.replace(each, start=start, end=end)
            for each in phases
            for start, end in [longer(each.start, each.end)]
        ),
        crowds=tuple(
            dataclasses.replace(each, start=start, end=end)
            for each in crowds
            for start, end in [longer(each.start, each.end)]
        ),
    )


def _given(name: str) -> Scenario:
    if name in KEPT_APART:
        return load(_APART / f"{name}.toml")
    return _OWN[name]() if name in _OWN else plan.shipped(name)


def _saying(seconds: float) -> Scenario:
    """An outage with Retry-After of `seconds`; infinite: the true time until its end."""
    given = plan.shipped("outage")
    phases = tuple(dataclasses.replace(each, retry_after=seconds) for each in given.phases)
    return dataclasses.replace(given, phases=phases)


def _account() -> Scenario:
    """Keys of one account without quotas of their own, which together exceed the account's concurrency limit."""
    given = plan.shipped("quota")
    model = dataclasses.replace(given.model, requests_per_minute=0, slots=40, when_full="429")
    return dataclasses.replace(given, model=model)


def _one_over() -> Scenario:
    """One caller above its quota in place of five."""
    given = plan.shipped("quota")
    groups = (dataclasses.replace(each, count=1) if each.name == "over" else each for each in given.groups)
    return dataclasses.replace(given, groups=tuple(groups))


_OWN: dict[str, Callable[[], Scenario]] = {
    "outage, true word": lambda: _saying(math.inf),
    "outage, says 10m": lambda: _saying(600.0),
    "quota, one over": _one_over,
    "quota of an account": _account,
}
