"""The screen of refused requests: a list of them, or the explanation of one. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from aibridge_trio.printable import visible
from aibridge_trio.top.refusals import Refusals
from aibridge_trio.top.screen.layout import Canvas
from aibridge_trio.top.screen.text import BOLD, DIM, PLAIN, Column, Frame, Line, clip, table

_KEYS: Line = [
    ("↑↓", BOLD),
    (" choose  ", DIM),
    ("Enter", BOLD),
    (" opens it  ", DIM),
    ("Esc", BOLD),
    (" back", DIM),
]
_BACK: Line = [("Esc", BOLD), (" back to the list", DIM)]
# Characters of a cell before it is cut to its column.
_LONGEST = 200
# Of 2026-12-01T10:20:30.123Z: the time of day.
_CLOCK = slice(11, 19)


def frame(refusals: Refusals, canvas: Canvas) -> Frame:
    """Draw the list, or the request that is open."""
    high = max(0, (canvas.height or len(refusals.requests) + 4) - 1)
    if refusals.opened:
        body, foot = _opened(refusals, canvas.width), _BACK
    elif refusals.requests:
        body, foot = _list(refusals, canvas.width, max(1, high - 2)), _KEYS
    else:
        body, foot = [[(visible(refusals.said, _LONGEST), PLAIN)]], [*_BACK[:1], (" back", DIM)]
    lines: list[Line] = [
        [("Requests that were refused, failed or broke off", BOLD), ("  times are UTC", DIM)],
        *body,
    ]
    lines = [*lines[:high], *([[]] * (high - len(lines))), foot]
    return Frame(tuple(clip(line, canvas.width) for line in lines), canvas.ascii)


def _opened(refusals: Refusals, width: int) -> list[Line]:
    lines: list[Line] = []
    for text in refusals.opened:
        indent = "    " if text.startswith("  ") else ""
        lines += [[(part, PLAIN)] for part in textwrap.wrap(text, max(20, width), subsequent_indent=indent)]
    return lines


def _list(refusals: Refusals, width: int, most: int) -> list[Line]:
    """The chosen request is on the screen, wherever it is in the list."""
    first = min(max(0, refusals.place - most // 2), max(0, len(refusals.requests) - most))
    shown = refusals.requests[first : first + most]
    chosen = refusals.requests[refusals.place]

    def cell(name: str, *others: str) -> Any:
        def of(request: Mapping[str, Any]) -> tuple[str, str]:
            value = next((request[each] for each in (name, *others) if request.get(each)), "-")
            return visible(str(value), _LONGEST), BOLD if request is chosen else PLAIN

        return of

    id_width = max(10, width - 80)
    columns: list[Column[Mapping[str, Any]]] = [
        Column("", 1, lambda request: ("▸" if request is chosen else " ", BOLD), right=False),
        Column("TIME", 8, lambda request: (visible(str(request.get("time")))[_CLOCK], PLAIN), right=False),
        Column("STATUS", 6, cell("status")),
        Column("WHY", 22, cell("reject", "error_code", "cause"), right=False),
        Column("PROVIDER", 14, cell("provider"), right=False),
        Column("CALLER", 20, cell("caller"), right=False),
        Column("REQUEST", id_width, cell("request_id"), right=False),
    ]
    return table(columns, shown)
