"""Sections as panels of one SVG: the share of requests served over the values, a line per scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from tools.tuning.sections import Section
from tools.tuning.work import Means

_COLOURS = ("#2f9e6e", "#d9822b", "#4a90d9", "#a06cd5", "#c9a227")
_COLUMNS, _WIDE, _HIGH = 2, 400, 232
_LEFT, _TOP, _ACROSS, _DEEP = 46, 40, 330, 110
_STEPS = 4
_STYLE = """
svg { font: 11px system-ui, sans-serif; } text { fill: #1f2933; } .title { font-weight: 600; }
path { fill: none; stroke-width: 1.5; } .grid { stroke: #d5dbe1; } .chosen { fill: #e3ebf3; }
.ground { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #d7dee6; } .grid { stroke: #38434f; } .chosen { fill: #223041; } .ground { fill: #12181f; }
}
"""


def chart(sections: Sequence[Section], found: Mapping[str, Means]) -> str:
    """Return the SVG; the chosen row is shaded."""
    rows = -(-len(sections) // _COLUMNS)
    width, height = _COLUMNS * _WIDE, 30 + rows * _HIGH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>Simulated: what is answered, by setting</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
        f'<text x="{_LEFT}" y="18">answered, in per cent of what was wanted · shaded: the default</text>',
    ]
    for number, section in enumerate(sections):
        place = f"{number % _COLUMNS * _WIDE} {30 + number // _COLUMNS * _HIGH}"
        parts += [f'<g transform="translate({place})">', *_panel(section, found[section.name]), "</g>"]
    return "\n".join([*parts, "</svg>\n"])


def _panel(section: Section, found: Means) -> Iterator[str]:
    labels = [row.label for row in section.rows]
    places = [_LEFT + _ACROSS * (number + 0.5) / len(labels) for number in range(len(labels))]
    half = _ACROSS / len(labels) / 2
    yield f'<text class="title" x="{_LEFT}" y="16">{escape(section.head.replace("`", ""))}</text>'
    at = places[labels.index(section.chosen)] - half
    yield f'<rect class="chosen" x="{at:.1f}" y="{_TOP}" width="{2 * half:.1f}" height="{_DEEP + 28}"/>'
    for step in range(_STEPS + 1):
        y = _TOP + _DEEP * step / _STEPS
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}h{_ACROSS}"/>'
        yield f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{100 - 100 * step // _STEPS}</text>'
    for label, x in zip(labels, places, strict=True):
        for line, text in enumerate(label.split(" / ")):
            y = _TOP + _DEEP + 13 + 12 * line
            yield f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{escape(text)}</text>'
    for number, scene in enumerate(section.scenes):
        colour = _COLOURS[number]
        points = [
            (x, _TOP + _DEEP * (1 - found[scene, label].share)) for x, label in zip(places, labels, strict=True)
        ]
        steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        yield f'<path d="M{steps}" stroke="{colour}"/>'
        for x, y in points:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>'
        left, line = _LEFT + _ACROSS / 2 * (number % 2), _TOP + _DEEP + 44 + 15 * (number // 2)
        yield f'<circle cx="{left:g}" cy="{line - 4}" r="4" fill="{colour}"/>'
        yield f'<text x="{left + 9:g}" y="{line}">{escape(scene)}</text>'
