"""Formats metrics for scrapers, as Prometheus text or OpenMetrics. Only this module imports prometheus_client.

Formatting a line costs about 5 µs, and a scrape has two thousand lines, most of them unchanged. So the names of
lines are cached for good, and the lines of a child (one set of label values) until its value changes. A scrape
runs in pieces of about a millisecond, between which requests go on; its values are still those of one moment.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import trio
from prometheus_client import Metric, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]
# A number, or a histogram's sum and cumulative counts.
Value = float | tuple[float, tuple[int, ...]]


class Family(NamedTuple):
    """A metric with its children. `name` is without prefix and `_total`; only a histogram has `bounds`.

    Families that begin with `process_` have the name that every client library gives them, without our prefix.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    text: str
    labels: Labels
    children: Mapping[Labels, Value]
    bounds: Sequence[str] = ()

    @property
    def full_name(self) -> str:
        """The name with its prefix."""
        return self.name if self.name.startswith("process_") else f"aibridge_{self.name}"


class TextFormat(NamedTuple):
    """A text format. `escaping` is passed to the library; schemes other than `dots` do not change our names."""

    content_type: str
    open_metrics: bool = False
    escaping: str = openmetrics.ALLOWUTF8


PLAIN = TextFormat(exposition.CONTENT_TYPE_PLAIN_0_0_4)
# Maximum parts of an Accept header that are read.
_MOST_ACCEPTED = 32
_ESCAPINGS = (openmetrics.ALLOWUTF8, openmetrics.UNDERSCORES, openmetrics.DOTS, openmetrics.VALUES)
# Lines that are formatted in one piece.
_LINES = 200
# The fastest level: level 9 saves a tenth of the size for five times the time.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
# The library has no types for these.
_open_metrics: Callable[[Collector, str], bytes] = openmetrics.generate_latest
_shown: Callable[[float], str] = floatToGoString


def negotiate(accept: str) -> TextFormat:
    """Return the format that an Accept header prefers, the oldest one if it names no known format.

    https://prometheus.io/docs/instrumenting/content_negotiation/
    """
    for kind, parameters in _preferred(accept):
        version = parameters.get("version", "")
        escaping = parameters.get("escaping", openmetrics.UNDERSCORES)
        escaping = escaping if escaping in _ESCAPINGS else openmetrics.UNDERSCORES
        match kind, version:
            case "application/openmetrics-text", "1.0.0" | "":
                return _form(openmetrics.CONTENT_TYPE_LATEST, escaping, open_metrics=True)
            case "application/openmetrics-text", "0.0.1":
                return TextFormat("application/openmetrics-text; version=0.0.1; charset=utf-8", open_metrics=True)
            case "text/plain", "1.0.0":
                return _form(exposition.CONTENT_TYPE_PLAIN_1_0_0, escaping)
            case "text/plain" | "text/*" | "*/*", "" | "0.0.4":
                return PLAIN
    return PLAIN


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header permits gzip."""
    named = dict(reversed(_preferred(accept_encoding, least=0.0)))
    chosen = named.get("gzip", named.get("*"))
    return chosen is not None and _quality(chosen) > 0


class Exposition:
    """Formats families and caches their text."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[bool, str, str], _Block] = {}

    def text(self, families: Sequence[Family], form: TextFormat = PLAIN) -> bytes:
        """Return the families as text, without pauses."""
        return b"".join(self._pieces(families, form))

    async def scrape(self, families: Sequence[Family], form: TextFormat, *, gzip: bool = False) -> bytes:
        """Return the families as text; other tasks run between its pieces."""
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP) if gzip else None
        pieces = []
        for piece in self._pieces(families, form):
            pieces.append(packer.compress(piece) if packer else piece)
            await trio.lowlevel.checkpoint()
        if packer:
            pieces.append(packer.flush())
        return b"".join(pieces)

    def _pieces(self, families: Sequence[Family], form: TextFormat) -> Iterator[bytes]:
        """Yield the text; an empty piece is a pause."""
        for family in families:
            key = (form.open_metrics, form.escaping, family.name)
            block = self._blocks.get(key) or _Block({}, {}, {}, _head(family, form), b"")
            if block.children != family.children or not block.text:
                names, lines = dict(block.names), {}
                for some in _batches([labels for labels in family.children if labels not in names], family):
                    names.update(_names(family, some, form))
                    yield b""
                for labels, value in family.children.items():
                    same = block.children.get(labels) == value
                    lines[labels] = block.lines[labels] if same else _valued(names[labels], value)
                text = block.head + b"".join(lines.values())
                # Replace the block as a whole: another scrape may have replaced it during a pause.
                self._blocks[key] = block = _Block(family.children, names, lines, block.head, text)
            yield block.text
        if form.open_metrics:
            yield b"# EOF\n"


