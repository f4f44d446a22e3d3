"""The section of bench/RESULTS.md about replicas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.compare.marked import REPLICAS
from bench.compare.readings import Readings, short

_LATENCY, _REQUESTS, _P99, _CPU = "p50_ms@1", "requests_per_s@32", "p99_ms@32", "cpu_us@32"
_COLUMNS = (_LATENCY, _REQUESTS, _P99, _CPU)
_PAIRS = (("aibridge+store", "aibridge"), ("litellm+redis", "litellm"))


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured, of which programs, when and where."""

    readings: Readings
    versions: Mapping[str, str]
    date: str
    machine: Mapping[str, str]
    callers: int
    replicas: Sequence[int]
    notes: Sequence[str]


def section(run: Run) -> str:
    """Return the section, between its markers."""
    machine = ", ".join(run.machine.values())
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items() if "+" not in name)
    lines = [
        REPLICAS.begin,
        "## What a shared store costs",
        "",
        f"Written by `python -m bench.replicas --write` on {run.date}: {versions}; {machine}.",
        "Each proxy has one core; the store, the provider, the load and the other replicas share the other one.",
        "With and without a store a proxy has the same limits, which are never reached: the bridge a limit on all",
        "requests in flight and on each caller's rate, LiteLLM a key's `rpm_limit` and `max_parallel_requests`.",
        "",
        "| | p50 (ms), 1 in flight | requests/s, 32 in flight | p99 (ms) | CPU a request (µs) |",
        "|---|---|---|---|---|",
        *_rows(run),
        "",
        "With other replicas at the same store, each of which asks 20 times a second for what a request needs:",
        "",
        "| other replicas | asks/s | p50 of an ask (ms) | p50 (ms), 1 in flight | requests/s, 32 in flight |",
        "|---|---|---|---|---|",
        *_replicas(run),
        "",
        f"With {run.callers:,} callers in the store, one admission each: {_callers(run)}.",
        *(f"\n{note}" for note in run.notes),
        REPLICAS.end,
    ]
    return "\n".join(lines) + "\n"


def _rows(run: Run) -> Iterable[str]:
    found = run.readings
    for name in found.peers(_REQUESTS):
        yield _row(name, (found.median(name, quantity) for quantity in _COLUMNS))
    for with_store, without in _PAIRS:
        ratios = [found.ratio(with_store, quantity, without) for quantity in _COLUMNS]
        if ratios[1] is not None:
            yield _row(f"{with_store} ÷ {without}", ratios)


def _replicas(run: Run) -> Iterable[str]:
    found, bridge = run.readings, "aibridge+store"
    for count in run.replicas:
        store = [found.median("store", f"{quantity}&{count}") for quantity in ("asks_per_s", "ask_p50_ms")]
        ours = [found.median(bridge, f"{quantity}&{count}") for quantity in (_LATENCY, _REQUESTS)]
        yield _row(str(count), (*store, *ours))


def _callers(run: Run) -> str:
    found, bridge = run.readings, "aibridge+store"
    size = found.median("store", "bytes_a_caller")
    latency = found.median(bridge, f"{_LATENCY}&callers")
    requests = found.median(bridge, f"{_REQUESTS}&callers")
    return f"{_shown(size)} bytes a caller, p50 {_shown(latency)} ms, {_shown(requests)} requests/s"


def _row(name: str, values: Iterable[float | None]) -> str:
    return f"| {name} | " + " | ".join(map(_shown, values)) + " |"


def _shown(value: float | None) -> str:
    return "–" if value is None else short(value)
