"""The fleet: several replicas on one screen, with sums, a row for each, and what differs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aibridge_trio.printable import visible
from aibridge_trio.top.data import fleet
from aibridge_trio.top.data.document import Breaker
from aibridge_trio.top.data.fleet import Difference, FleetProvider, Replica
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.keyboard import FLEET_KEYS
from aibridge_trio.top.screen.alert import forced
from aibridge_trio.top.screen.layout import Canvas, foot, help_lines, short_keys
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
from aibridge_trio.top.view import View, marked

# Lines of differences, and of events, at most; --once has all.
_MOST_DIFFERENCES, _SOME_EVENTS = 4, 4
# The widest name of a replica (cells).
_LONGEST_NAME = 34
# Fewer rows of replicas are not worth a line that counts the others.
_FEW = 3
_STORES = {"shared": PLAIN, "own": DIM}
LEGEND = (
    ("STATE", "silent for 2.5 s; LOST: no answer; twin: counted above"),
    ("STORE", "what is shared; own: nothing; degraded, closed: it is away"),
    ("FLIGHT", "requests in flight"),
    ("REQ/S, REJ/S", "requests a second, and of these refused"),
    ("BREAKERS", "those that are not closed; how it differs from the most"),
    ("P50, P99", "half and 99% of answers began to come within this time"),
    ("TOK/S", "tokens of finished requests a second, in and out"),
)


def frame(replicas: Sequence[Replica], view: View, canvas: Canvas) -> Frame:
    """Draw the fleet, the replicas that need attention first. The chosen replica's row stays on the screen."""
    lines: list[Line] = [_title(replicas, view, canvas)]
    if view.help:
        lines += help_lines(FLEET_KEYS, LEGEND)
    else:
        lines += [_alert(replicas), *_totals(replicas)]
        lines += _body(replicas, view, canvas, len(lines))
    if canvas.height is not None:
        high = max(0, canvas.height - 1)
        lines = [*lines[:high], *([[]] * (high - len(lines))), _foot(view, canvas.width)]
    return Frame(tuple(clip(line, canvas.width) for line in lines), canvas.ascii)


def alerts(replicas: Sequence[Replica]) -> list[str]:
    """Return the parts of the fleet's alert as plain texts; none if all is well."""
    return ["".join(text for text, _ in part).strip() for part in _parts(replicas)]


def provider_names(replicas: Sequence[Replica]) -> list[str]:
    """Return the providers from top to bottom."""
    return [row.name for row in fleet.providers(_pictures(replicas))]


def _pictures(replicas: Sequence[Replica]) -> list[Picture]:
    return [each.picture for each in replicas if each.here and each.picture]


def _body(replicas: Sequence[Replica], view: View, canvas: Canvas, above: int) -> list[Line]:
    found = fleet.differences(replicas)
    differs: list[Line] = [[("differs: ", f"bold {YELLOW}"), (each.words, PLAIN)] for each in found]
    ordered = fleet.worst_first(replicas)
    of_providers = _providers(fleet.providers(_pictures(replicas)), view)
    of_replicas = _replicas(ordered, view, canvas.width, found)
    events: list[Line] = [[("EVENTS", BOLD)]]
    events += [[(f"{name} ", DIM), *event_line(event, canvas.zone)] for name, event in fleet.events(replicas)]
    if canvas.height is None:
        return [*differs, [], *of_replicas, [], *of_providers, [], *events]
    if len(differs) > _MOST_DIFFERENCES:
        more = len(differs) - _MOST_DIFFERENCES + 1
        differs = [*differs[: _MOST_DIFFERENCES - 1], [(f"and {more} more differences", DIM)]]
    room = canvas.height - 1 - above - len(differs) - len(of_providers)
    # With many replicas the latest events still have a place, if there is one.
    room -= min(len(events), _SOME_EVENTS) if room - _SOME_EVENTS > 2 * _FEW else 0
    return [*differs, *_window(of_replicas, _place(ordered, view) + 1, max(2, room)), *of_providers, *events]


