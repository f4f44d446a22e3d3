"""A small grid of settings, tried one by one; which of them is best, and by what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from aibridge_trio.simulate import plan, setting
from aibridge_trio.simulate.outcome import Outcome
from aibridge_trio.simulate.plan import Variant
from aibridge_trio.simulate.play import AIBRIDGE
from aibridge_trio.simulate.scenario import Scenario
from aibridge_trio.simulate.setting import Values

CRITERION = "most answers (to 1 % of what was wanted), then fewest wasted calls (to 1 %), then the shortest waits"
_BREAKER = {
    "circuit_breaker_cooldown": ("10s", "30s"),
    "circuit_breaker_max_cooldown": ("30s", "5m"),
    "circuit_breaker_ramp": ("0s", "20s"),
}


class Point(NamedTuple):
    """Settings, and what came of them in each scenario."""

    settings: Values
    outcomes: tuple[Outcome, ...]

    @property
    def rank(self) -> tuple[float, float, float]:
        """What the criterion compares, the least first; over all scenarios, each counting the same."""
        many = len(self.outcomes)
        share = sum(each.share for each in self.outcomes) / many
        wasted = sum(each.wasted_share for each in self.outcomes) / many
        waits = sum(each.wait_p99 or 0.0 for each in self.outcomes) / many
        return (-round(share, 2), round(wasted, 2), waits)


def points(axes: Mapping[str, Sequence[str]]) -> Iterator[Values]:
    """Yield every combination of values; `axes` are written as a user would write them."""
    names = list(axes)
    for texts in product(*axes.values()):
        yield setting.read(" ".join(f"{name}={text}" for name, text in zip(names, texts, strict=True)))


def tried(scenarios: Sequence[Scenario], settings: Values, seed: int) -> Point:
    """Return what comes of some settings."""
    variant = Variant(AIBRIDGE, AIBRIDGE, settings)
    return Point(settings, tuple(plan.play(each, [variant], seed).outcomes[0] for each in scenarios))


def suggested(scenarios: Sequence[Scenario], told: Values, seed: int) -> list[Point]:
    """Return points of a small grid, the best first; settings that were told stay as they are.

    First the limits, with the breaker as it comes; then the breaker, with the best of those.
    """
    base: Values = {"circuit_breaker": True, **told}
    limits = _free(_limits(scenarios), told)
    best = _best(scenarios, [each for point in points(limits) if _makes_sense(each := base | point)], seed)
    chosen = best[0].settings
    again = _best(scenarios, [chosen | point for point in points(_free(_BREAKER, told))], seed)
    return sorted([*best, *again], key=lambda point: point.rank)


def _best(scenarios: Sequence[Scenario], settings: Sequence[Values], seed: int) -> list[Point]:
    return sorted((tried(scenarios, each, seed) for each in settings), key=lambda point: point.rank)


def _makes_sense(settings: Values) -> bool:
    """Tell whether there is something to wait for, if there is a queue: the program refuses one without."""
    told = setting.default() | settings
    limits = ("max_concurrency", "max_concurrency_per_caller", "max_concurrency_per_provider")
    return not told["queue_size"] or any(told[name] for name in limits)


def _free(axes: Mapping[str, Sequence[str]], told: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    return {name: values for name, values in axes.items() if name not in told}


def _limits(scenarios: Sequence[Scenario]) -> dict[str, Sequence[str]]:
    """Return limits to try: round what the provider can take at once, or else what is in flight on a good day."""
    slots = [each.model.slots for each in scenarios if each.model.slots]
    room = min(slots) if slots else max(8, round(max(_in_flight(each) for each in scenarios) * 2))
    most = [str(max(1, round(room * part))) for part in (0.5, 0.8, 1.0)]
    callers = max(each.callers for each in scenarios)
    share = str(max(2, round(room / callers * 4)))
    return {
        "max_concurrency": ("0", *most),
        "queue_size": ("0", str(room), str(4 * room)),
        "max_concurrency_per_caller": ("0", share),
    }


def _in_flight(scenario: Scenario) -> float:
    """Return how many calls are in flight if all goes well (Little's law)."""
    model = scenario.model
    rate = sum(group.count * group.requests_per_minute for group in scenario.groups) / 60
    return rate * (model.first_token + model.answer_tokens / model.tokens_per_second)
