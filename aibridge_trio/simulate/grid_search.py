"""--suggest: a small grid of settings, run one by one, and ranked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.simulate import plan
from aibridge_trio.simulate.plan import Variant
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.results.progress import SILENT, Progress
from aibridge_trio.simulate.run import AIBRIDGE
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.scenario.settings import Values, default_settings, format_settings, parse_settings

CRITERION = (
    "most answers, each caller counting the same (to 1 %), then fewest wasted calls (to 1 %), then fewest "
    "settings, then the shortest waits"
)
_BREAKER = {
    "circuit_breaker_cooldown": ("10s", "30s"),
    "circuit_breaker_max_cooldown": ("30s", "5m"),
    "circuit_breaker_ramp": ("0s", "20s"),
}
# How many of the best are shown.
_SHOWN = 5
# Limits to try, as shares of the provider's capacity.
_PARTS = (0.5, 0.8, 1.0)
# The width of the progress line.
_WIDTH = 79


class Point(NamedTuple):
    """Settings, and their outcome in each scenario."""

    settings: Values
    outcomes: tuple[Outcome, ...]

    @property
    def rank(self) -> tuple[float, float, int, float]:
        """The values that CRITERION compares, the least first: means over all scenarios."""
        many = len(self.outcomes)
        share = sum(each.share_by_caller for each in self.outcomes) / many
        wasted = sum(each.wasted_share for each in self.outcomes) / many
        waits = sum(each.wait_p99 or 0.0 for each in self.outcomes) / many
        return (-round(share, 2), round(wasted, 2), len(_other(self.settings)), waits)


def points(axes: Mapping[str, Sequence[str]]) -> Iterator[Values]:
    """Yield every combination of values; `axes` have values as a user writes them."""
    names = list(axes)
    for texts in product(*axes.values()):
        yield parse_settings(" ".join(f"{name}={text}" for name, text in zip(names, texts, strict=True)))


def tried(scenarios: Sequence[Scenario], settings: Values, seed: int) -> Point:
    """Run all scenarios with some settings."""
    variant = Variant(AIBRIDGE, AIBRIDGE, settings)
    return Point(settings, tuple(plan.play(each, [variant], seed).outcomes[0] for each in scenarios))


def basis(scenarios: Sequence[Scenario]) -> str:
    """Return a text on the capacity that the tried limits are shares of: which one, and of which scenario."""
    room, because, name = min((*_room(each), each.name) for each in scenarios)
    parts = ", ".join(f"{part:.0%}" for part in _PARTS)
    where = f" in {name}, the fewest" if len(scenarios) > 1 else ""
    return f"max_concurrency counts slots of the bridge. Tried are none and {parts} of {room}: {because}{where}."


def suggested(scenarios: Sequence[Scenario], told: Values, seed: int, progress: Progress = SILENT) -> list[Point]:
    """Return the points of a small grid, the best first; settings that were given are fixed.

    First the concurrency limits and the queue, with the default breaker; then, with the best of those, the rate
    limit; then the breaker.
    """
    base: Values = {"circuit_breaker": True, **told}
    free = _free(limits(scenarios), told)
    found = _best(
        scenarios, [each for point in points(free) if _makes_sense(each := base | point)], seed, progress
    )
    for axes in (rates(scenarios), _BREAKER):
        chosen = found[0].settings
        settings = [
            each for point in points(_free(axes, told)) if _other(each := chosen | point) != _other(chosen)
        ]
        # Of equal points the one found first stays, which is the simplest.
        found = sorted([*found, *_best(scenarios, settings, seed, progress)], key=lambda point: point.rank)
    return found


def text(found: Sequence[Point]) -> str:
    """Return a text with the best points, and the command for the first."""
    lines = [f"Of {len(found)} settings the best, by: {CRITERION}.", ""]
    for point in found[:_SHOWN]:
        share, wasted, _, wait = point.rank
        lines.append(f"answered {-share:.0%}, wasted calls {wasted:.0%}, wait p99 {wait:.1f}s")
        lines.append(f"  {format_settings(_other(point.settings))}")
    return "\n".join([*lines, "", "The first, as a command:", "", *_command(found[0].settings), ""])


def _other(settings: Values) -> Values:
    """Leave out settings that equal their default."""
    default = default_settings()
    return {name: value for name, value in settings.items() if default[name] != value}


def _command(settings: Values) -> Iterator[str]:
    """The command line; what the program has no option for is left out."""
    flags = {option.name: option for option in OPTIONS}
    words = []
    for name, value in _other(settings).items():
        if option := flags.get(name):
            words.append(f"{option.flag}" if option.switch else f"{option.flag} {option.show(value)}")
    yield "  " + " \\\n    ".join(["aibridge serve", *words])


def _best(scenarios: Sequence[Scenario], settings: Sequence[Values], seed: int, progress: Progress) -> list[Point]:
    found = []
    for number, each in enumerate(settings, 1):
        progress.show(f"trying setting {number} of {len(settings)}: {format_settings(_other(each))}"[:_WIDTH])
        found.append(tried(scenarios, each, seed))
    return sorted(found, key=lambda point: point.rank)


def _makes_sense(settings: Values) -> bool:
    """Tell whether a queue has a limit to wait for; the program refuses one without."""
    told = default_settings() | settings
    names = ("max_concurrency", "max_concurrency_per_caller", "max_concurrency_per_provider", "rate_limit")
    return not told["queue_size"] or any(told[name] for name in names)


def _free(axes: Mapping[str, Sequence[str]], told: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    return {name: values for name, values in axes.items() if name not in told}


def limits(scenarios: Sequence[Scenario]) -> dict[str, Sequence[str]]:
    """Return limits to try: around the provider's capacity, or else around the calls in flight without faults."""
    room = min(_room(each)[0] for each in scenarios)
    most = [str(max(1, round(room * part))) for part in _PARTS]
    callers = max(each.callers for each in scenarios)
    share = str(max(2, round(room / callers * 4)))
    return {
        "max_concurrency": ("0", *most),
        "queue_size": ("0", str(math.ceil(room / 4)), str(room)),
        "max_concurrency_per_caller": ("0", share),
    }


