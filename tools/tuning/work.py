"""The runs of the simulator that the sections need, each run once."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from aibridge_trio.simulate import plan
from aibridge_trio.simulate.plan import Variant
from aibridge_trio.simulate.results.outcome import Curves, Outcome
from aibridge_trio.simulate.scenario.settings import format_settings, parse_settings
from tools.tuning.constants import changed
from tools.tuning.days import USUAL, day
from tools.tuning.means import Mean, mean
from tools.tuning.sections import Row, Section

# Policy and constants of the program's own --adaptive.
_ADAPTIVE = ("adaptive", "")
_NO_CURVES = Curves(1.0, [], [], [], [], [], [])


class Task(NamedTuple):
    """One run: a day of a scenario, under a policy with settings, with some constants changed."""

    scene: str
    day: int
    policy: str
    settings: str
    constants: str


# Runs tasks and returns outcomes in order: a pool's map, or the builtin.
Over = Callable[..., Iterable[Any]]
Means = Mapping[tuple[str, str], Mean]


@cache
def played(task: Task) -> Outcome:
    """Run a task and return its outcome without curves; digests of several sections ask for the same."""
    variant = Variant("", task.policy, parse_settings(task.settings))
    with changed(task.constants):
        [outcome] = plan.play(day(task.scene, task.day), [variant], task.day).outcomes
    return dataclasses.replace(outcome, curves=_NO_CURVES)


def means(sections: Sequence[Section], over: Over) -> dict[str, Means]:
    """Return by section, and there by scene and label, the means of all days."""
    tasks = list(dict.fromkeys(task for section in sections for task in _tasks(section)))
    known = dict(zip(tasks, over(played, tasks), strict=True))
    return {
        section.name: {
            (scene, row.label): mean([known[task] for task in _days(scene, row, section)])
            for scene in section.scenes
            for row in section.rows
        }
        for section in sections
    }


def digest(section: Section, over: Over) -> str:
    """Return a digest of a section's inputs, and of the outcome of one day: chosen row, and --adaptive.

    It tells whether the section is out of date without running every row on every day.
    """
    chosen = [
        row for row in section.rows if row.label == section.chosen or (row.policy, row.constants) == _ADAPTIVE
    ]
    inputs = repr((section, [day(scene, number) for scene in section.scenes for number in section.days]))
    outcomes = over(played, [_task(scene, row, USUAL) for scene in section.scenes for row in chosen])
    return hashlib.sha256(f"{inputs}{list(outcomes)}".encode()).hexdigest()[:16]


def _tasks(section: Section) -> Iterator[Task]:
    for scene in section.scenes:
        for row in section.rows:
            yield from _days(scene, row, section)


def _days(scene: str, row: Row, section: Section) -> list[Task]:
    return [_task(scene, row, number) for number in section.days]


def _task(scene: str, row: Row, number: int) -> Task:
    """The task in normal form, without settings that equal the scenario's, so that equal runs are run once."""
    told = parse_settings(row.settings)
    given = day(scene, number).settings
    other = {name: value for name, value in sorted(told.items()) if given[name] != value}
    return Task(scene, number, row.policy, format_settings(other), row.constants)