class _Block(NamedTuple):
    """A family's cached text: the values it shows, its lines without values (`names`) and with them (`lines`)."""

    children: Mapping[Labels, Value]
    names: Mapping[Labels, Sequence[bytes]]
    lines: Mapping[Labels, bytes]
    head: bytes
    text: bytes


class _Alone(Collector):
    """A collector of one family, as the library requires."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        """Yield it."""
        yield self._metric


def _names(family: Family, some: Sequence[Labels], form: TextFormat) -> dict[Labels, Sequence[bytes]]:
    """Return the lines of some children without values; these are slow to format and never change."""
    lines = _lines(family, some, form)[2:]
    each = len(lines) // len(some)
    starts = [line[: line.rindex(b" ") + 1] for line in lines]
    return {labels: starts[n * each : (n + 1) * each] for n, labels in enumerate(some)}


def _valued(names: Sequence[bytes], value: Value) -> bytes:
    """Return the lines of a child with its values."""
    # The library's order: buckets, count, sum.
    values = (*value[1], value[1][-1], value[0]) if isinstance(value, tuple) else (value,)
    numbers = [_shown(number).encode() for number in values]
    return b"".join([name + number + b"\n" for name, number in zip(names, numbers, strict=True)])


def _head(family: Family, form: TextFormat) -> bytes:
    """Return the HELP and TYPE lines."""
    return b"\n".join([*_lines(family, [], form), b""])


def _lines(family: Family, some: Sequence[Labels], form: TextFormat) -> list[bytes]:
    """Return the HELP and TYPE lines and the lines of some children."""
    alone = _Alone(_metric(family, some))
    if form.open_metrics:
        return _open_metrics(alone, form.escaping).removesuffix(b"# EOF\n").split(b"\n")[:-1]
    return exposition.generate_latest(alone, form.escaping).split(b"\n")[:-1]


def _metric(family: Family, some: Sequence[Labels]) -> Metric:
    name = family.full_name
    metric: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    if family.kind == "histogram":
        metric = HistogramMetricFamily(name, family.text, labels=family.labels)
        for labels in some:
            value = family.children[labels]
            assert isinstance(value, tuple)
            metric.add_metric(labels, list(zip(family.bounds, value[1], strict=True)), value[0])
        return metric
    metric = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(
        name, family.text, labels=family.labels
    )
    for labels in some:
        value = family.children[labels]
        assert not isinstance(value, tuple)
        metric.add_metric(labels, value)
    return metric


def _batches(children: Sequence[Labels], family: Family) -> Iterator[Sequence[Labels]]:
    size = max(1, _LINES // (len(family.bounds) + 2))
    for at in range(0, len(children), size):
        yield children[at : at + size]


def _form(content_type: str, escaping: str, *, open_metrics: bool = False) -> TextFormat:
    content_type = f"{content_type}; escaping={escaping}"
    return TextFormat(
        content_type, open_metrics, openmetrics.DOTS if escaping == openmetrics.DOTS else openmetrics.ALLOWUTF8
    )


def _preferred(header: str, least: float = 1e-9) -> list[tuple[str, dict[str, str]]]:
    """Return the parts of a header with their parameters, the most preferred first; lower-case."""
    parts = []
    for part in header.lower().split(",", _MOST_ACCEPTED)[:_MOST_ACCEPTED]:
        value, *rest = part.split(";")
        pairs = (each.partition("=") for each in rest)
        parameters = {name.strip(): text.strip().strip('"') for name, _, text in pairs}
        parts.append((value.strip(), parameters))
    parts.sort(key=lambda part: -_quality(part[1]))
    return [part for part in parts if _quality(part[1]) >= least]


def _quality(parameters: Mapping[str, str]) -> float:
    try:
        return min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        return 0.0
