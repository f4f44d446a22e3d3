"""How the dashboard is looked at, and what keys make of it. Pure: (state, key) → state, perhaps with an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates
from aibridge_trio.top.sort_order import DEFAULT_SORT, SORT_KEYS, sorted_rows

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
    sort: str = DEFAULT_SORT
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
    columns = [title for title in SORT_KEYS if width >= ROOMY or title not in _ONLY_WITH_ROOM]
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


def rows(view: View, picture: Picture) -> list[ProviderRates]:
    """Return the providers that match the filter, in the view's order."""
    named = [row for row in picture.providers if fits(view, row.provider.name)]
    return sorted_rows(named, view.sort, reverse=view.reverse)


def marked(view: View, shown: Sequence[str]) -> str | None:
    """Return the provider that orders are for: the chosen one if it is shown, else the first that is."""
    return view.chosen if view.chosen in shown else next(iter(shown), None)


def fits(view: View, *texts: str) -> bool:
    """Tell whether one of these texts has in it what the operator filters by."""
    return any(view.filter.lower() in text.lower() for text in texts)
