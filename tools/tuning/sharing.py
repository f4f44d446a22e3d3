"""The tables of docs/sharing.md: how far replicas overshoot their promises, and governors that share nothing."""

from __future__ import annotations

import hashlib
import math
from functools import cache
from statistics import fmean
from typing import NamedTuple

from aibridge_trio.simulate import plan
from aibridge_trio.simulate.results.fleet_report import peaks, promised
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from tools.tuning.days import DAYS, day
from tools.tuning.tables import line
from tools.tuning.work import Over


class Run(NamedTuple):
    """One run: a day of a scenario, under a policy, with replicas."""

    scene: str
    day: int
    policy: str
    sharing: FleetSharing


class Found(NamedTuple):
    """What came of a run: the outcome's cells, and the mean in flight as a share of what the provider took."""

    share: float
    wasted: float
    level: float | None
    cells: tuple[str, ...]


REPLICAS = (3, 30, 1000)
_STORE = FleetSharing(store=True)
# What is wrong with the way to the store, by the row's label; the first of all is none.
WAYS = {
    "one store": _STORE,
    "20 ms away, loss": FleetSharing(store=True, round_trip=0.02, loss=0.05),
    "half cut off": FleetSharing(store=True, cut_off=0.5),
    "store away": FleetSharing(store=True, cut_off=1.0),
    "no store": FleetSharing(),
}
GOVERNORS = (1, 3, 10)
SCENES = (
    *("brownout", "thousand", "wandering", "outage", "flash-crowd", "herd"),
    *("request-quota", "token-quota", "night-and-day"),
)


@cache
def played(run: Run) -> Found:
    """Play a run; what several parts ask for is played once."""
    given = plan.shipped(run.scene) if run.scene == plan.REPLICAS else day(run.scene, run.day)
    variant = plan.Variant("", run.policy, {}, run.sharing)
    [outcome] = (done := plan.play(given, [variant], run.day)).outcomes
    assert outcome.peaks
    cells = (f"{outcome.share:.1%}", f"{outcome.wasted_share:.1%}", *peaks(outcome.peaks))
    return Found(outcome.share, outcome.wasted_share, _level(done.scenario, outcome), cells)


def parts(over: Over) -> dict[str, str]:
    """Return the text of each part, by name; takes a minute."""
    wanted = [*_fleets(), *_governors()]
    known = dict(zip(wanted, over(played, wanted), strict=True))
    return {"replicas": f"\n{_fleet_table(known)}\n", "governors": f"\n{_governor_table(known)}\n"}


def digests() -> dict[str, str]:
    """Return a digest of the inputs of each part, and of the outcome of its first runs, by name."""
    fleets, governors = list(_fleets()), list(_governors())
    given = [plan.shipped(plan.REPLICAS), *(day(run.scene, run.day) for run in governors)]
    few = [run for run in fleets if run.sharing.replicas == REPLICAS[0]][:3]
    return {
        "replicas": _digest(fleets, given[0], [played(run) for run in few]),
        "governors": _digest(governors, given[1:], [played(run) for run in governors[:2]]),
    }


def _fleets() -> list[Run]:
    return [Run(plan.REPLICAS, 1, "aibridge", _with(way, number)) for number in REPLICAS for way in WAYS.values()]


def _with(way: FleetSharing, number: int) -> FleetSharing:
    return FleetSharing(number, way.store, way.round_trip, way.loss, way.cut_off)


def _governors() -> list[Run]:
    return [
        Run(scene, number, "adaptive", FleetSharing(replicas))
        for scene in SCENES
        for number in DAYS
        for replicas in GOVERNORS
    ]


def _fleet_table(known: dict[Run, Found]) -> str:
    heads = (
        "answered",
        "wasted",
        "in flight",
        "a caller's calls/s",
        "tokens/min",
        "probes",
        "known to all after",
    )
    limits = promised(plan.Played(plan.shipped(plan.REPLICAS), ()))
    lines = [line(["replicas", "", *heads]), "|--:|---|" + "--:|" * len(heads)]
    lines.append(line(["", "**promised**", "", "", *(f"**{each}**" for each in limits), ""]))
    for number in REPLICAS:
        for label, way in WAYS.items():
            found = known[Run(plan.REPLICAS, 1, "aibridge", _with(way, number))]
            lines.append(line([f"{number:,}" if way is _STORE else "", label, *found.cells]))
    return "\n".join(lines) + "\n"


def _governor_table(known: dict[Run, Found]) -> str:
    heads = [f"{kind}, {number}" for kind in ("answered", "wasted", "in flight") for number in GOVERNORS]
    lines = [line(["replicas", *heads]), "|---|" + "--:|" * len(heads)]
    for scene in SCENES:
        found = [
            [known[Run(scene, number, "adaptive", FleetSharing(replicas))] for number in DAYS]
            for replicas in GOVERNORS
        ]
        levels = [[each.level for each in days if each.level is not None] for days in found]
        lines.append(
            line(
                [
                    scene,
                    *(f"{fmean(each.share for each in days):.1%}" for days in found),
                    *(f"{fmean(each.wasted for each in days):.1%}" for days in found),
                    *(f"{fmean(each):.0%}" if each else "" for each in levels),
                ]
            )
        )
    return "\n".join(lines) + "\n"


def _level(scenario: Scenario, outcome: Outcome) -> float | None:
    """Return the mean of what is in flight, by the slots, in the second half of a phase with fewer slots."""
    phases = [phase for phase in scenario.phases if phase.slots]
    if not phases:
        return None
    phase, step = phases[0], outcome.curves.step
    first, last = math.ceil((phase.start + phase.end) / 2 / step), int(phase.end / step)
    assert phase.slots
    return fmean(outcome.curves.in_flight[first:last]) / phase.slots


def _digest(*inputs: object) -> str:
    return hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]
