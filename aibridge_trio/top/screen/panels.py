"""The tables of the screen: providers, upstream, reject reasons, callers, events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo

from aibridge_trio.top.data.document import Breaker, Caller, Event, fails
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates, is_failure
from aibridge_trio.top.screen.text import (
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
    beside,
    count,
    latency,
    rate,
    remaining,
    span,
    table,
)
from aibridge_trio.top.sort_order import direction
from aibridge_trio.top.view import ROOMY, View, fits, marked

LEGEND = (
    ("STATE", "closed: all; open: none; half-open, ramp: some; off: no breaker"),
    ("below", "what it takes, as learned; breakers by scope; keys that rest"),
    ("FOR, LEFT", "time in this state; time until an open breaker probes"),
    ("FAILS, PROBE", "failures, of those that open it, or share; probes, of the most"),
    ("TRIPS, REJECTS", "how often it opened, how many it refused, since the start"),
    ("P50, P99", "half and 99% of answers began to come within this time"),
    ("TOK/S", "tokens of finished requests a second, in (IN/S) and out (OUT/S)"),
    ("REJ/S, WOULD/S", "refused a second; what shadow would refuse, and does not"),
)

# Protections whose line is always shown, also without rejects.
_PROTECTIONS = ("capacity", "rate_limit", "circuit_open")
_STYLES = {"open": RED, "half-open": YELLOW, "closed": GREEN}
# Events are never red: they may be over.
_PAST = {
    "open": YELLOW,
    "half-open": YELLOW,
    "closed": GREEN,
    "close": YELLOW,
    "outage": YELLOW,
    "limited": YELLOW,
    "unlimited": GREEN,
}
# Widths of blocks that stand side by side (cells): three columns of UPSTREAM, its errors; reasons, callers.
_LOAD, _ERRORS = 27, 26
# Wider gaps make rows hard to follow.
_WIDEST_STATUSES = 64
_REASONS, _REASONS_AND_WOULD, _CALLERS = 35, 49, 43


def providers(
    view: View, shown: Sequence[ProviderRates], beneath: Sequence[Sequence[Line]], age: float, width: int
) -> list[Line]:
    """Return a row per provider with its breaker and latencies, and the detail lines below it.

    The document is `age` seconds old.
    """

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
    head, *rows = table(columns, shown, view.sort, direction(view.sort, reverse=view.reverse))
    if not shown:
        return [head, [("none matches", DIM)]]
    return [head, *(line for row, below in zip(rows, beneath, strict=True) for line in (row, *below))]


def upstream(view: View, shown: Sequence[ProviderRates], width: int) -> list[Line]:
    """Return a row per provider: requests in flight, answers by status, errors; current failures first."""
    columns: list[Column[ProviderRates]] = [
        _name(view, shown, "UPSTREAM"),
        Column("IN FLIGHT", 9, lambda row: _limited(row.provider.in_flight, row.provider.limit, 9)),
        Column("RESP/S", 6, lambda row: _rate(row.responses)),
    ]
    left = table(columns, shown)
    both = width >= ROOMY
    statuses: list[Line] = [
        [("STATUSES", BOLD)],
        *(_counts(row.provider.responses, row.statuses, is_failure, both=both) for row in shown),
    ]
    failed: list[Line] = [
        [("ERRORS", BOLD)],
        *(_counts(row.provider.errors, row.faults, lambda _: True, both=both) for row in shown),
    ]
    return beside(
        width,
        (_LOAD, left),
        (min(max(8, width - _LOAD - _ERRORS - 4), _WIDEST_STATUSES), statuses),
        (_ERRORS, failed),
    )


def reasons(picture: Picture, width: int) -> list[Line]:
    """Return rejects by reason, the currently most frequent first, and what shadow would reject."""
    rejects, would = picture.document.rejects, picture.document.would_reject
    named = [
        reason
        for reason in dict.fromkeys([*rejects, *would])
        if rejects.get(reason) or would.get(reason) or reason in _PROTECTIONS
    ]

    def rank(reason: str) -> tuple[float, float, int, int]:
        per_second = picture.reasons.get(reason) or 0.0, picture.would_reject.get(reason) or 0.0
        return *per_second, rejects.get(reason, 0), would.get(reason, 0)

    def total(counts: Mapping[str, int], reason: str) -> Cell:
        return count(counts.get(reason, 0)), PLAIN if counts.get(reason) else DIM

    named.sort(key=rank, reverse=True)
    columns: list[Column[str]] = [
        Column("REJECTS BY REASON", 20, lambda reason: (reason, total(rejects, reason)[1]), right=False)
    ]
    if not _shadowed(picture) or width >= ROOMY:
        columns.append(Column("TOTAL", 6, lambda reason: total(rejects, reason)))
    columns.append(Column("/S", 6, lambda reason: _rate(picture.reasons.get(reason), YELLOW)))
    if _shadowed(picture):
        if width >= ROOMY:
            columns.append(Column("WOULD", 6, lambda reason: total(would, reason)))
        columns.append(Column("WOULD/S", 7, lambda reason: _rate(picture.would_reject.get(reason))))
    return table(columns, named)


def callers(picture: Picture, view: View) -> list[Line]:
    """Return the busiest callers of the interval, and the rate of rejects without a caller."""
    shown = [row for row in picture.callers if fits(view, row[0].hint)]
    columns: list[Column[tuple[Caller, float | None]]] = [
        Column("BUSIEST CALLER", 15, lambda row: (row[0].hint, PLAIN), right=False),
        Column("REQ/S", 5, lambda row: _rate(row[1])),
        Column("TOTAL", 6, lambda row: (count(row[0].requests), PLAIN)),
        Column("REJECTS", 7, lambda row: (count(row[0].rejects), YELLOW if row[0].rejects else DIM)),
        Column("ACTIVE", 6, lambda row: _limited(row[0].in_flight, picture.document.per_caller, 6)),
    ]
    head, *rows = table(columns, shown)
    # The concurrency limit is checked before the caller is identified, so its rejects have no caller.
    unnamed = picture.reasons.get("capacity")
    note: list[Line] = [[(f"{rate(unnamed)}/s refused at capacity, names unknown", YELLOW)]] if unnamed else []
    return [head, *note, *rows]


def events(picture: Picture, view: View, zone: tzinfo | None) -> list[Line]:
    """Return events, the latest first."""
    shown = [
        each for each in reversed(picture.document.events) if fits(view, each.provider, each.scope, each.because)
    ]
    return [[("EVENTS", BOLD)], *(event_line(each, zone) for each in shown)]


def side_by_side(picture: Picture, width: int, left: Sequence[Line], *others: Sequence[Line]) -> list[Line]:
    """Return reasons, callers and perhaps events side by side."""
    widths = (reasons_width(picture, width), _CALLERS, 0)
    return beside(width, *zip(widths, (left, *others), strict=False))


def reasons_width(picture: Picture, width: int) -> int:
    """Return the width of the reasons on a screen of this width."""
    return _REASONS_AND_WOULD if _shadowed(picture) and width >= ROOMY else _REASONS


def _shadowed(picture: Picture) -> bool:
    """Whether a protection is in shadow, or was."""
    return bool(picture.document.shadow) or any(picture.document.would_reject.values())


def _limited(in_flight: int, limit: int, width: int) -> Cell:
    """The number in flight, with its limit if that fits."""
    alone = count(in_flight)
    both = f"{alone}/{count(limit)}" if limit else alone
    full = bool(limit) and in_flight >= limit
    return (both if len(both) <= width else alone), YELLOW if full else PLAIN if in_flight else DIM


def _name(view: View, shown: Sequence[ProviderRates], title: str = "PROVIDER") -> Column[ProviderRates]:
    """The column of names, with a mark at the selected one."""
    chosen = marked(view, [row.provider.name for row in shown])

    def cell(row: ProviderRates) -> Cell:
        name = row.provider.name
        return f"{'▸' if name == chosen else ' '}{name}", _style(row.provider.breaker)

    return Column(title, 10, cell, right=False)


def _style(breaker: Breaker) -> str:
    if not breaker.enabled:
        return DIM
    # Forced closed it protects nothing; ramping it rejects some.
    return YELLOW if breaker.ramping or breaker.word == "forced closed" else _STYLES.get(breaker.state, PLAIN)


def _word(breaker: Breaker) -> str:
    """The state; OPEN is in capitals, for screens without colors, with a count if breakers are by scope."""
    if out := sum(each.state == "open" for each in breaker.deciding):
        return f"OPEN {out}/{len(breaker.deciding)}"
    return breaker.word.upper() if breaker.enabled and breaker.state == "open" else breaker.word


def _left(row: ProviderRates, age: float) -> Cell:
    breaker = row.provider.breaker
    if not breaker.enabled or breaker.state != "open" or breaker.left is None:
        return NOTHING, DIM
    return remaining(breaker.left, age, breaker.cooldown), RED


def _failures(breaker: Breaker) -> Cell:
    if not breaker.enabled or not breaker.threshold:
        return NOTHING, DIM
    text = fails(breaker.failures, breaker.threshold, breaker.failure_share)
    return text, YELLOW if breaker.failures else DIM


def _rate(per_second: float | None, style: str = PLAIN) -> Cell:
    return rate(per_second), style if per_second else DIM


def _counts(
    totals: Mapping[str, int], now: Mapping[str, float], bad: Callable[[str], bool], *, both: bool
) -> Line:
    """Counts by name: current ones first, failures before others, with rates; with totals if `both`."""
    line: Line = []
    # Some have a rate and no total.
    named = {*now, *(name for name, total in totals.items() if total)}
    for name in sorted(named, key=lambda name: (name not in now, not bad(name), -now.get(name, 0.0), name)):
        ever = f"×{count(totals[name])}" if name in totals and (both or name not in now) else ""
        if name in now:
            line += [(f"{name}{ever}", YELLOW if bad(name) else PLAIN), (f" {rate(now[name])}/s  ", PLAIN)]
        else:
            line.append((f"{name}{ever}  ", DIM))
    return line or [(NOTHING, DIM)]


def event_line(event: Event, zone: tzinfo | None) -> Line:
    """Return the line of an event: its time, what happened, and why."""
    at = f"{datetime.fromtimestamp(event.at, tz=zone):%H:%M:%S}  "
    style = _PAST.get(event.target, PLAIN)
    if event.kind in {"breaker", "adaptive"}:
        scope = f"{event.scope} " if event.scope else ""
        what: Line = [(f"{event.provider} {scope}", BOLD), (f"{event.source} → ", DIM), (event.target, style)]
    elif event.kind == "override":
        word = {"open": "forced open", "close": "forced closed"}.get(event.target, "automatic again")
        what = [(f"{event.provider} ", BOLD), (word, style)]
    else:
        what = [(event.kind, BOLD)]
    return [(at, DIM), *what, (f"  {event.because}", PLAIN)]
