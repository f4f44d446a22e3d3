"""docs/operate/dashboard.svg: what the queries of deploy/grafana/aibridge.json gave during incidents, as lines.

It is no screenshot: Grafana does not run here. recording.json is written by tests/real/test_prometheus.py, with
DASHBOARD_RECORDING=FILE in its environment.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

PATH = "docs/operate/dashboard.svg"
_ROOT = Path(__file__).parents[2]
_RECORDING = Path(__file__).parent / "recording.json"
_COLUMNS, _WIDTH, _HEIGHT, _GAP, _SECONDS = 4, 236, 104, 8, 60
_TOP, _LEFT, _BOTTOM = 22, 34, 16  # of a panel: its title, its scale, its legend
_MOST_LINES = 6
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#17becf")
_UNITS = {"s": "s", "percentunit": "%", "reqps": "/s", "bytes": "B", "none": ""}
_SCALES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))

Line = list[tuple[float, float]]


def generated() -> str:
    """Return the SVG's text."""
    return "\n".join([*_drawn(json.loads(_RECORDING.read_text())), ""])


def outdated(root: Path = _ROOT) -> bool:
    """Return whether the SVG is missing or differs from what the recording gives."""
    file = root / PATH
    return not file.is_file() or file.read_bytes() != generated().encode()


def write(root: Path = _ROOT) -> None:
    """Write the SVG."""
    (root / PATH).write_text(generated(), encoding="utf-8", newline="\n")


def _drawn(panels: Sequence[dict[str, Any]]) -> Iterator[str]:
    rows = math.ceil(len(panels) / _COLUMNS)
    width, height = _COLUMNS * (_WIDTH + _GAP) + _GAP, rows * (_HEIGHT + _GAP) + _GAP
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    yield f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>'
    for number, panel in enumerate(panels):
        row, column = divmod(number, _COLUMNS)
        x, y = _GAP + column * (_WIDTH + _GAP), _GAP + row * (_HEIGHT + _GAP)
        yield f'<g transform="translate({x},{y})">'
        yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff" stroke="#d8d9da"/>'
        yield f'<text x="6" y="14" font-size="9" font-weight="bold">{escape(panel["title"])}</text>'
        yield from _lines(panel["lines"], panel["unit"])
        yield "</g>"
    yield "</svg>"


def _lines(lines: dict[str, list[list[float]]], unit: str) -> Iterator[str]:
    """Yield the highest lines of a panel, its scale and its legend."""
    known = {name: [(at, value) for at, value in line if math.isfinite(value)] for name, line in lines.items()}
    shown = sorted(known.items(), key=lambda each: -_peak(each[1]))[:_MOST_LINES]
    top = max((_peak(line) for _, line in shown), default=0.0) or 1.0
    bottom = _HEIGHT - _BOTTOM
    for at, y in ((top, _TOP), (0.0, bottom)):
        style = f'x="{_LEFT - 3}" y="{y + 3}" font-size="7" text-anchor="end" fill="#666"'
        yield f"<text {style}>{_number(at, unit)}</text>"
        yield f'<path d="M{_LEFT} {y}H{_WIDTH - 6}" stroke="#eee"/>'
    x = 6.0
    for (name, line), colour in zip(shown, _COLOURS, strict=False):
        points = " ".join(
            f"{_LEFT + at / _SECONDS * (_WIDTH - _LEFT - 6):.0f},{bottom - value / top * (bottom - _TOP):.1f}"
            for at, value in line
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}"/>'
        word = name[:22] or "value"
        if x + 4 * len(word) < _WIDTH:
            yield f'<text x="{x:.0f}" y="{_HEIGHT - 5}" font-size="6.5" fill="{colour}">{escape(word)}</text>'
            x += 3.6 * len(word) + 6


def _peak(line: Line) -> float:
    return max((value for _, value in line), default=0.0)


def _number(value: float, unit: str) -> str:
    if unit == "percentunit":
        value *= 100
    for scale, letter in _SCALES:
        if value >= scale:
            return f"{value / scale:.3g}{letter}{_UNITS[unit]}"
    return f"{value:.2g}{_UNITS[unit]}" if value < 1 else f"{value:.3g}{_UNITS[unit]}"
