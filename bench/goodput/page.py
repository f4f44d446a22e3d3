"""The outcomes as text, and as a section of the page of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.compare.marked import GOODPUT
from bench.compare.report import table
from bench.goodput.incidents import INCIDENTS, PATIENCE, Incident
from bench.goodput.running import Outcome

# Without a gateway.
STRAIGHT = "straight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run: outcomes by incident and column, what stands behind each column, and what was left out."""

    outcomes: Mapping[tuple[str, str], Outcome | str]
    columns: Mapping[str, str]
    date: str
    command: str
    notes: Sequence[str] = ()


def terminal(run: Run) -> str:
    """Return the tables for a terminal, their columns lined up."""
    parts = []
    for incident in _incidents(run):
        rows = [("", *_HEAD), *_rows(run, incident)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
        ]
        parts.append("\n".join([f"{incident.name}: {incident.about}", *lines, ""]))
    return "\n".join([*parts, *(f"note: {each}" for each in run.notes)])


def section(run: Run) -> str:
    """Return the section for the page of results."""
    about = (
        f"Written by `{run.command}` on {run.date}. Callers wait {PATIENCE:g} s for a first token, and retry as "
        "their SDKs do. A wasted call reached the provider and gave no caller an answer. What is done, and how "
        "each gateway is configured: [README.md](README.md#goodput-through-an-incident).\n"
    )
    parts = [
        f"**{incident.name}**: {incident.about}.\n\n" + table(("", *_HEAD), _rows(run, incident))
        for incident in _incidents(run)
    ]
    behind = [f"* `{name}`: {what}" for name, what in run.columns.items() if what]
    notes = [f"* {each}" for each in run.notes]
    return "\n".join(
        [GOODPUT.begin, "## Goodput through an incident\n", about, *parts, *behind, *notes, "", GOODPUT.end, ""]
    )


_HEAD = ("answered", "wasted calls", "calls per request", "p99 first token")


def _incidents(run: Run) -> list[Incident]:
    return [each for each in INCIDENTS if any(name == each.name for name, _ in run.outcomes)]


def _rows(run: Run, incident: Incident) -> list[tuple[str, ...]]:
    return [
        (column, *_cells(run.outcomes[incident.name, column]))
        for column in run.columns
        if (incident.name, column) in run.outcomes
    ]


def _cells(outcome: Outcome | str) -> tuple[str, ...]:
    if isinstance(outcome, str):
        return (outcome, *("–" for _ in _HEAD[1:]))
    wait = "–" if outcome.p99 is None else f"{outcome.p99:.1f} s"
    per_request = outcome.calls / outcome.requests
    return f"{outcome.share:.1%}", f"{outcome.wasted:.1%}", f"{per_request:.2f}", wait
