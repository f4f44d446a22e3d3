"""The parts of the screen, each as lines: totals, providers, upstream, reasons, callers, events. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo

from aibridge_trio.top import alert
from aibridge_trio.top.document import Breaker, Caller, Event
from aibridge_trio.top.history import TRACE, Picture, levels
from aibridge_trio.top.paint import (
    BOLD,
    DIM,
    GREEN,
    NOTHING,
    PLAIN,
    RED,
    YELLOW,
    Cell,
    Column,
    Line,
    bar,
    beside,
    count,
    latency,
    rate,
    span,
    sparkline,
    table,
)
from aibridge_trio.top.rates import ProviderRates, is_failure
from aibridge_trio.top.view import ROOMY, View, direction, fits, marked

LEGEND = (
    ("STATE", "closed: all pass; open: none; half-open: a few; off: no breaker"),
    ("FOR, LEFT", "time in this state; time until an open breaker probes"),
    ("FAILS, PROBE", "failures, of those that open it; probes in flight, of the most"),
    ("TRIPS, REJECTS", "how often it opened, how many it refused, since the start"),
    ("P50, P99", "half and 99% of answers began to come within this time"),
    ("TOK/S", "tokens of finished requests a second, in (IN/S) and out (OUT/S)"),
    ("REJ/S", "how many its breaker refuses a second"),
)

# What protects always has a line, so that nothing at all can be told from nothing known.
_PROTECTIONS = ("capacity", "rate_limit", "circuit_open")
_STYLES = {"open": RED, "half-open": YELLOW, "closed": GREEN}
# What has happened is not red: it may be over.
_PAST = {"open": YELLOW, "half-open": YELLOW, "closed": GREEN, "close": YELLOW}
# Widths of what stands side by side: three columns of UPSTREAM, its errors; the reasons, the callers.
_LOAD, _ERRORS = 27, 26
# Farther apart the eye loses the line.
_WIDEST_STATUSES = 64
# More columns would be less than three seconds each: nothing but flicker.
_LONGEST_TRACE = 100
_REASONS, _CALLERS = 35, 43


def totals(picture: Picture, width: int, now: float) -> list[Line]:
    """Requests and rejects with their last minutes, the concurrency as a bar, the rate limit."""
    document = picture.document
    room = min(max(5, width - 47), _LONGEST_TRACE)
    minutes = f"{TRACE / 60:.0f} min"
    lines: list[Line] = []
    for name, per_second, total, pick, style in (
        ("requests", picture.requests, document.requests, lambda each: each.requests, PLAIN),
        ("rejects", picture.rejects, sum(document.rejects.values()), lambda each: each.rejects, YELLOW),
    ):
        values = levels(picture.spans, pick, columns=room, now=now)
        peak = max((value for value in values if value), default=None)
        lines.append(
            [
                (f"{name:<10}", BOLD),
                (f"{rate(per_second):>6}/s", style if per_second else DIM),
                (f"{count(total):>8} ", PLAIN),
                (sparkline(values), style if peak else DIM),
                (f" {minutes}, peak {rate(peak)}/s", DIM),
            ]
        )
    limit = document.limit
    full = bool(limit) and document.in_flight >= limit
    of = f"{document.in_flight} of {limit}" if limit else f"{document.in_flight}, no limit"
    gauge = bar(document.in_flight, limit, 20) if limit else ""
    per_caller = f"{document.rate_limit}/s a caller" if document.rate_limit else "off"
    active = f", {document.active_callers} active" if document.rate_limit else ""
    lines.append(
        [
            (f"{'in flight':<10}", BOLD),
            (f"{gauge} " if limit else "", f"bold {YELLOW}" if full else GREEN),
            (of, f"bold {YELLOW}" if full else PLAIN),
            ("   rate limit ", BOLD),
            (per_caller, PLAIN),
            (active, DIM),
        ]
    )
    return lines


def providers(view: View, shown: Sequence[ProviderRates], age: float, width: int) -> list[Line]:
    """A row per provider: what its breaker does, and how it answers. The document is `age` seconds old."""

    def known(value: int, *, on: bool, most: int | None = None) -> Cell:
        if not on:
            return NOTHING, DIM
        return (count(value) if most is None else f"{value}/{most}"), PLAIN if value else DIM

    columns: list[Column[ProviderRates]] = [
        _name(view, shown),
        Column("STATE", 13, lambda row: (_word(row.provider.breaker), _style(row.provider.breaker)), right=False),
        Column("FOR", 5, lambda row: (span(row.provider.breaker.since + age), PLAIN)),
        Column("LEFT", 5, lambda row: _left(row, age)),
        Column("FAILS", 5, lambda row: _failures(row.provider.breaker)),
        Column(
            "PROBE",
            5,
            lambda row: known(
                row.provider.breaker.probes,
                on=row.provider.breaker.state == "half-open",
                most=row.provider.breaker.max_probes,
            ),
        ),
        Column("TRIPS", 5, lambda row: known(row.provider.breaker.trips, on=row.provider.breaker.enabled)),
        Column("REJECTS", 7, lambda row: known(row.provider.breaker.rejects, on=row.provider.breaker.enabled)),
        Column("P50", 5, lambda row: (latency(row.p50), PLAIN if row.p50 is not None else DIM)),
        Column("P99", 5, lambda row: (latency(row.p99), PLAIN if row.p99 is not None else DIM)),
        Column("TOK/S", 5, lambda row: _rate((row.tokens_in or 0) + (row.tokens_out or 0))),
    ]
    if width >= ROOMY:
        columns += [
            Column("IN/S", 5, lambda row: _rate(row.tokens_in)),
            Column("OUT/S", 5, lambda row: _rate(row.tokens_out)),
            Column("REJ/S", 5, lambda row: _rate(row.rejects, YELLOW)),
        ]
    return table(columns, shown, view.sort, direction(view)) + ([] if shown else [[("none matches", DIM)]])


def upstream(view: View, shown: Sequence[ProviderRates], width: int) -> list[Line]:
    """A row per provider: what it is asked, and what comes back, what goes wrong now first."""
    columns: list[Column[ProviderRates]] = [
        _name(view, shown, "UPSTREAM"),
        Column("IN FLIGHT", 9, lambda row: (count(row.provider.in_flight), PLAIN)),
        Column("RESP/S", 6, lambda row: _rate(row.responses)),
    ]
    left = table(columns, shown)
    both = width >= ROOMY
    statuses: list[Line] = [
        [("STATUSES", BOLD)],
        *(_told(row.provider.responses, row.statuses, is_failure, both=both) for row in shown),
    ]
    failed: list[Line] = [
        [("ERRORS", BOLD)],
        *(_told(row.provider.errors, row.faults, lambda _: True, both=both) for row in shown),
    ]
    return beside(
        width,
        (_LOAD, left),
        (min(max(8, width - _LOAD - _ERRORS - 4), _WIDEST_STATUSES), statuses),
        (_ERRORS, failed),
    )


def reasons(picture: Picture) -> list[Line]:
    """Rejects by reason, the most frequent now first."""
    rejects = picture.document.rejects
    named = [reason for reason, total in rejects.items() if total or reason in _PROTECTIONS]
    named.sort(key=lambda reason: (picture.reasons[reason] or 0.0, rejects[reason]), reverse=True)
    columns: list[Column[str]] = [
        Column("REJECTS BY REASON", 20, lambda reason: (reason, PLAIN if rejects[reason] else DIM), right=False),
        Column("TOTAL", 6, lambda reason: (count(rejects[reason]), PLAIN if rejects[reason] else DIM)),
        Column("/S", 6, lambda reason: _rate(picture.reasons[reason], YELLOW)),
    ]
    return table(columns, named)


def callers(picture: Picture, view: View) -> list[Line]:
    """How many are refused who have no name yet, and the busiest callers of the interval."""
    shown = [row for row in picture.callers if fits(view, row[0].hint)]
    columns: list[Column[tuple[Caller, float | None]]] = [
        Column("BUSIEST CALLER", 15, lambda row: (row[0].hint, PLAIN), right=False),
        Column("REQ/S", 5, lambda row: _rate(row[1])),
        Column("TOTAL", 6, lambda row: (count(row[0].requests), PLAIN)),
        Column("REJECTS", 7, lambda row: (count(row[0].rejects), YELLOW if row[0].rejects else DIM)),
        Column("ACTIVE", 6, lambda row: (count(row[0].in_flight), PLAIN if row[0].in_flight else DIM)),
    ]
    head, *rows = table(columns, shown)
    # The limiter is asked before it is known who calls: just when it is full, its rejects are nobody's.
    unnamed = picture.reasons.get("capacity")
    note: list[Line] = [[(f"{rate(unnamed)}/s refused at capacity, names unknown", YELLOW)]] if unnamed else []
    return [head, *note, *rows]


def events(picture: Picture, view: View, zone: tzinfo | None) -> list[Line]:
    """The latest first."""
    shown = [each for each in reversed(picture.document.events) if fits(view, each.provider, each.because)]
    return [[("EVENTS", BOLD)], *(_event(each, zone) for each in shown)]


def side_by_side(width: int, left: Sequence[Line], *others: Sequence[Line]) -> list[Line]:
    """Reasons, callers, and events where there is room for them."""
    widths = (_REASONS, _CALLERS, 0)
    return beside(width, *zip(widths, (left, *others), strict=False))


def _name(view: View, shown: Sequence[ProviderRates], title: str = "PROVIDER") -> Column[ProviderRates]:
    """The names, the chosen one with a mark."""
    chosen = marked(view, [row.provider.name for row in shown])

    def cell(row: ProviderRates) -> Cell:
        name = row.provider.name
        return f"{'▸' if name == chosen else ' '}{name}", _style(row.provider.breaker)

    return Column(title, 10, cell, right=False)


def _style(breaker: Breaker) -> str:
    if not breaker.enabled:
        return DIM
    # Forced closed, nothing protects it.
    return YELLOW if breaker.word == "forced closed" else _STYLES.get(breaker.state, PLAIN)


def _word(breaker: Breaker) -> str:
    """What is out of service is written large, so that it needs no colour."""
    return breaker.word.upper() if breaker.enabled and breaker.state == "open" else breaker.word


def _left(row: ProviderRates, age: float) -> Cell:
    remaining = alert.left(row.provider, age)
    return (NOTHING, DIM) if remaining is None else (span(math.ceil(remaining)), RED)


def _failures(breaker: Breaker) -> Cell:
    if not breaker.enabled or not breaker.threshold:
        return NOTHING, DIM
    return f"{breaker.failures}/{breaker.threshold}", YELLOW if breaker.failures else DIM


def _rate(per_second: float | None, style: str = PLAIN) -> Cell:
    return rate(per_second), style if per_second else DIM


def _told(totals: Mapping[str, int], now: Mapping[str, float], bad: Callable[[str], bool], *, both: bool) -> Line:
    """What came, by name: what comes now first, and of that what is bad; with rates, and `both` with totals."""
    line: Line = []
    # Not of everything is there a total.
    named = {*now, *(name for name, total in totals.items() if total)}
    for name in sorted(named, key=lambda name: (name not in now, not bad(name), -now.get(name, 0.0), name)):
        ever = f"×{count(totals[name])}" if name in totals and (both or name not in now) else ""
        if name in now:
            line += [(f"{name}{ever}", YELLOW if bad(name) else PLAIN), (f" {rate(now[name])}/s  ", PLAIN)]
        else:
            line.append((f"{name}{ever}  ", DIM))
    return line or [(NOTHING, DIM)]


def _event(event: Event, zone: tzinfo | None) -> Line:
    at = f"{datetime.fromtimestamp(event.at, tz=zone):%H:%M:%S}  "
    style = _PAST.get(event.target, PLAIN)
    if event.kind == "breaker":
        what: Line = [(f"{event.provider} ", BOLD), (f"{event.source} → ", DIM), (event.target, style)]
    elif event.kind == "override":
        word = {"open": "forced open", "close": "forced closed"}.get(event.target, "automatic again")
        what = [(f"{event.provider} ", BOLD), (word, style)]
    else:
        what = [(event.kind, BOLD)]
    return [(at, DIM), *what, (f"  {event.because}", PLAIN)]
