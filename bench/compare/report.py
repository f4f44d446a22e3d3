"""What a run came to, as text: the targets, the numbers, the page of results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.compare.readings import Readings, short
from bench.compare.sections import SECTIONS, Section
from bench.compare.targets import DATA_PATH, ROWS, Row, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run: what was measured, of whom, on what, and what did not work."""

    readings: Readings
    versions: Mapping[str, str]
    bridges: Sequence[str]
    date: str
    command: str
    machine: Mapping[str, str]
    notes: Sequence[str] = field(default_factory=list)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def targets(run: Run, rows: Sequence[Row] = ROWS) -> str:
    """Return the table of targets of every bridge."""
    parts = []
    for bridge in run.bridges:
        judged = judge(run.readings, bridge, rows)
        cells = [(each.what, each.must, each.goal, each.measured, str(each.verdict)) for each in judged]
        title = f"**{bridge}**\n\n" if len(run.bridges) > 1 else ""
        parts.append(title + table(("what", "must", "goal", "measured", "verdict"), cells))
    return "\n".join(parts)


def section(readings: Readings, part: Section, against: str = "envoy") -> str:
    """Return a scenario's table, "" without readings: medians, in brackets the median of ratios to `against`."""
    rows = [(what, quantity) for what, quantity in part.rows if readings.peers(quantity)]
    peers = list(dict.fromkeys(peer for _, quantity in rows for peer in readings.peers(quantity)))
    if not rows:
        return ""
    cells = [[what, *(_cell(readings, peer, quantity, against) for peer in peers)] for what, quantity in rows]
    return f"## {part.title}\n\n{part.about}\n\n{table(['', *peers], cells)}"


def summary(run: Run) -> str:
    """Return what the command prints: every section, the targets, the notes."""
    parts = [section(run.readings, part) for part in SECTIONS]
    return "\n".join(
        [*filter(None, parts), f"## Targets\n\n{targets(run)}", *(f"note: {each}" for each in run.notes)]
    )


def verdicts(run: Run) -> str:
    """Return what the command prints with `--targets`: those of the data path, and the notes."""
    return "\n".join([targets(run, DATA_PATH), *(f"note: {each}" for each in run.notes)])


def page(run: Run, pictures: Iterable[str] = ()) -> str:
    """Return RESULTS.md; `pictures` are the names of the files beside it."""
    about = (
        f"Written by `{run.command}` on {run.date}; what is measured and how: [README.md](README.md). Ratios hold "
        "from machine to machine, absolute numbers do not. Medians over rounds; in brackets the median of the "
        "rounds' ratios to Envoy.\n"
    )
    parts = [
        "# Results\n",
        about,
        table(("machine", ""), run.machine.items()),
        table(("proxy", "version"), run.versions.items()),
        f"## Targets\n\n{targets(run)}",
        *(f"![{name.removesuffix('.svg')}]({name})\n" for name in pictures),
        *filter(None, (section(run.readings, part) for part in SECTIONS)),
    ]
    if run.notes:
        parts.append("## Notes\n\n" + "\n".join(f"* {note}" for note in run.notes) + "\n")
    return "\n".join(parts)


def _cell(readings: Readings, peer: str, quantity: str, against: str) -> str:
    value = readings.median(peer, quantity)
    if value is None:
        return "–"
    ratio = None if peer == against else readings.ratio(peer, quantity, against)
    return short(value) + (f" ({short(ratio)} ×)" if ratio is not None else "")
