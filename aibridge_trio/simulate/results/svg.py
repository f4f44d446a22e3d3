"""The curves of scenarios side by side, as one SVG for dark and light pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from aibridge_trio.simulate.plan import Played
from aibridge_trio.simulate.results.outcome import Outcome

_COLOURS = ("#2f9e6e", "#d9822b", "#4a90d9", "#a06cd5", "#c9a227", "#d64f7f", "#5aa9a4", "#8a94a6")
_STATES = {"open": "#d64545", "half-open": "#e0b100"}
# Points of the moving average: a few seconds, against noise.
_SMOOTH = 5
_COLUMNS = 3
_LEFT, _RIGHT, _TOP, _GAP = 44, 16, 42, 22
_HIGH, _BAND = 90, 8
# Plain rules, no variables: some SVG viewers support no more.
_STYLE = """
svg { font: 11px system-ui, sans-serif; } text { fill: #1f2933; } .title { font-weight: 600; }
path { fill: none; stroke-width: 1.5; } .grid { stroke: #d5dbe1; } .shade { fill: #f3e4e4; }
.ground { fill: #ffffff; } .wanted { stroke: #1f2933; stroke-width: 1; stroke-dasharray: 2 2; }
.wait { stroke-width: 1; stroke-dasharray: 4 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #d7dee6; } .grid { stroke: #38434f; } .shade { fill: #35252a; } .ground { fill: #12181f; }
  .wanted { stroke: #d7dee6; }
}
"""


def draw(plays: Sequence[Played]) -> str:
    """Return small multiples: a panel per scenario, a colour per variant."""
    columns = min(_COLUMNS, len(plays)) or 1
    wide = 1 if columns == _COLUMNS else 2
    points = max((len(each.curves.goodput) for played in plays for each in played.outcomes), default=1)
    most = max((len(played.outcomes) for played in plays), default=0)
    width = _LEFT + points * wide + _RIGHT
    height = _TOP + 2 * (_HIGH + _GAP) + most * _BAND + _GAP
    names = [outcome.name for outcome in plays[0].outcomes] if plays else []
    top = 40 + 16 * len(names)
    total = (width * columns, top + height * -(-len(plays) // columns))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total[0]} {total[1]}" role="img">',
        f"<title>Simulated: {escape(', '.join(played.scenario.name for played in plays))}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{total[0]}" height="{total[1]}"/>',
        *_legend(names),
    ]
    for number, played in enumerate(plays):
        place = (number % columns * width, top + number // columns * height)
        parts.append(f'<g transform="translate({place[0]} {place[1]})">')
        parts += _panel(played, wide, points)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>\n"])


def _legend(names: Sequence[str]) -> Iterator[str]:
    told = "dotted: wanted · dashed: waiting at the bridge · bands: breaker open (red), half-open (yellow)"
    yield f'<text x="{_LEFT}" y="18">{told} · shaded: trouble</text>'
    for number, name in enumerate(names):
        y = 36 + 16 * number
        yield f'<path d="M{_LEFT} {y - 4}h20" stroke="{_colour(number)}"/>'
        yield f'<text x="{_LEFT + 26}" y="{y}">{escape(name)}</text>'


def _panel(played: Played, wide: int, points: int) -> Iterator[str]:
    scenario, outcomes = played.scenario, played.outcomes
    across = points * wide
    low = _TOP + _HIGH + _GAP
    bands = low + _HIGH + 10
    yield f'<text class="title" x="{_LEFT}" y="16">{escape(scenario.name)}</text>'
    for start, end in scenario.troubles:
        left = _LEFT + across * start / scenario.duration
        right = _LEFT + across * min(1.0, end / scenario.duration)
        high = bands + _BAND * len(outcomes) - _TOP
        yield f'<rect class="shade" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" height="{high}"/>'
    wanted = _smooth(outcomes[0].curves.wanted) if outcomes else []
    good = [_smooth(each.curves.goodput) for each in outcomes]
    yield from _axis("answers/s", _TOP, across, top := _most([wanted, *good]))
    yield _line(wanted, top, _TOP, wide, 'class="wanted"')
    # The first variant is drawn last, on top.
    for number, line in reversed(list(enumerate(good))):
        yield _line(line, top, _TOP, wide, f'stroke="{_colour(number)}"')
    flying: list[Sequence[float]] = [each.curves.in_flight for each in outcomes]
    waiting: list[Sequence[float]] = [each.curves.waiting for each in outcomes]
    yield from _axis("in flight at the provider", low, across, top := _most([*flying, *waiting]))
    for number, (calls, dashed) in reversed(list(enumerate(zip(flying, waiting, strict=True)))):
        yield _line(calls, top, low, wide, f'stroke="{_colour(number)}"')
        if any(dashed):
            yield _line(dashed, top, low, wide, f'class="wait" stroke="{_colour(number)}"')
    for number, outcome in enumerate(outcomes):
        yield from _states(outcome, bands + number * _BAND, wide, number)


def _axis(name: str, top: int, across: int, most: float) -> Iterator[str]:
    yield f'<path class="grid" d="M{_LEFT} {top}h{across}M{_LEFT} {top + _HIGH}h{across}"/>'
    yield f'<text x="{_LEFT - 5}" y="{top + 9}" text-anchor="end">{most:g}</text>'
    yield f'<text x="{_LEFT - 5}" y="{top + _HIGH}" text-anchor="end">0</text>'
    yield f'<text x="{_LEFT + 3}" y="{top - 4}">{name}</text>'


def _line(values: Sequence[float], most: float, top: int, wide: int, how: str) -> str:
    heights = [top + _HIGH - round(_HIGH * min(1.0, value / most)) for value in values]
    if not heights:
        return ""
    steps = "".join(f"l{wide} {after - before}" for before, after in pairwise(heights))
    return f'<path {how} d="M{_LEFT} {heights[0]}{steps}"/>'


def _states(outcome: Outcome, top: int, wide: int, number: int) -> Iterator[str]:
    """A band of the breaker's states over time."""
    yield f'<rect x="{_LEFT - 8}" y="{top}" width="5" height="{_BAND - 2}" fill="{_colour(number)}"/>'
    states = [*outcome.curves.state, ""]
    since = 0
    for at in range(1, len(states)):
        if states[at] == states[since]:
            continue
        if colour := _STATES.get(states[since]):
            size = f'width="{(at - since) * wide}" height="{_BAND - 2}"'
            yield f'<rect x="{_LEFT + since * wide}" y="{top}" {size} fill="{colour}"/>'
        since = at


def _smooth(values: Sequence[float]) -> list[float]:
    half = _SMOOTH // 2
    parts = [values[max(0, at - half) : at + half + 1] for at in range(len(values))]
    return [sum(part) / len(part) for part in parts]


def _most(lines: Sequence[Sequence[float]]) -> float:
    """A round number that is at least the maximum."""
    most = max((max(line, default=0.0) for line in lines), default=0.0)
    size = 1.0
    while size < most:
        size *= 10
    return next((size * part / 10 for part in (1, 2, 3, 4, 5, 6, 8) if size * part / 10 >= most), size)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
