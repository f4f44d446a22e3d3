"""What replicas promise in all, beside what there was: a table."""

from __future__ import annotations

import math

from aibridge_trio.config.units import show_duration
from aibridge_trio.simulate.plan import Played
from aibridge_trio.simulate.results.outcome import Outcome, Peaks
from aibridge_trio.simulate.results.report import aligned

_HEADINGS = (
    ("", ""),
    ("answered", "of all"),
    ("wasted", "of all"),
    ("in flight", "at once"),
    ("a caller's", "calls/s"),
    ("a caller's", "tokens/min"),
    ("a breaker's", "probes"),
    ("an open breaker", "known to all after"),
)


def table(played: Played) -> str:
    """Return a scenario's table, below a line that describes it and one with what is promised."""
    scenario = played.scenario
    about = f"{scenario.name}: {scenario.about}".removesuffix(": ")
    duration = show_duration(scenario.duration)
    head = f"{scenario.callers} callers for {duration}; the most that there was, of all replicas"
    rows = [[row[line] for row in _HEADINGS] for line in (0, 1)]
    rows.append(["promised", "", "", *promised(played), ""])
    rows += [_row(outcome) for outcome in played.outcomes]
    return "\n".join([about, head, *aligned(rows), ""])


def promised(played: Played) -> list[str]:
    """Return the limits: in flight, calls and tokens of a caller, probes; an unlimited one is --."""
    values = played.scenario.settings
    probes = values["circuit_breaker_half_open_max_requests"] if values["circuit_breaker"] else 0
    limits = (values["max_concurrency"], values["rate_limit"], values["token_limit"], probes)
    return [f"{limit:,}" if limit else "--" for limit in limits]


def peaks(found: Peaks) -> list[str]:
    """Return the cells of what there was."""
    known = found.known_after
    return [
        f"{found.in_flight:,}",
        f"{found.rate:,}",
        f"{found.tokens:,}" if found.tokens else "--",
        f"{found.probes:,}" if found.probes else "--",
        _after(known),
    ]


def _after(seconds: float | None) -> str:
    if seconds is None:
        return "--"
    if seconds == math.inf:
        return "never"
    return f"{seconds:.1f}s" if seconds >= 1 else f"{1000 * seconds:.0f}ms"


def _row(outcome: Outcome) -> list[str]:
    assert outcome.peaks
    return [outcome.name, f"{outcome.share:.1%}", f"{outcome.wasted_share:.1%}", *peaks(outcome.peaks)]
