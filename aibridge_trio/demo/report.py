"""The demo's lines: what both sides have done so far, the table at the end, and what it means in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from aibridge_trio.demo.callers import MIX
from aibridge_trio.demo.incidents import CALLERS
from aibridge_trio.demo.side import Outcome

WIDTH = 80
# A label, then three columns for each side.
_LABEL, _COLUMN, _GAP = 18, 9, 4
_SIDES_LINE = " " * _LABEL + (" " * _GAP).join(
    each.rjust(3 * _COLUMN) for each in ("straight", "through the bridge")
)


def introduction(patience: float) -> list[str]:
    """Return what the demo does, and the heading of its lines."""
    clients = ", ".join(client.name for client in MIX)
    text = (
        "The same requests go straight to one mock provider, and through a bridge (--adaptive) to another. "
        f"{CALLERS} callers retry as their clients do ({clients}), and leave after {patience:g} s without a "
        "token. A call that reached the provider and gave no caller an answer is wasted."
    )
    heading = _row("", *(("answered", "failed", "wasted"),) * 2)
    return [*textwrap.wrap(text, WIDTH), "", _SIDES_LINE, heading]


def event(seconds: float, name: str, about: str) -> list[str]:
    """Return the lines that say what begins."""
    start = f"{seconds:6.1f} s  {name.upper():9} "
    return textwrap.wrap(about, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def progress(seconds: float, sides: Iterable[Outcome]) -> str:
    """Return the line of all requests that have ended by now."""
    cells = ((str(each.answered), str(each.failed), str(each.wasted)) for each in sides)
    return _row(f"{seconds:6.1f} s", *cells)


def table(rows: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """Return the lines of all requests, by the incident in which they came."""
    lines = [_SIDES_LINE, _row("requests", *(("answered", "wasted", "longest"),) * 2)]
    lines.append(_row("that came in", *(("", "calls", "wait"),) * 2))
    for name, sides in rows.items():
        lines.append(_row(f"{name:9}{sides[0].requests:6}", *map(_cells, sides)))
    return lines


def verdict(straight: Outcome, bridge: Outcome) -> list[str]:
    """Return what the figures mean, in words."""
    return textwrap.wrap(
        f"Of {straight.requests} requests {straight.answered} were answered straight, and {bridge.answered} "
        f"through the bridge: {_compared(bridge.answered, straight.answered)}. Calls wasted: {straight.wasted} "
        f"straight, and {bridge.wasted} through the bridge: {_compared(bridge.wasted, straight.wasted)}.",
        WIDTH,
    )


def _compared(ours: int, other: int) -> str:
    if ours == other:
        return "as many"
    return f"{ours - other} more" if ours > other else f"{other - ours} fewer"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    longest = "–" if outcome.longest is None else f"{outcome.longest:.1f} s"
    return str(outcome.answered), str(outcome.wasted), longest


def _row(label: str, *sides: tuple[str, ...]) -> str:
    parts = ("".join(cell.rjust(_COLUMN) for cell in cells) for cells in sides)
    return (label.ljust(_LABEL) + (" " * _GAP).join(parts)).rstrip()
