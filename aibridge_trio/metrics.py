"""Every metric, once. prometheus_client's only door.

Labels come from configuration and code only, never from what a caller sends; a status is a provider's or
ours. Every child that can be known is there from the start at 0, so that a rate sees its first event.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from aibridge_trio import __version__
from aibridge_trio.admission import Statistics
from aibridge_trio.core.usage import TYPES
from aibridge_trio.core.verdict import Verdict
from aibridge_trio.errors import PHASES, REASONS
from aibridge_trio.events import (
    Answered,
    Faulted,
    Finished,
    FirstByte,
    Hears,
    Judged,
    Transitioned,
)
from aibridge_trio.providers import Provider

CONTENT_TYPE = CONTENT_TYPE_LATEST
_Metric = TypeVar("_Metric", bound=MetricWrapperBase)
# From a cache's answer to the longest that a reasoning model thinks (seconds).
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
# What is likely enough to be there at 0. Any other status of three digits gets its child when it comes.
_UPSTREAM_STATUSES = (200, 400, 401, 403, 404, 429, 500, 502, 503, 504, 529)
_STATUSES = (*_UPSTREAM_STATUSES, 405, 413, 499, 501)
_LABELS = {status: str(status) for status in range(100, 600)}


class _Series(dict[tuple[str, ...], _Metric], Generic[_Metric]):
    """The children of one family, by their labels: the library's own look-up costs five times as much."""

    def __init__(self, family: _Metric) -> None:
        self._family = family

    def __missing__(self, labels: tuple[str, ...]) -> _Metric:
        child = self[labels] = self._family.labels(*labels)
        return child


class Metrics:
    """Listens to events and keeps the series; `render` is what /metrics answers."""

    def __init__(self, providers: Iterable[Provider], admission: Callable[[], Statistics]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=True)
        providers = list(providers)
        names = [provider.name for provider in providers]
        routes = [(each.name, route.pattern) for each in providers for route in each.routes]
        unrouted = [(name, "other") for name in (*names, "none")]

        self._state = self._gauge("circuit_breaker_state", "0 closed, 1 open, 2 half-open.", "provider")
        self._trips = self._counter("circuit_breaker_trips", "Times a breaker opened by itself.", "provider")
        self._refused = self._counter(
            "circuit_breaker_rejects", "Requests refused by an open or probing breaker.", "provider"
        )
        series: _Series[Any]
        for series in (self._state, self._trips, self._refused):
            _prepare(series, ((name,) for name in names))

        self._rejects = self._counter("rejects", "Answers that the bridge gave by itself.", "reason")
        _prepare(self._rejects, ((reason,) for reason in REASONS))
        self._requests = self._counter(
            "requests", "All requests, rejects included.", "provider", "route", "status"
        )
        pairs = [*routes, *unrouted]
        _prepare(self._requests, ((*pair, str(status)) for pair in pairs for status in _STATUSES))

        self._duration = self._histogram("request_duration_seconds", "From a request to the end of its answer.")
        self._first_byte = self._histogram("time_to_first_byte_seconds", "From a request to the first body byte.")
        for histogram in (self._duration, self._first_byte):
            _prepare(histogram, routes)

        self._responses = self._counter("upstream_responses", "Answers of the providers.", "provider", "status")
        _prepare(self._responses, ((name, str(status)) for name in names for status in _UPSTREAM_STATUSES))
        self._errors = self._counter("upstream_errors", "Where the way to a provider broke.", "provider", "phase")
        _prepare(self._errors, ((name, phase) for name in names for phase in PHASES))
        self._verdicts = self._counter(
            "verdicts", "What requests said of a provider's health.", "provider", "verdict"
        )
        _prepare(self._verdicts, ((name, verdict) for name in names for verdict in Verdict))
        self._tokens = self._counter("tokens", "Tokens that the providers reported.", "provider", "type")
        _prepare(self._tokens, ((name, kind) for name in names for kind in TYPES))

        build = self._gauge("build_info", "Always 1; the labels tell.", "version", "python")
        build[__version__, platform.python_version()].set(1)
        self._registry.register(_Live(admission))
        self.hears: Hears = {
            Finished: self._finished,
            Answered: self._answered,
            FirstByte: self._first_byte_came,
            Faulted: self._faulted,
            Judged: self._judged,
            Transitioned: self._transitioned,
        }

    def render(self) -> bytes:
        """Return all series in the text exposition format."""
        return generate_latest(self._registry)

    def _answered(self, event: Answered) -> None:
        self._responses[event.provider, _label(event.status)].inc()

    def _first_byte_came(self, event: FirstByte) -> None:
        self._first_byte[event.provider, event.route].observe(event.seconds)

    def _faulted(self, event: Faulted) -> None:
        self._errors[event.provider, event.phase].inc()

    def _judged(self, event: Judged) -> None:
        self._verdicts[event.provider, event.verdict].inc()

    def _transitioned(self, event: Transitioned) -> None:
        self._state[(event.provider,)].set(event.target.number)
        self._trips[(event.provider,)].inc(event.trip)

    def _finished(self, event: Finished) -> None:
        self._requests[event.provider, event.route, _label(event.status)].inc()
        if event.reject is not None:
            self._rejects[(event.reject,)].inc()
            if event.reject == "circuit_open":
                self._refused[(event.provider,)].inc()
        if event.reached_upstream:
            self._duration[event.provider, event.route].observe(event.duration)
        for kind, count in zip(TYPES, event.usage, strict=True):
            if count:
                self._tokens[event.provider, kind].inc(count)

    def _counter(self, name: str, text: str, *labels: str) -> _Series[Counter]:
        return _Series(Counter(f"aibridge_{name}_total", text, labels, registry=self._registry))

    def _gauge(self, name: str, text: str, *labels: str) -> _Series[Gauge]:
        return _Series(Gauge(f"aibridge_{name}", text, labels, registry=self._registry))

    def _histogram(self, name: str, text: str) -> _Series[Histogram]:
        labels = ("provider", "route")
        return _Series(Histogram(f"aibridge_{name}", text, labels, buckets=BUCKETS, registry=self._registry))


class _Live(Collector):
    """What is read at the moment of the scrape."""

    def __init__(self, admission: Callable[[], Statistics]) -> None:
        self._admission = admission

    def collect(self) -> Iterator[Metric]:
        now = self._admission()
        yield GaugeMetricFamily("aibridge_requests_in_flight", "Slots taken now.", now.in_flight)
        yield GaugeMetricFamily("aibridge_max_concurrency", "Slots in all, 0 is unlimited.", now.max_concurrency)
        yield CounterMetricFamily(
            "aibridge_rate_limit_evictions", "Callers forgotten for want of room.", now.evictions
        )


def _prepare(series: _Series[Any], children: Iterable[tuple[str, ...]]) -> None:
    for labels in children:
        series[labels]


def _label(status: int) -> str:
    return _LABELS.get(status, "other")
