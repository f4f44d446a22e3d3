"""The section of bench/RESULTS.md about workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.compare.marked import WORKERS
from bench.compare.readings import Readings, short

IN_FLIGHT = (32, 128)
SINGLE, SEVERAL = "one process", "workers"
SINGLE_FREE, SEVERAL_FREE = "one process, no limits", "workers, no limits"
_PAIRS = ((SEVERAL, SINGLE), (SEVERAL_FREE, SINGLE_FREE))
_COLUMNS = tuple(f"{quantity}@{flight}" for flight in IN_FLIGHT for quantity in ("requests_per_s", "cpu_us"))


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured, of which bridge, when and where."""

    readings: Readings
    version: str
    date: str
    machine: Mapping[str, str]
    notes: Sequence[str]


def section(run: Run) -> str:
    """Return the section, between its markers."""
    found = run.readings
    head = [f"{what}, {flight} in flight" for flight in IN_FLIGHT for what in ("requests/s", "CPU a request (µs)")]
    lines = [
        WORKERS.begin,
        "## What workers are worth",
        "",
        f"Written by `python -m bench.workers --write` on {run.date}: aibridge {run.version};",
        f"{', '.join(run.machine.values())}. The load and the provider share the cores with the bridge. CPU is",
        "that of all its processes, the supervisor with the arbiter of the limits included.",
        "",
        f"| | {' | '.join(head)} |",
        f"|---|{'---|' * len(head)}",
        *(
            _row(name, (found.median(name, quantity) for quantity in _COLUMNS))
            for name in found.peers(_COLUMNS[0])
        ),
        *(
            _row(f"{several} ÷ {single}", (found.ratio(several, quantity, single) for quantity in _COLUMNS))
            for several, single in _PAIRS
        ),
        *(f"\n{note}" for note in run.notes),
        WORKERS.end,
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, values: Iterable[float | None]) -> str:
    return f"| {name} | " + " | ".join("–" if each is None else short(each) for each in values) + " |"
