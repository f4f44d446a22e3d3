"""How the dashboard is looked at, and what keys make of it. Pure: (state, key) → state, perhaps with an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aibridge_trio.top.data.document import Breaker, Scope
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates

# Seconds between two frames that + and - go through.
PACES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
# The longest text to filter by.
_LONGEST = 40
# From so many columns on there is room for more of a provider.
ROOMY = 100
_ONLY_WITH_ROOM = ("IN/S", "OUT/S", "REJ/S")


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator wants of a provider's breaker: `mode` is open, close or auto."""

    mode: str
    provider: str


@dataclass(frozen=True, slots=True)
class View:
    """How it is looked at. `interval` is the time between frames (seconds), `notice` what the last line says.

    `chosen` is a provider's name, None for the first that is shown; `typing` is on while a filter is typed;
    `asking` is the order that waits for a yes; `end` is how it was ended, "quit" or "interrupted".
    """

    interval: float = 1.0
    chosen: str | None = None
    sort: str = "STATE"
    reverse: bool = False
    filter: str = ""
    typing: bool = False
    paused: bool = False
    help: bool = False
    asking: Order | None = None
    notice: str = ""
    end: str = ""


def press(view: View, key: str, shown: Sequence[str], width: int) -> tuple[View, Order | None]:
    """Return the view after a key, and the order to carry out.

    `shown` are the providers from top to bottom, `width` is the screen's.
    """
    if key == "interrupt":
        return replace(view, end="interrupted"), None
    view = replace(view, notice="")
    if view.asking:
        return replace(view, asking=None), view.asking if key in ("y", "Y") else None
    if view.typing:
        return _typed(view, key), None
    if view.help:
        return replace(view, help=False), None
    return _pressed(view, key, shown, width), None


def _typed(view: View, key: str) -> View:
    match key:
        case "escape":
            return replace(view, typing=False, filter="")
        case "enter":
            return replace(view, typing=False)
        case "backspace":
            return replace(view, filter=view.filter[:-1])
        case _ if len(key) == 1 and len(view.filter) < _LONGEST:
            return replace(view, filter=view.filter + key)
    return view


def _pressed(view: View, key: str, shown: Sequence[str], width: int) -> View:
    if key in _STEPS:
        return _sorted(view, _STEPS[key], width)
    does = _DOES.get(key)
    return does(view, shown) if does else view


def _chosen(view: View, shown: Sequence[str], step: int) -> View:
    place = shown.index(view.chosen) if view.chosen in shown else 0
    return replace(view, chosen=shown[min(max(place + step, 0), len(shown) - 1)]) if shown else view


def _sorted(view: View, step: int, width: int) -> View:
    columns = [title for title in SORTS if width >= ROOMY or title not in _ONLY_WITH_ROOM]
    # Of a screen that has become narrow, the last column is the nearest.
    place = columns.index(view.sort) + step if view.sort in columns else len(columns) - 1
    return replace(view, sort=columns[min(max(place, 0), len(columns) - 1)])


def _paced(view: View, *, oftener: bool) -> View:
    if oftener:
        return replace(view, interval=max((pace for pace in PACES if pace < view.interval), default=view.interval))
    return replace(view, interval=min((pace for pace in PACES if pace > view.interval), default=view.interval))


def _asked(view: View, shown: Sequence[str], mode: str) -> View:
    chosen = marked(view, shown)
    return replace(view, asking=Order(mode, chosen)) if chosen else replace(view, notice="no provider is shown")


_STEPS = {"<": -1, ">": 1}
_DOES: dict[str, Callable[[View, Sequence[str]], View]] = {
    "q": lambda view, _: replace(view, end="quit"),
    "?": lambda view, _: replace(view, help=True),
    "h": lambda view, _: replace(view, help=True),
    "p": lambda view, _: replace(view, paused=not view.paused),
    " ": lambda view, _: replace(view, paused=not view.paused),
    "up": lambda view, shown: _chosen(view, shown, -1),
    "k": lambda view, shown: _chosen(view, shown, -1),
    "down": lambda view, shown: _chosen(view, shown, 1),
    "j": lambda view, shown: _chosen(view, shown, 1),
    "r": lambda view, _: replace(view, reverse=not view.reverse),
    "/": lambda view, _: replace(view, typing=True, filter=""),
    "escape": lambda view, _: replace(view, filter=""),
    "+": lambda view, _: _paced(view, oftener=True),
    "=": lambda view, _: _paced(view, oftener=True),
    "-": lambda view, _: _paced(view, oftener=False),
    "o": lambda view, shown: _asked(view, shown, "open"),
    "c": lambda view, shown: _asked(view, shown, "close"),
    "a": lambda view, shown: _asked(view, shown, "auto"),
}

# The most urgent first: what is out of service, then what may be, then what has nothing that protects it.
_URGENCY = {"open": 0, "half-open": 1, "closed": 3}
_RAMPING, _LEAST = 2, 4


def urgency(breaker: Breaker | Scope) -> int:
    """Return the place of a breaker's state among the states, the most urgent first."""
    if isinstance(breaker, Breaker) and not breaker.enabled:
        return _LEAST
    return _RAMPING if breaker.ramping else _URGENCY.get(breaker.state, _LEAST)


# By the titles of the columns: what the rows are sorted by, a number or a name, and None where it is not known.
SORTS: dict[str, Callable[[ProviderRates], Any]] = {
    "PROVIDER": lambda row: row.provider.name,
    "STATE": lambda row: -urgency(row.provider.breaker),
    "FOR": lambda row: row.provider.breaker.since,
    "LEFT": lambda row: row.provider.breaker.left,
    "FAILS": lambda row: _counted(row, row.provider.breaker.failures),
    "PROBE": lambda row: row.provider.breaker.probes if row.provider.breaker.state == "half-open" else None,
    "TRIPS": lambda row: _counted(row, row.provider.breaker.trips),
    "REJECTS": lambda row: _counted(row, row.provider.breaker.rejects),
    "P50": lambda row: row.p50,
    "P99": lambda row: row.p99,
    "TOK/S": lambda row: (row.tokens_in or 0.0) + (row.tokens_out or 0.0),
    "IN/S": lambda row: row.tokens_in,
    "OUT/S": lambda row: row.tokens_out,
    "REJ/S": lambda row: row.rejects,
}


def _counted(row: ProviderRates, count: int) -> int | None:
    """What a breaker counts; without one nobody does."""
    return count if row.provider.breaker.enabled else None


def _falling(view: View) -> bool:
    """Whether the largest comes first: of names the first does, of all else the largest, unless it is reversed."""
    return (view.sort != "PROVIDER") != view.reverse


def direction(view: View) -> str:
    """Return the sign of the order: down from the largest, or up from the smallest."""
    return "▼" if _falling(view) else "▲"


def rows(view: View, picture: Picture) -> list[ProviderRates]:
    """Return the providers that are shown, from top to bottom; those of which nothing is known come last."""
    value = SORTS[view.sort]
    named = [row for row in picture.providers if fits(view, row.provider.name)]
    known = [row for row in named if value(row) is not None]
    return sorted(known, key=value, reverse=_falling(view)) + [row for row in named if value(row) is None]


def marked(view: View, shown: Sequence[str]) -> str | None:
    """Return the provider that orders are for: the chosen one if it is shown, else the first that is."""
    return view.chosen if view.chosen in shown else next(iter(shown), None)


def fits(view: View, *texts: str) -> bool:
    """Tell whether one of these texts has in it what the operator filters by."""
    return any(view.filter.lower() in text.lower() for text in texts)
