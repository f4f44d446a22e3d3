"""Results as a table per scenario, or as one JSON document."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from aibridge_trio.config.units import show_duration
from aibridge_trio.simulate.plan import Played
from aibridge_trio.simulate.results.outcome import Outcome
from aibridge_trio.simulate.run import CLAIRVOYANT

_HEADINGS = (
    ("", ""),
    ("answered", "/s"),
    ("", "of all"),
    ("", "by caller"),
    ("", "of clairvoyant"),
    ("wasted", "calls"),
    ("", "of all"),
    ("fair", "index"),
    ("waited", "p50"),
    ("", "p99"),
    ("told − true", "p5"),
    ("", "p50"),
    ("", "p95"),
    ("back", "after"),
)
# The column that is there only if the bound is.
_OF_BOUND = 4
_DIGITS = 6
_LONGEST_NAME = 72


def table(played: Played) -> str:
    """Return a scenario's table, below a line that describes it."""
    scenario = played.scenario
    wanted = played.outcomes[0].wanted / scenario.duration if played.outcomes else 0.0
    about = f"{scenario.name}: {scenario.about}".removesuffix(": ")
    head = f"{scenario.callers} callers want {wanted:.1f} answers a second for {show_duration(scenario.duration)}"
    bound = _bound(played)
    rows = [[row[line] for row in _HEADINGS] for line in (0, 1)]
    rows += [_row(outcome, bound) for outcome in played.outcomes]
    if bound is None:
        rows = [row[:_OF_BOUND] + row[_OF_BOUND + 1 :] for row in rows]
    missing = [f"left out, because the end is before it: {scenario.left_out}"] if scenario.left_out else []
    return "\n".join([about, head, *missing, *aligned(rows), ""])


def document(seed: int, plays: Iterable[Played]) -> str:
    """Return everything as JSON, curves included."""
    scenarios = [
        {
            "name": played.scenario.name,
            "about": played.scenario.about,
            "callers": played.scenario.callers,
            "duration": played.scenario.duration,
            "left_out": played.scenario.left_out or None,
            "outcomes": [_plain(outcome, _bound(played)) for outcome in played.outcomes],
        }
        for played in plays
    ]
    return json.dumps({"seed": seed, "scenarios": _rounded(scenarios)}, ensure_ascii=False) + "\n"


def _bound(played: Played) -> float | None:
    """Return the share that the policy clairvoyant answered, if it is one of those compared."""
    return next((outcome.share for outcome in played.outcomes if outcome.name == CLAIRVOYANT), None)


def _of_bound(outcome: Outcome, bound: float | None) -> float | None:
    return outcome.share / bound if bound else None


def _plain(outcome: Outcome, bound: float | None) -> dict[str, Any]:
    never = outcome.recovery == math.inf
    found = asdict(replace(outcome, recovery=None) if never else outcome)
    if outcome.peaks and outcome.peaks.known_after == math.inf:
        found["peaks"]["known_after"] = "never"
    shares = {"wasted_share": outcome.wasted_share, "of_clairvoyant": _of_bound(outcome, bound)}
    return found | {"recovered": not never} | shares


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, _DIGITS)
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
    return value


def _row(outcome: Outcome, bound: float | None) -> list[str]:
    of_bound = _of_bound(outcome, bound)
    name = outcome.name if len(outcome.name) <= _LONGEST_NAME else outcome.name[: _LONGEST_NAME - 1] + "…"
    return [
        name,
        f"{outcome.goodput:.2f}",
        f"{outcome.share:.1%}",
        f"{outcome.share_by_caller:.1%}",
        "--" if of_bound is None else f"{of_bound:.1%}",
        f"{outcome.wasted:,}",
        f"{outcome.wasted_share:.1%}",
        f"{outcome.fairness:.3f}",
        *(_seconds(each) for each in (outcome.wait_p50, outcome.wait_p99)),
        *(_seconds(each, sign="+") for each in (outcome.told_p5, outcome.told_p50, outcome.told_p95)),
        "never" if outcome.recovery == math.inf else _seconds(outcome.recovery),
    ]


def _seconds(seconds: float | None, sign: str = "") -> str:
    return "--" if seconds is None else f"{seconds:{sign}.1f}s"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table's lines: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(_cell(*each) for each in zip(range(len(row)), row, widths, strict=True)).rstrip() for row in rows
    ]


def _cell(column: int, text: str, width: int) -> str:
    return f"{text:>{width}}" if column else f"{text:<{width}}"
