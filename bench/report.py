"""What a run came to, as text: the targets, the numbers, the page of results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.readings import Readings, short
from bench.targets import judge


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


@dataclass(frozen=True, slots=True)
class Section:
    """A scenario's part of the page: each row is what stands in the first column, and the quantity."""

    title: str
    about: str
    rows: tuple[tuple[str, str], ...]


def _at(what: str, quantity: str, places: Iterable[float]) -> list[tuple[str, str]]:
    return [(what.format(f"{each:g}"), f"{quantity}@{each:g}") for each in places]


_FLIGHTS, _LOADS = (1, 32, 128), (0.25, 1, 2, 5, 10)
SECTIONS = (
    Section(
        "Unary requests",
        "A closed loop of `wrk`; a request of 1.9 kB, an answer of 1.3 kB. CPU is the proxy's own.",
        (
            *_at("requests/s, {} in flight", "requests_per_s", _FLIGHTS),
            *_at("p50 ms, {} in flight", "p50_ms", _FLIGHTS),
            *_at("p99 ms, {} in flight", "p99_ms", _FLIGHTS),
            *_at("CPU µs a request, {} in flight", "cpu_us", _FLIGHTS),
        ),
    ),
    Section(
        "First byte",
        "One request in flight; what is added is the difference to the way straight to the provider.",
        (
            ("unary, p50 ms", "unary_first_byte_p50_ms"),
            ("unary, p99 ms", "unary_first_byte_p99_ms"),
            ("unary, added to p50, ms", "unary_added_p50_ms"),
            ("stream, p50 ms", "stream_first_byte_p50_ms"),
            ("stream, p99 ms", "stream_first_byte_p99_ms"),
            ("stream, added to p50, ms", "stream_added_p50_ms"),
        ),
    ),
    Section(
        "Relayed events",
        "50 streams at once, each with 40 events of 0.3 kB a second: 2,000 events/s are offered.",
        (("CPU µs an event", "cpu_us_per_event"), ("events/s relayed", "events_per_s")),
    ),
    Section(
        "Rejects",
        "32 in flight, keep-alive; what the bridge's CPU does for an answer from the provider, and for a no.",
        (
            ("CPU µs, served", "cpu_us_per_served"),
            ("CPU µs, `capacity`", "cpu_us_per_capacity"),
            ("CPU µs, `rate_limit`", "cpu_us_per_rate_limit"),
            ("CPU µs, `circuit_open`", "cpu_us_per_circuit_open"),
        ),
    ),
    Section(
        "Overload",
        "A provider of 40 slots of 200 ms each; callers who come at random (Poisson), so many times as many as it "
        "can serve, and hang up after 2 s. `--max-concurrency 40`. Without the bridge they wait in line, and when "
        "their turn comes they have waited too long: the provider works for nobody.",
        (
            *_at("provider's slots busy, {} × load", "load_slots_busy", _LOADS),
            *_at("p99 ms of the served, {} × load", "load_p99_ms", _LOADS),
            *_at("served in time, of what the provider can do, {} × load", "load_goodput", _LOADS),
            *_at("p99 ms of the rejected, {} × load", "load_reject_p99_ms", (2, 5, 10)),
            *_at("share of its core used, {} × load", "load_cpu", _LOADS),
        ),
    ),
    Section(
        "A silent crowd",
        "What a request costs (32 in flight) while others hold streams that say nothing, or idle connections; "
        "what each of those holds in memory.",
        (
            ("CPU µs a request, 10 streams", "cpu_us_with_10_streams"),
            ("CPU µs a request, 1,000 streams", "cpu_us_with_1000_streams"),
            ("CPU µs a request, 5,000 streams", "cpu_us_with_5000_streams"),
            ("CPU µs a request, 10 connections", "cpu_us_with_10_connections"),
            ("CPU µs a request, 1,000 connections", "cpu_us_with_1000_connections"),
            ("CPU µs a request, 5,000 connections", "cpu_us_with_5000_connections"),
            ("kB a stream, of 1,000", "memory_kb_per_streams@1000"),
            ("kB a stream, of 5,000", "memory_kb_per_streams@5000"),
            ("kB a connection, of 5,000", "memory_kb_per_connections@5000"),
        ),
    ),
    Section(
        "Start",
        "From the command to the first answer through it; resident after that answer, idle.",
        (("seconds", "start_s"), ("resident MiB", "resident_mib")),
    ),
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def targets(run: Run) -> str:
    """Return the table of targets of every bridge."""
    parts = []
    for bridge in run.bridges:
        judged = judge(run.readings, bridge)
        rows = [(each.what, each.must, each.goal, each.measured, str(each.verdict)) for each in judged]
        title = f"**{bridge}**\n\n" if len(run.bridges) > 1 else ""
        parts.append(title + table(("what", "must", "goal", "measured", "verdict"), rows))
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
    """Return what the command prints: every section, the targets, what did not work."""
    parts = [section(run.readings, part) for part in SECTIONS]
    return "\n".join(
        [*filter(None, parts), f"## Targets\n\n{targets(run)}", *(f"note: {each}" for each in run.notes)]
    )


def page(run: Run) -> str:
    """Return RESULTS.md."""
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
        *filter(None, (section(run.readings, part) for part in SECTIONS)),
    ]
    if run.notes:
        parts.append("## What did not work\n\n" + "\n".join(f"* {note}" for note in run.notes) + "\n")
    return "\n".join(parts)


def _cell(readings: Readings, peer: str, quantity: str, against: str) -> str:
    value = readings.median(peer, quantity)
    if value is None:
        return "–"
    ratio = None if peer == against else readings.ratio(peer, quantity, against)
    return short(value) + (f" ({short(ratio)} ×)" if ratio is not None else "")
