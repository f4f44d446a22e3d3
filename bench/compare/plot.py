"""Two kinds of pictures, as SVG: bars on a logarithmic scale, and lines over one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from bench.compare.readings import short

_COLOURS = ("#0b6e4f", "#c05621", "#2b6cb0", "#6b46c1", "#718096", "#b7791f")
_FONT = 'font-family="system-ui, sans-serif" font-size="13"'
_WIDTH, _LEFT, _RIGHT, _TOP = 720, 80, 130, 44
_SPAN = _WIDTH - _LEFT - _RIGHT
_BAR, _GAP = 22, 8
_HEIGHT = 320


def bars(title: str, values: Mapping[str, float], *, unit: str, own: Collection[str]) -> str:
    """Return a bar a name, the longest value rightmost; `own` are drawn in the first colour."""
    low = floor(log10(min(values.values())) - 0.3)
    high = ceil(log10(max(values.values())))
    parts = []
    for row, (name, value) in enumerate(values.items()):
        top = _TOP + row * (_BAR + _GAP)
        width = _SPAN * (log10(value) - low) / (high - low)
        colour = _COLOURS[0] if name in own else _COLOURS[4]
        parts += [
            _text(_LEFT - 8, top + 16, name, anchor="end"),
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>',
            _text(_LEFT + width + 6, top + 16, f"{short(value)} {unit}"),
        ]
    return _picture(title, parts, _TOP + len(values) * (_BAR + _GAP) + 8)


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]], *, across: str) -> str:
    """Return a line a name: x on a logarithmic scale, y between 0 and 1 in percent."""
    steps = sorted({x for line in series.values() for x, _ in line})
    left, right = log10(steps[0]), log10(steps[-1])
    bottom = _HEIGHT - 56

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + _SPAN * (log10(x) - left) / (right - left), bottom - (bottom - _TOP) * y

    parts = [_text(_LEFT, bottom + 42, across)]
    for level in (0, 0.5, 1):
        _, y = at(steps[0], level)
        parts.append(f'<path d="M {_LEFT} {y:.1f} h {_SPAN}" stroke="#cbd5e0" stroke-dasharray="4 4"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{level:.0%}", anchor="end"))
    parts += [_text(at(x, 0)[0], bottom + 22, f"{x:g} ×", anchor="middle") for x in steps]
    for colour, (name, line) in zip(_COLOURS, series.items(), strict=False):
        places = [at(*point) for point in line]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        end_x, end_y = places[-1]
        parts.append(_text(end_x + 8, end_y - 4, name))
        parts.append(_text(end_x + 8, end_y + 12, f"{line[-1][1]:.0%}"))
    return _picture(title, parts, _HEIGHT)


def _picture(title: str, parts: Sequence[str], height: int) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" {_FONT}>'
    # Its own ground: pages may be dark.
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, _text(12, 20, title), *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#1a202c">{escape(text)}</text>'
