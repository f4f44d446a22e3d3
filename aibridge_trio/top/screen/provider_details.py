"""The lines below a provider's row: what was learned of it, its breakers by scope, and resting keys. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aibridge_trio.core.adaptive import words
from aibridge_trio.top.data.document import Breaker, PoolKey, Resting, Scope, fails
from aibridge_trio.top.data.rates import ProviderRates
from aibridge_trio.top.screen.text import (
    DIM,
    GREEN,
    NOTHING,
    PLAIN,
    RED,
    YELLOW,
    Cell,
    Column,
    Line,
    count,
    length,
    rate,
    remaining,
    span,
    table,
)
from aibridge_trio.top.sort_order import urgency

_MARK = "  └"
_STYLES = {"open": RED, "half-open": YELLOW, "closed": GREEN}


def detail_lines(shown: Sequence[ProviderRates], most: int | None, age: float, width: int) -> list[list[Line]]:
    """Return the lines below each provider, at most `most` in total.

    Earlier providers get lines first, but each later one keeps one. The document is `age` seconds old.
    """
    learned = [[*_learned(row, age, width), *_pool(row.provider.keys, age)] for row in shown]
    breakers = [_lines(row.provider.breaker, age, width) for row in shown]
    details = [[*first, *others] for first, others in zip(learned, breakers, strict=True)]
    if most is None:
        return details
    left, waiting = most, sum(map(bool, details))
    found: list[list[Line]] = []
    for row, lines, first in zip(shown, details, learned, strict=True):
        waiting -= bool(lines)
        room = min(left, max(1, left - waiting))
        kept = lines if len(lines) <= room else _cut(row.provider.breaker, lines, room, len(first))
        left -= len(kept)
        found.append(kept)
    return found


def notable(breaker: Breaker) -> list[Scope]:
    """Return the breakers by scope that are not closed, ever opened or have failures; most urgent first."""
    found = [each for each in breaker.deciding if each.word != "closed" or each.trips or each.failures]
    return sorted(found, key=lambda each: (urgency(each), -each.rejects, -each.failures, -each.trips))


def _learned(row: ProviderRates, age: float, width: int) -> list[Line]:
    """What the adaptive limiter has learned, its line, and what was sent again, as far as the width allows."""
    stats = row.provider.adaptive
    if stats is None:
        return []
    limits, held = words.limits(stats, age), words.line(stats)
    again = f"{rate(row.sent_again)}/s sent again" if row.sent_again else ""
    if not (limits or held or again):
        return []
    style = YELLOW if stats.governor.outage else PLAIN
    total = f"{count(stats.resends)} since the start, budget {count(stats.budget)}" if again else ""
    parts: Line = [(limits, style), (held, YELLOW), (again, PLAIN), (total, DIM)]
    for fewer in (4, 3, 2):
        line = _joined(parts[:fewer])
        if length(line) <= width:
            return [line]
    return [_joined([(limits, style), (f"{count(stats.held)} held" if stats.held else "", YELLOW)])]


def _pool(keys: Sequence[PoolKey], age: float) -> list[Line]:
    """The bridge's own keys, if not all of them are ready: those that are out first."""
    out = [key.label for key in keys if key.state == "out"]
    resting = [f"{key.label} {span(max(0.0, key.left - age))}" for key in keys if key.state == "resting"]
    if not (out or resting):
        return []
    ready = len(keys) - len(out) - len(resting)
    parts: Line = [(f"{ready} of {len(keys)} keys ready", PLAIN if ready else YELLOW)]
    if out:
        parts.append((f"OUT {', '.join(out)}", YELLOW))
    if resting:
        parts.append((f"resting {', '.join(resting)}", YELLOW))
    return [_joined(parts)]


def _joined(parts: Line) -> Line:
    shown = [part for part in parts if part[0]]
    return [
        (f"{_MARK} ", DIM),
        *((f"{'  ' if number else ''}{text}", style) for number, (text, style) in enumerate(shown)),
    ]


def _lines(breaker: Breaker, age: float, width: int) -> list[Line]:
    keys = breaker.keys
    return _rows(breaker, notable(breaker), age, width) + ([_keys(keys, age)] if keys and keys.now else [])


def _rows(breaker: Breaker, scopes: Sequence[Scope], age: float, width: int) -> list[Line]:
    """A row per scope in the providers' columns; its name is in the columns that scopes don't have."""
    columns: list[Column[Scope]] = [
        Column("", 10, lambda _: (_MARK, DIM), right=False),
        Column("", 13, lambda each: (_word(each), _style(each)), right=False),
        Column("", 5, lambda each: (span(each.since + age), PLAIN)),
        Column("", 5, lambda each: _left(each, age)),
        Column("", 5, lambda each: _failures(each, breaker.threshold)),
        Column("", 5, lambda each: _probes(each, breaker.max_probes)),
        Column("", 5, lambda each: _many(each.trips)),
        Column("", 7, lambda each: _many(each.rejects)),
    ]
    name = max(1, width - sum(column.width + 1 for column in columns))
    columns.append(Column("", name, lambda each: (each.name, _style(each)), right=False))
    return table(columns, scopes)[1:]


def _keys(keys: Resting, age: float) -> Line:
    named = "  ".join(f"{hint} {span(max(0.0, left - age))}" for hint, left in keys.shown)
    forgotten = f", {count(keys.evictions)} forgotten" if keys.evictions else ""
    return [
        (f"{_MARK} ", DIM),
        (keys.words, YELLOW),
        (f"  {named}", PLAIN),
        (f"  {count(keys.total)} since the start{forgotten}", DIM),
    ]


def _cut(breaker: Breaker, lines: list[Line], room: int, learned: int) -> list[Line]:
    """The lines that fit, first `learned` of them; the last one counts the scopes and keys that do not."""
    if room <= learned:
        return lines[:room]
    rest = notable(breaker)[room - learned - 1 :]
    states = Counter("ramp" if each.ramping else each.state for each in rest)
    details = ", ".join(f"{many} {state}" for state, many in states.items())
    more: Line = [(f"{_MARK} ", DIM), (f"{len(rest)}{' more' if room > 1 else ''}: {details}", PLAIN)]
    if breaker.keys and breaker.keys.now:
        more.append((f"  {breaker.keys.words}", YELLOW))
    return [*lines[: room - 1], more]


def _word(scope: Scope) -> str:
    return scope.word.upper() if scope.state == "open" else scope.word


def _style(scope: Scope) -> str:
    return YELLOW if scope.ramping else _STYLES.get(scope.state, PLAIN)


def _left(scope: Scope, age: float) -> Cell:
    if scope.state != "open" or scope.left is None:
        return NOTHING, DIM
    return remaining(scope.left, age, scope.cooldown), RED


def _failures(scope: Scope, threshold: int) -> Cell:
    if not threshold:
        return NOTHING, DIM
    return fails(scope.failures, threshold, scope.failure_share), YELLOW if scope.failures else DIM


def _probes(scope: Scope, most: int) -> Cell:
    if scope.state != "half-open" or not most:
        return NOTHING, DIM
    return f"{scope.probes}/{most}", PLAIN if scope.probes else DIM


def _many(value: int) -> Cell:
    return count(value), PLAIN if value else DIM
