"""What scrapers are sent: the format they ask for, byte for byte what the library would write, in small pieces."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client import exposition as library
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain
from prometheus_client.registry import Collector
from trio.testing import MockClock

from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.events import Finished
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.providers.openai import OPENAI
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.exposition_format import (
    PLAIN,
    Exposition,
    Family,
    TextFormat,
    accepts_gzip,
    negotiate,
)
from aibridge_trio.telemetry.metrics import Metrics
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"
OPEN = negotiate("application/openmetrics-text; version=1.0.0")
DOTS = negotiate("text/plain; version=1.0.0; escaping=dots")
# What Prometheus 3 sends by default, and before 2.49.
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
OLDEST = "text/plain; version=0.0.4; charset=utf-8"
NEWER = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", OLDEST),
        ("*/*", OLDEST),
        ("text/plain", OLDEST),
        ("text/html, application/xhtml+xml, */*;q=0.8", OLDEST),
        ("application/json", OLDEST),
        ("text/plain; version=0.0.4", OLDEST),
        ("text/plain;version=1.0.0", NEWER),
        (
            "text/plain;version=1.0.0;escaping=allow-utf-8",
            "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        ),
        (
            "text/plain;version=1.0.0;escaping=mine",
            NEWER,
        ),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        (
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
        (
            "application/openmetrics-text; version=0.0.1",
            "application/openmetrics-text; version=0.0.1; charset=utf-8",
        ),
        # A preference counts, the order does not; what has none is most preferred, what has 0 is not wanted.
        (
            "application/openmetrics-text;version=1.0.0;q=0.1, text/plain;version=0.0.4;q=0.9",
            OLDEST,
        ),
        (
            "application/openmetrics-text;version=1.0.0;q=0, text/plain;version=0.0.4;q=0.1",
            OLDEST,
        ),
        (
            "text/plain;q=0.5, Text/Plain; Version=1.0.0",
            NEWER,
        ),
        # What is not known is passed over, and nothing of it comes back.
        ("application/openmetrics-text;version=9.9.9", OLDEST),
        (
            "application/openmetrics-text;version=x, text/plain;version=1",
            OLDEST,
        ),
        ("text/plain;version=1.0.0;q=high", OLDEST),
        (";;==,,q=1", OLDEST),
    ],
)
def test_the_format_is_what_the_scraper_prefers(accept: str, content_type: str) -> None:
    """By Prometheus' rules; a header without a known format gets the oldest one."""
    assert negotiate(accept).content_type == content_type


@given(st.text(max_size=200))
def test_no_header_is_too_odd(header: str) -> None:
    """Whatever comes, there is a format, and a word about gzip."""
    assert negotiate(header).content_type.startswith(("text/plain; ", "application/openmetrics-text; "))
    assert accepts_gzip(header) in {True, False}


def test_the_rest_of_a_long_header_is_not_read() -> None:
    """Work is bounded: what stands behind the thirty-second comma has no say."""
    assert negotiate("a/b," * 31 + "text/plain;version=1.0.0").content_type.startswith("text/plain; version=1.0.0")
    assert negotiate("a/b," * 32 + "text/plain;version=1.0.0") == PLAIN


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("identity, *;q=0", False),
        ("x-gzipped", False),
    ],
)
def test_gzip_is_for_who_accepts_it(header: str, accepted: bool) -> None:
    """Named or by the star, with a quality above 0."""
    assert accepts_gzip(header) is accepted


# Byte for byte


class Registry(Collector):
    """Families, as the library wants them."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from self._metrics


def straight(families: Iterable[Family], form: TextFormat) -> bytes:
    """What the library writes of all families at once."""
    metrics: list[Metric] = []
    for family in families:
        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
        metric = kinds[family.kind](f"aibridge_{family.name}", family.text, labels=family.labels)
        for labels, value in family.children.items():
            if isinstance(value, tuple):
                metric.add_metric(labels, list(zip(family.bounds, value[1], strict=True)), value[0])
            else:
                metric.add_metric(labels, value)
        metrics.append(metric)
    write: Callable[..., bytes] = openmetrics.generate_latest if form.open_metrics else library.generate_latest
    return write(Registry(metrics), form.escaping)


NUMBERS = st.one_of(st.integers(0, 10**12), st.floats(0, 1e18))
LABELS = st.lists(st.text(max_size=8), min_size=2, max_size=2).map(tuple)
CHILDREN = st.dictionaries(LABELS, NUMBERS, max_size=6)
COUNTS = st.lists(st.integers(0, 10**9), min_size=3, max_size=3).map(sorted).map(tuple)
HISTOGRAMS = st.dictionaries(LABELS, st.tuples(st.floats(0, 1e9), COUNTS), max_size=4)


@given(st.lists(st.tuples(CHILDREN, CHILDREN, HISTOGRAMS), max_size=4), st.sampled_from([PLAIN, OPEN, DOTS]))
def test_what_is_kept_is_what_would_be_written(
    moments: list[tuple[dict[tuple[str, ...], float], ...]], form: TextFormat
) -> None:
    """Scrape after scrape, whatever comes, changes and goes, the text is the library's own."""
    kept = Exposition()
    for counters, gauges, histograms in moments:
        families = [
            Family("counter", "things", "Things.", ("a", "b_c"), counters),
            Family("gauge", "level", "A \\ level.", ("a", "b_c"), gauges),
            Family("histogram", "some_seconds", "Times.", ("a", "b_c"), histograms, ("0.5", "1.0", "+Inf")),
            Family("gauge", "single", "One.", (), {(): len(gauges)}),
        ]
        assert kept.text(families, form) == straight(families, form)