def rates(scenarios: Sequence[Scenario]) -> dict[str, Sequence[str]]:
    """Return rates to try if callers share a quota: each one's equal share, and 4 and 10 times it."""
    quotas = [
        each.model.requests_per_minute / 60 / each.callers
        for each in scenarios
        if each.model.requests_per_minute and not each.model.own_keys
    ]
    share = min(quotas, default=0.0)
    found = [str(max(1, math.ceil(share * times))) for times in (1, 4, 10)] if quotas else []
    return {"rate_limit": ("0", *dict.fromkeys(found))}


def _room(scenario: Scenario) -> tuple[int, str]:
    """Return the provider's capacity in calls, and a text on where it comes from.

    It is the provider's slots, or the calls in flight at its quota, or twice those in flight without faults.
    """
    model = scenario.model
    quota = 0 if model.own_keys else model.requests_per_minute
    slots = max(model.slots_curve, default=model.slots)
    known = [(slots, "the provider's slots")] if slots else []
    if quota:
        in_flight = round(quota / 60 * _latency(scenario))
        known.append((max(1, in_flight), f"what is in flight at its quota of {quota:,} requests a minute"))
    busy = max(8, round(_in_flight(scenario) * 2))
    return min(known, default=(busy, "twice what is in flight if all goes well, for want of slots and quota"))


def _in_flight(scenario: Scenario) -> float:
    """Return the calls in flight without faults (Little's law)."""
    return sum(group.count * group.requests_per_minute for group in scenario.groups) / 60 * _latency(scenario)


def _latency(scenario: Scenario) -> float:
    """Return the mean time of an answer (seconds); the mean of a lognormal is above its median."""
    model = scenario.model
    first = model.first_token * math.exp(model.first_token_spread**2 / 2)
    # A mean over requests: groups that ask more often count more.
    asked = sum(group.count * group.requests_per_minute for group in scenario.groups)
    tokens = sum(
        group.count * group.requests_per_minute * group.answer_tokens * math.exp(group.answer_tokens_spread**2 / 2)
        for group in scenario.groups
    )
    return first + (tokens / asked if asked else 0.0) / model.tokens_per_second
