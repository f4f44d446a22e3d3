"""Building blocks of lines: styled text in cells, tables, bars, sparklines, short numbers. Pure."""

# ruff: noqa: PLR2004 - a unit ends where its number would need one cell more; docstrings name the widths

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Generic, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

T = TypeVar("T")

# Red marks open breakers and a lost bridge, nothing else.
RED, YELLOW, GREEN, DIM, BOLD, PLAIN = "bold red", "yellow", "green", "dim", "bold", ""
NOTHING = "--"

_BLOCKS = "▁▂▃▄▅▆▇█"
# ASCII characters of the same width, for terminals without UTF-8.
_ASCII = str.maketrans("▁▂▃▄▅▆▇█░→…▸↑↓×▲▼└", "_.:-=+*#.>~>^vx/\\`")

Cell = tuple[str, str]
Line = list[Cell]


@dataclass(frozen=True, slots=True)
class Frame:
    """Lines of (text, style), as wide as the canvas they were made for."""

    lines: tuple[Line, ...]
    ascii: bool = False

    @property
    def plain(self) -> str:
        """The text without styles."""
        return "".join("".join(self._text(text) for text, _ in line).rstrip() + "\n" for line in self.lines)

    def _text(self, text: str) -> str:
        if not self.ascii or text.isascii():
            return text
        return "".join(c if c.isascii() else "?" * cell_len(c) for c in text.translate(_ASCII))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines:
            for text, style in line:
                yield Segment(self._text(text), Style.parse(style) if style else None)
            yield Segment.line()


def knows_blocks(encoding: str | None) -> bool:
    """Tell whether this encoding has blocks and arrows."""
    return "utf" in (encoding or "").lower()


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return the text in exactly `width` cells, cut with an ellipsis if longer."""
    if width <= 0:
        return ""
    if cell_len(text) > width:
        text = text.rstrip()
    if cell_len(text) > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - cell_len(text)) + text if right else set_cell_size(text, width)


def clip(line: Line, width: int) -> Line:
    """Return the line in exactly `width` cells, cut with an ellipsis if longer."""
    clipped: Line = []
    for number, (text, style) in enumerate(line):
        length = cell_len(text)
        if length > width:
            rest = "".join(text for text, _ in line[number:])
            if width > 0:
                return [*clipped, (fit(rest, width), style)]
            # The border is between two cells: the ellipsis takes the end of the one before.
            before, its = clipped.pop() if clipped else ("", style)
            return [*clipped, (fit(before + rest, cell_len(before)), its)]
        clipped.append((text, style))
        width -= length
    return [*clipped, (" " * width, PLAIN)] if width else clipped


def length(line: Line) -> int:
    """Return the width in cells."""
    return sum(cell_len(text) for text, _ in line)


def beside(width: int, *blocks: tuple[int, Sequence[Line]]) -> list[Line]:
    """Put blocks side by side, each with its width and a gap of two cells; the last gets the remaining width."""
    lines: list[Line] = []
    for row in zip_longest(*(block for _, block in blocks), fillvalue=()):
        line: Line = []
        left = width
        for number, ((own, _), part) in enumerate(zip(blocks, row, strict=True)):
            last = number == len(blocks) - 1
            line += clip(list(part), left if last else own)
            if not last:
                line.append(("  ", PLAIN))
                left -= own + 2
        lines.append(line)
    return lines


def grey(lines: Iterable[Line]) -> list[Line]:
    """Return the lines dimmed, without colors."""
    return [[(text, DIM) for text, _ in line] for line in lines]


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column of a table: title, width in cells, and the cell of a row."""

    title: str
    width: int
    cell: Callable[[T], Cell]
    right: bool = True


