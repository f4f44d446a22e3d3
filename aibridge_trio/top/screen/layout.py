"""The layout of the screen: a picture of the bridge and the view make a frame. Pure.

Blocks have an order on the screen and a rank; in a low terminal blocks of higher rank numbers are shortened first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from rich.cells import cell_len

from aibridge_trio.printable import visible
from aibridge_trio.top.data.history import Picture
from aibridge_trio.top.keyboard import KEYS, OF_SEVERAL, Key
from aibridge_trio.top.screen import alert, panels
from aibridge_trio.top.screen.alert import Link
from aibridge_trio.top.screen.provider_details import detail_lines
from aibridge_trio.top.screen.text import BOLD, DIM, PLAIN, YELLOW, Frame, Line, clip, fit, grey, length, span
from aibridge_trio.top.screen.totals import totals
from aibridge_trio.top.view import View, marked, rows


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is drawn on: a size in cells (no height: all lines), the time zone of events, and whether only ASCII.

    Without a `zone` times are local.
    """

    width: int = 80
    height: int | None = 24
    zone: tzinfo | None = None
    ascii: bool = False


@dataclass(slots=True)
class _Block:
    """Lines that belong together: at least `least`, better `good`; rank 0 is the most important.

    A shortened block keeps its head and line number `keep`.
    """

    rank: int
    lines: Sequence[Line]
    least: int
    good: int
    keep: int = 0
    given: int = 0

    def shown(self) -> list[Line]:
        """Return the lines that fit into the space given."""
        first = max(1, self.keep - self.given + 2)
        return [*self.lines[:1], *self.lines[first : first + self.given - 1]]


# One line in so many may be a detail line of a provider.
_BENEATH = 8
# Cells right of the reasons from which on callers and events stand beside each other.
_WIDE = 115


def frame(picture: Picture | None, view: View, link: Link, canvas: Canvas, now: float) -> Frame:
    """Draw a frame as of `now` (seconds, on the clock of `picture.received`), which may stand still."""
    age = max(0.0, now - picture.received) if picture else 0.0
    lines = [_title(picture, view, link, canvas, age)]
    if view.help:
        lines += help_lines((*KEYS, OF_SEVERAL) if view.alone else KEYS, panels.LEGEND)
    else:
        lines += alert.lines(picture, link, now, canvas.width)
        # One line is the foot's.
        room = None if canvas.height is None else max(0, canvas.height - 1 - len(lines))
        body = _dashboard(picture, view, canvas, age, room) if picture else []
        lines += grey(body) if link.lost else body
    if canvas.height is not None:
        high = max(0, canvas.height - 1)
        lines = [*lines[:high], *([[]] * (high - len(lines))), foot(view, canvas.width)]
    return Frame(tuple(clip(line, canvas.width) for line in lines), canvas.ascii)


def _dashboard(picture: Picture, view: View, canvas: Canvas, age: float, room: int | None) -> list[Line]:
    width = canvas.width
    shown = rows(view, picture)
    whole = totals(picture, width, picture.received + age)
    most = None if canvas.height is None else canvas.height // _BENEATH
    below = detail_lines(shown, most, age, width)
    providers = panels.providers(view, shown, below, age, width)
    upstream = panels.upstream(view, shown, width)
    reasons, callers = panels.reasons(picture, width), panels.callers(picture, view)
    events = panels.events(picture, view, canvas.zone)
    names = [row.provider.name for row in shown]
    # Line 0 is the head.
    keep = names.index(chosen) + 1 if (chosen := marked(view, names)) else 0
    above = sum(len(lines) for lines in below[: max(0, keep - 1)])
    stack = [
        _Block(2, whole, len(whole), len(whole)),
        _Block(0, providers, 2, len(providers), keep + above),
        _Block(3, upstream, 2, len(upstream), keep),
    ]
    if width - panels.reasons_width(picture, width) >= _WIDE:
        stack.append(_Block(1, panels.side_by_side(picture, width, reasons, callers, events), 4, 11))
    else:
        stack.append(_Block(1, panels.side_by_side(picture, width, reasons, callers), 4, 6))
        stack.append(_Block(4, events, 2, 4))
    return _stacked(stack, room)


def _stacked(stack: Sequence[_Block], height: int | None) -> list[Line]:
    """Stack blocks into so many lines, with empty lines between them if they fit."""
    if height is None:
        return [line for block in stack for line in ([], *block.lines)]
    left = height
    for wanted in ("least", "good"):
        for block in sorted(stack, key=lambda block: block.rank):
            more = min(getattr(block, wanted), len(block.lines)) - block.given
            if 0 < more <= left or (wanted == "good" and more > 0):
                block.given += min(more, left)
                left -= min(more, left)
    gap = left >= len(stack)
    left -= len(stack) if gap else 0
    for block in sorted(stack, key=lambda block: block.rank):
        more = min(left, len(block.lines) - block.given)
        block.given += more
        left -= more
    lines: list[Line] = []
    for block in stack:
        if block.given:
            lines += [[]] if gap else []
            lines += block.shown()
    return lines


def _title(picture: Picture | None, view: View, link: Link, canvas: Canvas, age: float) -> Line:
    line: Line = [("aibridge", BOLD)]
    right: Line = []
    if picture:
        line.append((f" {picture.document.version}  up {span(picture.document.uptime + age)}", PLAIN))
        interval = "since start" if picture.since_start else f"over {span(picture.over + 0.5)}"
        right = [(f"rates {interval}", DIM)]
        if canvas.height is not None:
            every = f"{view.interval:g}s" if view.interval < 60 else span(view.interval)  # noqa: PLR2004 - a minute
            right.append((f", every {every}", DIM))
    line.append((f"  {link.url}", DIM))
    if view.paused:
        right = [(" PAUSED ", "reverse bold yellow"), *right]
    return [*clip(line, max(0, canvas.width - length(right) - 1)), (" ", PLAIN), *right]


def foot(view: View, width: int) -> Line:
    """Return the last line: a question, a notice, or the keys."""
    if view.asking:
        question, answers = alert.question(view.asking), "  y yes  n no"
        room = max(0, width - len(answers))
        return [(fit(question, min(room, cell_len(question))), f"bold {YELLOW}"), (answers, BOLD)]
    if view.typing:
        return [("show only: ", BOLD), (view.filter, PLAIN), ("_", "blink"), ("  Enter keeps, Esc clears", DIM)]
    if view.notice:
        return [(visible(view.notice), BOLD)]
    if view.help:
        return [("any key goes back", DIM)]
    line = short_keys(KEYS, width)
    if view.filter:
        return [("showing only ", DIM), (view.filter, BOLD), ("  Esc clears  ", DIM), *line]
    return line


def short_keys(keys: Sequence[Key], width: int) -> Line:
    """Return the keys that have a short text, as far as they fit."""
    line: Line = []
    length = 0
    for key in (key for key in keys if key.short):
        word, _, rest = key.short.partition(" ")
        length += len(key.short) + 2
        if length <= width + 2:
            line += [(word, BOLD), (f" {rest}  ", DIM)]
    return line


def help_lines(keys: Sequence[Key], columns: Sequence[tuple[str, str]]) -> list[Line]:
    """Return the keys and the columns."""
    lines: list[Line] = [[("Keys", BOLD)]]
    lines += [[(f"  {key.keys:<15}", BOLD), (key.does, PLAIN)] for key in keys]
    lines += [[("Columns", BOLD)]]
    lines += [[(f"  {title:<15}", BOLD), (text, PLAIN)] for title, text in columns]
    return lines
