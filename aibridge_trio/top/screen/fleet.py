"""The fleet: several replicas on one screen, with sums, a row for each, and what differs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aibridge_trio.printable import visible
from aibridge_trio.top.data import fleet
from aibridge_trio.top.data.document import Breaker
from aibridge_trio.top.data.fleet import FleetProvider, Replica
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.screen.alert import forced
from aibridge_trio.top.screen.layout import Canvas, foot, help_lines
from aibridge_trio.top.screen.panels import event_line
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
    Frame,
    Line,
    clip,
    count,
    latency,
    length,
    rate,
    span,
    table,
)
from aibridge_trio.top.view import View

_KEYS = "q quit  ? help  p pause  ↑↓ choose  Enter look at one  +- pace"
# Lines of differences at most; --once has all.
_MOST_DIFFERENCES = 4
# The widest name of a replica (cells).
_LONGEST_NAME = 34
# Silence of a replica that answers, from which on its row tells it (seconds).
_SILENCE = 2.5
_STORES = {"shared": PLAIN, "own": DIM}


def frame(replicas: Sequence[Replica], view: View, canvas: Canvas) -> Frame:
    """Draw the fleet. The chosen replica's row stays on the screen."""
    lines: list[Line] = [_title(replicas, view, canvas)]
    if view.help:
        lines += help_lines(several=True)
    else:
        lines += [_alert(replicas), *_totals(replicas)]
        lines += _body(replicas, view, canvas, len(lines))
    if canvas.height is not None:
        high = max(0, canvas.height - 1)
        lines = [*lines[:high], *([[]] * (high - len(lines))), _foot(view, canvas.width)]
    return Frame(tuple(clip(line, canvas.width) for line in lines), canvas.ascii)


def _body(replicas: Sequence[Replica], view: View, canvas: Canvas, above: int) -> list[Line]:
    pictures = [each.picture for each in replicas if each.here and each.picture]
    differs: list[Line] = [
        [("differs: ", f"bold {YELLOW}"), (each, PLAIN)] for each in fleet.differences(replicas)
    ]
    of_providers = _providers(fleet.providers(pictures))
    of_replicas = _replicas(replicas, view, canvas.width)
    events: list[Line] = [[("EVENTS", BOLD)]]
    events += [[(f"{name} ", DIM), *event_line(event, canvas.zone)] for name, event in fleet.events(replicas)]
    if canvas.height is None:
        return [*differs, [], *of_replicas, [], *of_providers, [], *events]
    if len(differs) > _MOST_DIFFERENCES:
        more = len(differs) - _MOST_DIFFERENCES + 1
        differs = [*differs[: _MOST_DIFFERENCES - 1], [(f"and {more} more differences", DIM)]]
    room = canvas.height - 1 - above - len(differs)
    rows = max(2, room - len(of_providers))
    first = max(1, _place(replicas, view) + 1 - (rows - 2))
    shown = [*of_replicas[:1], *of_replicas[first : first + rows - 1]]
    return [*differs, *shown, *of_providers, *events]


def _place(replicas: Sequence[Replica], view: View) -> int:
    return next((place for place, each in enumerate(replicas) if each.name == view.replica), 0)


def _title(replicas: Sequence[Replica], view: View, canvas: Canvas) -> Line:
    here = sum(each.here for each in replicas)
    right: Line = [(f"every {view.interval:g}s", DIM)] if canvas.height is not None else []
    if view.paused:
        right = [(" PAUSED ", "reverse bold yellow"), *right]
    line: Line = [("aibridge", BOLD), (f"  {here} of {len(replicas)} replicas", PLAIN)]
    return [*clip(line, max(0, canvas.width - length(right) - 1)), (" ", PLAIN), *right]


def _alert(replicas: Sequence[Replica]) -> Line:
    parts: list[Line] = []
    away = [each for each in replicas if each.cause]
    if away:
        parts.append([(f"NO ANSWER from {len(away)} of {len(replicas)}", RED)])
    pictures = [each.picture for each in replicas if each.here and each.picture]
    parts += _open(pictures)
    degraded = sum(bool(each.document.store and each.document.store.degraded) for each in pictures)
    if degraded:
        parts.append([(f"{degraded} DEGRADED", f"bold {YELLOW}"), (" without the store", PLAIN)])
    rejects = fleet.reasons(pictures)
    if rejects:
        named = ", ".join(f"{reason} {rate(each)}/s" for reason, each in rejects.items())
        parts.append([("turned away", f"bold {YELLOW}"), (f" {named}", PLAIN)])
    for row in fleet.providers(pictures):
        if row.failures and any(not each.since_start for each in pictures):
            named = ", ".join(f"{what} {rate(each)}/s" for what, each in list(row.failures.items())[:2])
            parts.append([(f"{row.name} errors", f"bold {YELLOW}"), (f" {named}", PLAIN)])
    if not parts:
        return [("all well", GREEN), (": no rejects", DIM)] if pictures else [("connecting", DIM)]
    return [cell for place, part in enumerate(parts) for cell in ([("  ", PLAIN)] * bool(place) + part)]


