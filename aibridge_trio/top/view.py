"""The view: selection, sorting, filter, pause, questions. Pure: (view, key) → view, perhaps with an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.data.rates import ProviderRates
from aibridge_trio.top.sort_order import DEFAULT_SORT, SORT_KEYS, sorted_rows

# Intervals between frames for + and - (seconds).
PACES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
# The longest text to filter by.
_LONGEST = 40
# From this width on the providers' table has all columns (cells).
ROOMY = 100
_ONLY_WITH_ROOM = ("IN/S", "OUT/S", "REJ/S")


@dataclass(frozen=True, slots=True)
class Order:
    """A change of a provider's breaker at so many replicas: `mode` is open, close or auto."""

    mode: str
    provider: str
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class View:
    """The state of the view. `interval` is the time between frames (seconds), `notice` a text for the last line.

    `chosen` is a provider's name, None for the first one shown; `typing` is on while a filter is typed; `asking`
    is the order to be confirmed; of several bridges `replica` is the chosen one, which is shown `alone`; `refused`
    is on while refused requests are shown in place of all; `end` is "quit" or "interrupted" once it ends.
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
    replica: str | None = None
    alone: bool = False
    refused: bool = False


def press(view: View, key: str, shown: Sequence[str], width: int) -> tuple[View, Order | None]:
    """Return the view after a key, and an order that the key confirmed.

    `shown` are the providers' names from top to bottom, `width` is the screen's (cells).
    """
    if key == "interrupt":
        return replace(view, end="interrupted"), None
    view = replace(view, notice="")
    if view.asking:
        return replace(view, asking=None), view.asking if key in ("y", "Y") else None
    if view.typing:
        return _type(view, key), None
    if view.help:
        return replace(view, help=False), None
    if view.refused:  # what else keys do there: see refusals
        return replace(view, refused=False), None
    return _act(view, key, shown, width), None


def _type(view: View, key: str) -> View:
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


def _act(view: View, key: str, shown: Sequence[str], width: int) -> View:
    if key in _STEPS:
        return _sort(view, _STEPS[key], width)
    action = _ACTIONS.get(key)
    return action(view, shown) if action else view


def _select(view: View, shown: Sequence[str], step: int) -> View:
    place = shown.index(view.chosen) if view.chosen in shown else 0
    return replace(view, chosen=shown[min(max(place + step, 0), len(shown) - 1)]) if shown else view


def _sort(view: View, step: int, width: int) -> View:
    columns = [title for title in SORT_KEYS if width >= ROOMY or title not in _ONLY_WITH_ROOM]
    # A column that the narrower screen lacks counts as behind the last one.
    place = columns.index(view.sort) + step if view.sort in columns else len(columns) - 1
    return replace(view, sort=columns[min(max(place, 0), len(columns) - 1)])


def _change_interval(view: View, *, faster: bool) -> View:
    if faster:
        return replace(view, interval=max((pace for pace in PACES if pace < view.interval), default=view.interval))
    return replace(view, interval=min((pace for pace in PACES if pace > view.interval), default=view.interval))


def _ask(view: View, shown: Sequence[str], mode: str) -> View:
    chosen = marked(view, shown)
    return replace(view, asking=Order(mode, chosen)) if chosen else replace(view, notice="no provider is shown")


_STEPS = {"<": -1, ">": 1}
_ACTIONS: dict[str, Callable[[View, Sequence[str]], View]] = {
    "q": lambda view, _: replace(view, end="quit"),
    "?": lambda view, _: replace(view, help=True),
    "h": lambda view, _: replace(view, help=True),
    "p": lambda view, _: replace(view, paused=not view.paused),
    " ": lambda view, _: replace(view, paused=not view.paused),
    "up": lambda view, shown: _select(view, shown, -1),
    "k": lambda view, shown: _select(view, shown, -1),
    "down": lambda view, shown: _select(view, shown, 1),
    "j": lambda view, shown: _select(view, shown, 1),
    "r": lambda view, _: replace(view, reverse=not view.reverse),
    "e": lambda view, _: replace(view, refused=True),
    "/": lambda view, _: replace(view, typing=True, filter=""),
    "escape": lambda view, _: replace(view, filter=""),
    "+": lambda view, _: _change_interval(view, faster=True),
    "=": lambda view, _: _change_interval(view, faster=True),
    "-": lambda view, _: _change_interval(view, faster=False),
    "o": lambda view, shown: _ask(view, shown, "open"),
    "c": lambda view, shown: _ask(view, shown, "close"),
    "a": lambda view, shown: _ask(view, shown, "auto"),
}


def rows(view: View, picture: Picture) -> list[ProviderRates]:
    """Return the providers that match the filter, in the view's order."""
    named = [row for row in picture.providers if fits(view, row.provider.name)]
    return sorted_rows(named, view.sort, reverse=view.reverse)


def marked(view: View, shown: Sequence[str]) -> str | None:
    """Return the selected provider: the chosen one if it is shown, else the first one shown."""
    return view.chosen if view.chosen in shown else next(iter(shown), None)


def fits(view: View, *texts: str) -> bool:
    """Tell whether one of the texts contains the filter, in any case."""
    return any(view.filter.lower() in text.lower() for text in texts)
