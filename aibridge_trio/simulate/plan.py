"""Which scenarios are run, under which variants (policy and settings), and the variants' names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from aibridge_trio.config.units import InvalidValue, nearest, show_duration
from aibridge_trio.errors import UsageError
from aibridge_trio.printable import quoted
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.results.progress import SILENT, Progress
from aibridge_trio.simulate.run import AIBRIDGE, POLICIES, Play
from aibridge_trio.simulate.scenario import parse
from aibridge_trio.simulate.scenario.demand import requests
from aibridge_trio.simulate.scenario.scenario import Group, Scenario
from aibridge_trio.simulate.scenario.settings import Values, format_settings, parse_settings
from aibridge_trio.simulate.scenario.sharing import FleetSharing

# The shipped scenarios, in the order in which all are run.
SHIPPED = (
    *("day", "outage", "brownout", "quota", "flash-crowd", "greedy-caller", "slow", "flapping"),
    *("herd", "long-streams", "wandering", "request-quota", "token-quota", "two-providers", "deploy"),
    *("night-and-day", "thousand", "no-retries", "relentless", "load-independent"),
)
# More than all limits admit: for replicas.
REPLICAS = "replicas"
SCENARIOS = (*SHIPPED, REPLICAS)
_FEWEST_REPLICAS, _MOST_REPLICAS = 1, 10_000
_HERE = Path(__file__).parent / "scenario" / "shipped"
# Reads files beside the code, which is in a zip in the binary.
_read = globals()["__loader__"].get_data


class Variant(NamedTuple):
    """One column of a comparison: a policy, and the settings that differ from the scenario's."""

    name: str
    policy: str
    settings: Values
    sharing: FleetSharing | None = None


class Numbers(NamedTuple):
    """Numbers from the command line that replace the scenario's; None keeps them."""

    callers: int | None = None
    requests_per_caller: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    duration: float | None = None


class Played(NamedTuple):
    """A scenario and its outcomes under each variant."""

    scenario: Scenario
    outcomes: tuple[Outcome, ...]


def find(names: Sequence[str]) -> Iterator[Scenario]:
    """Yield the scenarios of these names, or all shipped ones if there are none. Raises UsageError."""
    for name in names or SHIPPED:
        if name in SCENARIOS:
            yield shipped(name)
        elif name.endswith(".toml") or "/" in name:
            yield parse.load(Path(name))
        else:
            near = nearest(name, SCENARIOS)
            remedy = f"did you mean {near}?" if near else f"there are {', '.join(SCENARIOS)}, or FILE.toml"
            raise UsageError(f"SCENARIO: there is none called {quoted(name)}; {remedy}")


def shipped(name: str) -> Scenario:
    """Return a scenario that comes with the program."""
    import tomllib  # noqa: PLC0415 - a file needs it, and only the loader and this function read TOML

    file = f"{name}.toml"
    return parse.parsed(file, tomllib.loads(_read(str(_HERE / file)).decode()))


def scaled(given: Scenario, numbers: Numbers) -> Scenario:
    """Return a scenario with the numbers replaced. Raises UsageError."""
    model = given.model
    if numbers.requests_per_minute is not None:
        model = replace(model, requests_per_minute=numbers.requests_per_minute)
    if numbers.tokens_per_minute is not None:
        model = replace(model, tokens_per_minute=numbers.tokens_per_minute)
    duration = given.duration if numbers.duration is None else numbers.duration
    changed = replace(
        given,
        duration=duration,
        model=model,
        groups=tuple(_scaled(group, numbers, given.callers) for group in given.groups),
        phases=tuple(each for each in given.phases if each.start < duration),
        crowds=tuple(each for each in given.crowds if each.start < duration),
        left_out=_left_out(given, duration) or given.left_out,
    )
    parse.check_size(changed, given.name)
    return changed


def _left_out(given: Scenario, duration: float) -> str:
    """Return a text on phases and crowds that begin after the end, "" if none does."""
    said = []
    for name, found in (("phase", given.phases), ("crowd", given.crowds)):
        starts = [each.start for each in found if each.start >= duration]
        if starts:
            many = f"{len(starts)} {name}s, the first" if len(starts) > 1 else f"1 {name}"
            said.append(f"{many} at {show_duration(min(starts))}")
    return " and ".join(said)


def _scaled(group: Group, numbers: Numbers, callers: int) -> Group:
    if numbers.callers is not None:
        group = replace(group, count=max(1, round(group.count * numbers.callers / callers)))
    if numbers.requests_per_caller is not None:
        group = replace(group, requests_per_minute=numbers.requests_per_caller)
    return group


def variants(policies: str, told: str, compared: str) -> tuple[Variant, ...]:
    """Return the variants: each policy, and the bridge once for each of `compared`. Raises UsageError.

    Settings are written as `NAME=VALUE NAME=VALUE`; those to be compared stand behind commas.
    """
    base = _settings("--setting", told.replace(",", " "))
    found: list[Variant] = []
    for policy in dict.fromkeys(each.strip() for each in policies.split(",")):
        if policy not in POLICIES:
            near = nearest(policy, POLICIES)
            remedy = f"did you mean {near}?" if near else f"there are {', '.join(POLICIES)}"
            raise UsageError(f"--policy: {quoted(policy)} is none; {remedy}")
        if policy != AIBRIDGE or not compared:
            found.append(Variant(policy, policy, base))
            continue
        for text in compared.split(","):
            own = _settings("--compare", text)
            found.append(Variant(format_settings(own) or AIBRIDGE, policy, base | own))
    return tuple(found)


def fleets(single: Sequence[Variant], replicas: str, way: FleetSharing) -> tuple[Variant, ...]:
    """Return each variant with each number of replicas. Raises UsageError.

    The bridge is played with a store that is reached by `way`, with one that is away for a while, and without one.
    """
    found: list[Variant] = []
    for text in dict.fromkeys(each.strip() for each in replicas.split(",")):
        if not text.isdecimal() or not _FEWEST_REPLICAS <= int(text) <= _MOST_REPLICAS:
            raise UsageError(
                f"--replicas: {quoted(text)} is no number from {_FEWEST_REPLICAS} to {_MOST_REPLICAS}; "
                "write e.g. --replicas 3"
            )
        for each in single:
            apart = FleetSharing(int(text))
            kinds = {"": apart}
            if each.policy == AIBRIDGE:
                there = replace(way, replicas=apart.replicas, store=True)
                away = replace(there, cut_off=1.0)
                kinds = {", one store": there, ", store away": away, ", no store": apart}
            found += [
                Variant(f"{each.name} × {text}{kind}", each.policy, each.settings, sharing)
                for kind, sharing in kinds.items()
            ]
    return tuple(found)


def _settings(flag: str, text: str) -> Values:
    try:
        return parse_settings(text)
    except InvalidValue as unfit:
        example = unfit.instead or '"max_concurrency=50 queue_size=100"'
        raise UsageError(f"{flag}: {unfit}; write e.g. {flag} {example}") from None


def play(given: Scenario, compared: Sequence[Variant], seed: int, progress: Progress = SILENT) -> Played:
    """Play a scenario under each variant: the same requests and the same random events for all."""
    demand = requests(given, seed)
    outcomes = []
    for number, variant in enumerate(compared, 1):
        if len(compared) > 1:
            progress.show(f"playing {given.name}: {number} of {len(compared)}")
        one = Play(given, demand, variant.policy, given.settings | variant.settings, seed, sharing=variant.sharing)
        outcomes.append(one.run(variant.name))
    return Played(given, tuple(outcomes))