def table(
    columns: Sequence[Column[T]], rows: Iterable[T], marked: str | None = None, sign: str = ""
) -> list[Line]:
    """Return a head and a line per row; the `marked` column's title is underlined, with the sign beside it."""
    head: Line = []
    before = ""
    for column in columns:
        its, style = (sign, "bold underline") if column.title == marked else ("", BOLD)
        # Underline the word, not the padding.
        title = fit(column.title, min(column.width, cell_len(column.title)))
        after = " " * (column.width - cell_len(title))
        if column.right:
            # If the title fills its column, the sign replaces the blank before it.
            before, after = before + after, ""
            its = its if before else ""
            head += [(before[len(its) :], PLAIN), (its, BOLD), (title, style)]
        else:
            its = its if after else ""
            head += [(before, PLAIN), (title, style), (its, BOLD), (after[len(its) :], PLAIN)]
        before = " "
    lines = [[*(cell for cell in head if cell[0]), (" ", PLAIN)]]
    for row in rows:
        line: Line = []
        for column in columns:
            text, style = column.cell(row)
            line += [(fit(text, column.width, right=column.right), style), (" ", PLAIN)]
        lines.append(line)
    return lines


def bar(part: int, whole: int, width: int) -> str:
    """Return a bar of `width` cells: at least one is full if part > 0, all are only if part = whole."""
    cells = min(width, width * part // whole) if whole else 0
    cells = max(1, cells) if part > 0 and whole else cells
    return "█" * cells + "░" * (width - cells)


def sparkline(values: Sequence[float | None]) -> str:
    """Return a cell per value, scaled to the highest; the lowest block is 0, a space is unknown."""
    top = max((value for value in values if value is not None), default=0.0)

    def block(value: float | None) -> str:
        if value is None:
            return " "
        return _BLOCKS[math.ceil(value / top * (len(_BLOCKS) - 1))] if top > 0 else _BLOCKS[0]

    return "".join(map(block, values))


def count(number: float) -> str:
    """`1,042`, `123k`, `4.5M`: at most six cells."""
    # Six digits and a comma need seven cells.
    return f"{number:,.0f}" if number < 99_999.5 else _scaled(number)


def _scaled(number: float) -> str:
    """A number from a thousand on with a unit: at most five cells."""
    for unit in "kMGTP":
        number /= 1000
        if number < 999.5:
            return f"{number:.1f}{unit}" if number < 99.95 else f"{number:.0f}{unit}"
    return "many"


def rate(per_second: float | None) -> str:
    """`12.4`, `1.2k`; `--` for nothing. At most five cells."""
    if not per_second:
        return NOTHING
    if per_second < 0.05:
        return "<0.1"
    if per_second < 999.5:
        return f"{per_second:.1f}" if per_second < 99.95 else f"{per_second:.0f}"
    return _scaled(per_second)


def span(seconds: float | None) -> str:
    """`4s`, `1m05s`, `12m`, `2h13m`, `3d04h`, `75d`: whole units, rounded down; at most five cells."""
    if seconds is None:
        return NOTHING
    whole = int(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days > 9999:
        return "ages"
    # From ten on the smaller unit is dropped: it would need a sixth cell.
    for number, unit, rest in (
        (days, "d", f"{hour:02}h"),
        (hours, "h", f"{minute:02}m"),
        (minutes, "m", f"{second:02}s"),
    ):
        if number:
            return f"{number}{unit}{rest if number < 10 else ''}"
    return f"{second}s"


def remaining(left: float, age: float, whole: float | None = None) -> str:
    """Return `left` minus `age` seconds as a `span`, rounded up, at most `whole`."""
    rest = math.ceil(max(0.0, left - age))
    return span(rest if whole is None else min(rest, math.ceil(whole)))


def latency(seconds: float | None) -> str:
    """`3.2ms`, `410ms`, `1.2s`, `1m05s`; `>10m` above the highest bound of the histogram. At most five cells."""
    if seconds is None:
        return NOTHING
    if math.isinf(seconds):
        return ">10m"
    if seconds < 0.9995:
        return f"{seconds * 1000:.1f}ms" if seconds < 0.00995 else f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 59.95 else span(round(seconds))