def _open(pictures: Sequence[Picture]) -> list[Line]:
    """The open breakers: at how many replicas, and how an operator has forced the first of them."""
    found: dict[str, list[Breaker]] = {}
    for picture in pictures:
        for row in picture.providers:
            if row.provider.breaker.enabled and row.provider.breaker.state == "open":
                found.setdefault(row.provider.name, []).append(row.provider.breaker)
    parts: list[Line] = []
    for name, breakers in found.items():
        operators = [each for each in breakers if each.mode == "open"]
        said = forced(operators[0]) if operators else "OPEN"
        parts.append([(f"{name} {said}", RED), (f" at {len(breakers)} of {len(pictures)}", PLAIN)])
    return parts


def _totals(replicas: Sequence[Replica]) -> list[Line]:
    pictures = [each.picture for each in replicas if each.here and each.picture]
    requests = sum(each.document.requests for each in pictures)
    rejects = sum(sum(each.document.rejects.values()) for each in pictures)
    waiting = sum(each.document.queue.waiting for each in pictures)
    queue: Line = [("   waiting ", BOLD), (count(waiting), PLAIN)] if waiting else []
    return [
        [
            ("requests  ", BOLD),
            (f"{rate(fleet.total(pictures, lambda each: each.requests))}/s {count(requests)}", PLAIN),
            ("   rejects ", BOLD),
            (f"{rate(fleet.total(pictures, lambda each: each.rejects))}/s {count(rejects)}", PLAIN),
            ("   in flight ", BOLD),
            (count(sum(each.document.in_flight for each in pictures)), PLAIN),
            *queue,
        ]
    ]


def _replicas(replicas: Sequence[Replica], view: View, width: int) -> list[Line]:
    chosen = _place(replicas, view)
    names = {
        each.name: ("▸" if place == chosen else " ") + visible(each.name) for place, each in enumerate(replicas)
    }
    widest = min(_LONGEST_NAME, max((len(name) for name in names.values()), default=8))
    columns: list[Column[Replica]] = [
        Column("REPLICA", max(widest, len("REPLICA") + 1), lambda each: (names[each.name], PLAIN), right=False),
        Column("STATE", 8, _state, right=False),
        Column("STORE", 8, _store, right=False),
        Column("FLIGHT", 6, _cell(lambda each: count(each.document.in_flight))),
        Column("REQ/S", 5, _cell(lambda each: rate(each.requests))),
        Column("REJ/S", 5, _cell(lambda each: rate(each.rejects))),
    ]
    rest = max(10, width - sum(column.width + 1 for column in columns) - 1)
    columns.append(Column("BREAKERS NOT CLOSED", rest, _breakers, right=False))
    return table(columns, replicas)


def _cell(show: Callable[[Picture], str]) -> Callable[[Replica], Cell]:
    """A cell about a replica that answers."""

    def cell(replica: Replica) -> Cell:
        return (show(replica.picture), PLAIN) if replica.here and replica.picture else (NOTHING, DIM)

    return cell


def _state(replica: Replica) -> Cell:
    if replica.cause:
        return "LOST", RED
    if replica.picture is None:
        return "wait", DIM
    if replica.silence is not None and replica.silence >= _SILENCE:
        return "silent", f"bold {YELLOW}"
    return ("draining", YELLOW) if replica.picture.document.draining else ("serving", GREEN)


def _store(replica: Replica) -> Cell:
    store = replica.picture.document.store if replica.picture else None
    if store is None or replica.cause:
        return NOTHING, DIM
    return store.condition, _STORES.get(store.condition, f"bold {YELLOW}")


def _breakers(replica: Replica) -> Cell:
    if replica.cause:
        silence = "" if replica.silence is None else f", last word {span(replica.silence)} ago"
        return f"{visible(replica.cause)}{silence}", RED
    if replica.picture is None:
        return "", DIM
    found = [row.provider for row in replica.picture.providers if row.provider.breaker.enabled]
    words = [f"{each.name} {each.breaker.word}" for each in found if each.breaker.word != "closed"]
    return (", ".join(words), YELLOW) if words else (NOTHING, DIM)


def _providers(rows: Sequence[FleetProvider]) -> list[Line]:
    columns: list[Column[FleetProvider]] = [
        Column("PROVIDER", 12, lambda row: (row.name, PLAIN), right=False),
        Column("FLIGHT", 6, lambda row: (count(row.in_flight), PLAIN)),
        Column("RESP/S", 6, lambda row: (rate(row.responses), PLAIN)),
        Column("REJ/S", 5, lambda row: (rate(row.rejects), PLAIN)),
        Column("P50", 5, lambda row: (latency(row.p50), PLAIN)),
        Column("P99", 5, lambda row: (latency(row.p99), PLAIN)),
        Column("TOK/S", 5, lambda row: (rate(row.tokens), PLAIN)),
        Column("BREAKERS", 24, _words, right=False),
    ]
    return table(columns, rows)


def _words(row: FleetProvider) -> Cell:
    style = PLAIN if set(row.breakers) <= {"closed", "off"} else YELLOW
    return ", ".join(f"{many} {word}" for word, many in row.breakers.items()), style


def _foot(view: View, width: int) -> Line:
    return foot(view, width) if view.notice or view.help else [(_KEYS, DIM)]
