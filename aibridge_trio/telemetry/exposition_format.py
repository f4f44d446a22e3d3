"""Metrics as text for scrapers, in the formats of Prometheus and OpenMetrics. prometheus_client's only door.

To format a line costs some 5 µs, and a scrape has two thousand, most of them as they were. So the names of lines
are kept for good, and the lines of a child (one set of label values) until its value changes. A scrape is cut into
pieces of about a millisecond, between which requests go on; the values are those of one moment all the same.
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
# A number, or of a histogram the sum and the cumulative counts.
Value = float | tuple[float, tuple[int, ...]]


class Family(NamedTuple):
    """A metric with all its children. `name` has neither prefix nor `_total`; `bounds` are a histogram's."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    text: str
    labels: Labels
    children: Mapping[Labels, Value]
    bounds: Sequence[str] = ()


class Form(NamedTuple):
    """A format. `escaping` is what the library is told: all schemes but `dots` leave names like ours alone."""

    content_type: str
    open_metrics: bool = False
    escaping: str = openmetrics.ALLOWUTF8


PLAIN = Form(exposition.CONTENT_TYPE_PLAIN_0_0_4)
# Parts of an Accept header that are read.
_MOST_ACCEPTED = 32
_ESCAPINGS = (openmetrics.ALLOWUTF8, openmetrics.UNDERSCORES, openmetrics.DOTS, openmetrics.VALUES)
# Lines that are formatted at once.
_LINES = 200
# The fastest level: a scrape is mostly zeros, and level 9 saves a tenth for five times the time.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
# What the library leaves without types.
_open_metrics: Callable[[Collector, str], bytes] = openmetrics.generate_latest
_shown: Callable[[float], str] = floatToGoString


def negotiate(accept: str) -> Form:
    """Return the format that an Accept header prefers, the oldest if it names none that is known.

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
                return Form("application/openmetrics-text; version=0.0.1; charset=utf-8", open_metrics=True)
            case "text/plain", "1.0.0":
                return _form(exposition.CONTENT_TYPE_PLAIN_1_0_0, escaping)
            case "text/plain" | "text/*" | "*/*", "" | "0.0.4":
                return PLAIN
    return PLAIN


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header permits gzip."""
    named = dict(reversed(_preferred(accept_encoding, least=0.0)))
    chosen = named.get("gzip", named.get("*"))
    return chosen is not None and _quality(chosen) > 0


class Exposition:
    """Formats families, and keeps what it has formatted."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[bool, str, str], _Block] = {}

    def text(self, families: Sequence[Family], form: Form = PLAIN) -> bytes:
        """Return all of it, in one go."""
        return b"".join(self._pieces(families, form))

    async def scrape(self, families: Sequence[Family], form: Form, *, gzip: bool = False) -> bytes:
        """Return all of it, and let others run meanwhile."""
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP) if gzip else None
        said = []
        for piece in self._pieces(families, form):
            said.append(packer.compress(piece) if packer else piece)
            await trio.lowlevel.checkpoint()
        if packer:
            said.append(packer.flush())
        return b"".join(said)

    def _pieces(self, families: Sequence[Family], form: Form) -> Iterator[bytes]:
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
                # Whole or not at all: another scrape may have been here during a pause.
                self._blocks[key] = block = _Block(family.children, names, lines, block.head, text)
            yield block.text
        if form.open_metrics:
            yield b"# EOF\n"


class _Block(NamedTuple):
    """What was formatted of a family, and of which values: its lines up to the values, and with them."""

    children: Mapping[Labels, Value]
    names: Mapping[Labels, Sequence[bytes]]
    lines: Mapping[Labels, bytes]
    head: bytes
    text: bytes


class _Alone(Collector):
    """One family, as the library wants to be given all of them."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        """Yield it."""
        yield self._metric


def _names(family: Family, some: Sequence[Labels], form: Form) -> dict[Labels, Sequence[bytes]]:
    """Return the lines of some children without their values: what is expensive, and never changes."""
    lines = _lines(family, some, form)[2:]
    each = len(lines) // len(some)
    starts = [line[: line.rindex(b" ") + 1] for line in lines]
    return {labels: starts[n * each : (n + 1) * each] for n, labels in enumerate(some)}


def _valued(names: Sequence[bytes], value: Value) -> bytes:
    """Return the lines of a child."""
    # The library's order: buckets, count, sum.
    values = (*value[1], value[1][-1], value[0]) if isinstance(value, tuple) else (value,)
    numbers = [_shown(number).encode() for number in values]
    return b"".join([name + number + b"\n" for name, number in zip(names, numbers, strict=True)])


def _head(family: Family, form: Form) -> bytes:
    """Return help and type."""
    return b"\n".join([*_lines(family, [], form), b""])


def _lines(family: Family, some: Sequence[Labels], form: Form) -> list[bytes]:
    """Return help, type, and the lines of some children."""
    alone = _Alone(_metric(family, some))
    if form.open_metrics:
        return _open_metrics(alone, form.escaping).removesuffix(b"# EOF\n").split(b"\n")[:-1]
    return exposition.generate_latest(alone, form.escaping).split(b"\n")[:-1]


def _metric(family: Family, some: Sequence[Labels]) -> Metric:
    name = f"aibridge_{family.name}"
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


def _form(content_type: str, escaping: str, *, open_metrics: bool = False) -> Form:
    told = f"{content_type}; escaping={escaping}"
    return Form(told, open_metrics, openmetrics.DOTS if escaping == openmetrics.DOTS else openmetrics.ALLOWUTF8)


def _preferred(header: str, least: float = 1e-9) -> list[tuple[str, dict[str, str]]]:
    """Return the parts of a header with their parameters, the most preferred first; lower-case."""
    parts = []
    for part in header.lower().split(",", _MOST_ACCEPTED)[:_MOST_ACCEPTED]:
        value, *rest = part.split(";")
        pairs = (each.partition("=") for each in rest)
        parameters = {name.strip(): said.strip().strip('"') for name, _, said in pairs}
        parts.append((value.strip(), parameters))
    parts.sort(key=lambda part: -_quality(part[1]))
    return [part for part in parts if _quality(part[1]) >= least]


def _quality(parameters: Mapping[str, str]) -> float:
    try:
        return min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        return 0.0