def metrics(counters: Counters) -> Metrics:
    """The metrics of a counters."""
    return Metrics(counters, Admission(Limits(), lambda: 0.0).statistics)


def test_a_provider_that_is_off_has_no_series() -> None:
    """Only configured ones have, each from the start."""
    said = metrics(Counters([OPENAI])).render().decode()
    assert {
        sample.labels["provider"]
        for family in plain(said)
        for sample in family.samples
        if "provider" in sample.labels
    } == {"openai", "none"}
    assert "anthropic" not in said


async def test_two_scrapes_at_a_time_are_each_of_one_moment(autojump_clock: MockClock) -> None:
    """Others run between the pieces, and change values; each text tells the values of its own beginning."""
    counters = Counters([OPENAI])
    told = metrics(counters)
    texts: list[tuple[int, str]] = []

    async def scrape(form: TextFormat) -> None:
        began = counters.rejects["capacity"]
        texts.append((began, (await told.scrape(form, gzip=False)).decode()))

    async with trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(scrape, (PLAIN, OPEN)[n % 2])
            await trio.lowlevel.checkpoint()
            for reason in counters.rejects:
                counters.rejects[reason] += 1
            for histogram in counters.durations.values():
                histogram.observe(1.0)
            for state in counters.requests:
                counters.requests[state] += 1
    assert len(texts) == 20
    for began, text in texts:
        parse = open_metrics if text.endswith("# EOF\n") else plain
        samples = [sample for family in parse(text) for sample in family.samples]
        values = {sample.value for sample in samples if sample.name == "aibridge_rejects_total"}
        counts = {s.value for s in samples if s.name == "aibridge_request_duration_seconds_count"}
        requests = {sample.value for sample in samples if sample.name == "aibridge_requests_total"}
        assert values == counts == requests == {began}


async def test_a_scrape_is_cut_into_pieces(autojump_clock: MockClock) -> None:
    """Others have their turn many times during one, packed or not, cold or warm."""
    told = metrics(Counters([OPENAI]))
    for packed in (False, True):
        turns = 0
        done = trio.Event()

        async def scrape(packed: bool = packed, done: trio.Event = done) -> None:
            await told.scrape(PLAIN, gzip=packed)
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(scrape)
            while not done.is_set():
                await trio.lowlevel.checkpoint()
                turns += 1
        assert turns > 20


# Through the admin listener


async def test_each_format_is_read_by_its_own_parser(autojump_clock: MockClock, network: Network) -> None:
    """What Prometheus' own libraries make of it is the same in each, packed or not."""
    async with network.bridge(circuit_breaker=True, max_concurrency=3) as bridge:
        await bridge.client.post(CHAT)
        found = []
        for accept, parse in ((PROMETHEUS_3, open_metrics), ("text/plain;version=1.0.0", plain), ("", plain)):
            for coding in ("identity", "gzip"):
                answer = await bridge.admin.get("/metrics", headers={"accept": accept, "accept-encoding": coding})
                assert answer.headers["content-type"] == negotiate(accept).content_type
                assert answer.headers.get("content-encoding", "identity") == coding
                assert answer.headers["vary"] == "accept, accept-encoding"
                families = list(parse(answer.text))
                samples = [each for family in families for each in family.samples]
                # CPU time goes on between two scrapes.
                kept = [each for each in samples if not each.name.startswith("process_")]
                found.append({(s.name, *sorted(s.labels.items())): s.value for s in kept})
    assert all(each == found[0] for each in found)
    assert found[0][("aibridge_max_concurrency",)] == 3


def steady(text: bytes) -> list[bytes]:
    """Return the lines of an exposition without those of the process, whose CPU time goes on."""
    return [line for line in text.splitlines() if not line.startswith(b"process_")]


async def test_packed_it_is_a_tenth(autojump_clock: MockClock, network: Network) -> None:
    """A scrape is mostly zeros; any gzip reads it, and HEAD announces the same length."""
    async with network.bridge() as bridge:
        headers = {"accept-encoding": "gzip"}
        async with bridge.admin.stream("GET", "/metrics", headers=headers) as answer:
            packed = b"".join([piece async for piece in answer.aiter_raw()])
        head = await bridge.admin.head("/metrics", headers=headers)
        text = (await bridge.admin.get("/metrics", headers={"accept-encoding": "identity"})).content
    assert steady(gzip.decompress(packed)) == steady(text)
    assert len(packed) < len(text) / 10
    assert int(head.headers["content-length"]) == pytest.approx(len(packed), abs=50)  # CPU time goes on


async def test_a_scrape_shows_every_change_before_it(autojump_clock: MockClock, network: Network) -> None:
    """Nothing is a moment old: each request, each transition is there in the next scrape."""
    async with network.bridge(circuit_breaker=True, circuit_breaker_failure_threshold=2) as bridge:
        for n in range(1, 4):
            await bridge.client.post(CHAT)
            assert len(bridge.published(Finished)) == n
            assert await bridge.metric("circuit_breaker_state", provider="openai") == (n >= 2)
            assert await bridge.metric("circuit_breaker_rejects_total", provider="openai") == max(0, n - 2)
        await trio.sleep(30.1)
        assert await bridge.metric("circuit_breaker_state", provider="openai") == 2