def _window(lines: Sequence[Line], keep: int, rows: int) -> list[Line]:
    """Return a table in so many lines, with its head, the line `keep`, and how many rows there are elsewhere."""
    if len(lines) <= rows:
        return list(lines)
    counted = rows - 1 > _FEW
    shown = rows - 1 - counted
    first = max(1, keep - shown + 1)
    after = len(lines) - first - shown
    rest = [f"{many} more {where}" for many, where in ((first - 1, "above"), (after, "below")) if many]
    count_line: list[Line] = [[(f" {', '.join(rest)}", DIM)]] if counted else []
    return [lines[0], *lines[first : first + shown], *count_line]


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
    parts = _parts(replicas)
    if not parts:
        return [("all well", GREEN), (": no rejects", DIM)] if _pictures(replicas) else [("connecting", DIM)]
    return [cell for place, part in enumerate(parts) for cell in ([("  ", PLAIN)] * bool(place) + part)]


def _parts(replicas: Sequence[Replica]) -> list[Line]:
    parts: list[Line] = []
    away = sum(bool(each.cause) for each in replicas)
    if away:
        parts.append([(f"NO ANSWER from {away} of {len(replicas)}", RED)])
    pictures = _pictures(replicas)
    parts += _open(pictures)
    silent = sum(each.silent for each in replicas if each.here)
    if silent:
        parts.append([(f"no word from {silent}", f"bold {YELLOW}")])
    degraded = sum(bool(each.document.store and each.document.store.degraded) for each in pictures)
    if degraded:
        parts.append([(f"{degraded} DEGRADED", f"bold {YELLOW}"), (" without the store", PLAIN)])
    draining = sum(each.document.draining for each in pictures)
    if draining:
        parts.append([(f"{draining} DRAINING", f"bold {YELLOW}")])
    rejects = fleet.reasons(pictures)
    if rejects:
        named = ", ".join(f"{reason} {rate(each)}/s" for reason, each in rejects.items())
        parts.append([("turned away", f"bold {YELLOW}"), (f" {named}", PLAIN)])
    for row in fleet.providers(pictures):
        if row.failures and any(not each.since_start for each in pictures):
            named = ", ".join(f"{what} {rate(each)}/s" for what, each in list(row.failures.items())[:2])
            parts.append([(f"{row.name} errors", f"bold {YELLOW}"), (f" {named}", PLAIN)])
    return parts


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
    pictures = _pictures(replicas)
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


def _replicas(replicas: Sequence[Replica], view: View, width: int, found: Sequence[Difference]) -> list[Line]:
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
    columns.append(Column("BREAKERS NOT CLOSED", rest, lambda each: _remarks(each, found), right=False))
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
    if replica.twin:
        return "twin", DIM
    if replica.silent:
        return "silent", f"bold {YELLOW}"
    return ("draining", YELLOW) if replica.picture.document.draining else ("serving", GREEN)


def _store(replica: Replica) -> Cell:
    store = replica.picture.document.store if replica.picture else None
    if store is None or replica.cause:
        return NOTHING, DIM
    return store.condition, _STORES.get(store.condition, f"bold {YELLOW}")


def _remarks(replica: Replica, found: Sequence[Difference]) -> Cell:
    """Why it does not answer; else its breakers that are not closed, and what else differs from most replicas."""
    if replica.cause:
        silence = "" if replica.silence is None else f", last word {span(replica.silence)} ago"
        return f"{visible(replica.cause)}{silence}", RED
    if replica.picture is None:
        return "", DIM
    if replica.twin:
        return f"the same process as {visible(replica.twin)}", DIM
    rows = [row.provider for row in replica.picture.providers if row.provider.breaker.enabled]
    words = [", ".join(f"{each.name} {each.breaker.word}" for each in rows if each.breaker.word != "closed")]
    # A breaker or a store that differs has its word in the row.
    odd = [each.what for each in found if replica.name in each.names and not each.of_state]
    words += [f"differs: {', '.join(odd)}"] if odd else []
    said = "; ".join(filter(None, words))
    return (said, YELLOW) if said else (NOTHING, DIM)


def _providers(rows: Sequence[FleetProvider], view: View) -> list[Line]:
    chosen = marked(view, [row.name for row in rows])
    columns: list[Column[FleetProvider]] = [
        Column("PROVIDER", 12, lambda row: (("▸" if row.name == chosen else " ") + row.name, PLAIN), right=False),
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
    return foot(view, width) if view.notice or view.help or view.asking else short_keys(FLEET_KEYS, width)
