"""Counts requests, answers, faults and waits from events. `/metrics` and `/status` read the same counters."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

from aibridge_trio.config.known_callers import NO_CLASS, KnownCallers
from aibridge_trio.config.protections import PROTECTIONS
from aibridge_trio.core.breaker.breaker import SEVERITY, State
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.core.inspection.usage import TYPES
from aibridge_trio.errors import PHASES, REASONS
from aibridge_trio.events import (
    ADMIN_REFUSALS,
    HOLD_OUTCOMES,
    OUTCOMES,
    PUSHBACK_CAUSES,
    AdminRefused,
    Answered,
    Bug,
    Faulted,
    Finished,
    FirstByte,
    Handlers,
    Held,
    Judged,
    PassedOver,
    Reloaded,
    SentAgain,
    Started,
    Transitioned,
    Waited,
    WouldReject,
)
from aibridge_trio.gateway.model_routes import PASS_CAUSES
from aibridge_trio.gateway.provider_circuits import ProviderCircuits
from aibridge_trio.providers import Provider

# Histogram bounds (seconds): from a cached answer to the longest thinking of a reasoning model.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
# Statuses that are counted from 0; any other one is added when it first occurs.
_UPSTREAM_STATUSES = (200, 400, 401, 403, 404, 429, 500, 502, 503, 504, 529)
# What becomes of spans: a collector has taken them or not, or there was no space for them.
SPAN_OUTCOMES = ("exported", "failed", "dropped")
_STATUSES = (*_UPSTREAM_STATUSES, 405, 413, 426, 499)


_Key = TypeVar("_Key")


class Histogram:
    """Counts durations by their bounds (seconds)."""

    def __init__(self, bounds: tuple[float, ...] = BUCKETS) -> None:
        self.sum = 0.0
        self.bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.sum += seconds
        self._counts[bisect_left(self.bounds, seconds)] += 1

    @property
    def count(self) -> int:
        """The number of durations."""
        return sum(self._counts)

    def add(self, other: Histogram) -> None:
        """Add the counts of another histogram with the same bounds."""
        self.sum += other.sum
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]

    def cumulative(self) -> Iterator[tuple[float | str, int]]:
        """Yield each bound with the number of durations up to it; the last bound is "+Inf"."""
        count = 0
        bounds: tuple[float | str, ...] = (*self.bounds, "+Inf")
        for bound, more in zip(bounds, self._counts, strict=True):
            count += more
            yield bound, count


class Counters:
    """Counts events. Keys are a provider, or tuples that begin with one; every known key starts at 0."""

    def __init__(self, providers: Iterable[Provider], scopes: Iterable[tuple[str, str]] = ()) -> None:
        providers, scopes = list(providers), list(scopes)
        names = [provider.name for provider in providers]
        routes = [(each.name, route.pattern) for each in providers for route in each.routes]
        pairs = [*routes, *((name, "other") for name in (*names, "none"))]
        self.requests = _zeros(
            (*pair, status) for pair in pairs for status in _STATUSES
        )  # provider, route, status
        self.rejects = _zeros(REASONS)
        # By provider, class of a known caller, and reason.
        self.provider_rejects = _zeros((name, NO_CLASS, reason) for name in (*names, "none") for reason in REASONS)
        self.would_rejects = _zeros(PROTECTIONS.values())
        self.waits = {(outcome,): Histogram() for outcome in OUTCOMES}
        self.holds = {(name, outcome): Histogram() for name in names for outcome in HOLD_OUTCOMES}
        self.sent_again = _zeros((name, cause) for name in names for cause in PUSHBACK_CAUSES)
        self.passed_over = _zeros((name, cause) for name in names for cause in PASS_CAUSES)
        self.refusals = _zeros(names)  # by an open or half-open breaker
        self.in_flight = _zeros(names)
        self.responses = _zeros((name, status) for name in names for status in _UPSTREAM_STATUSES)
        self.errors = _zeros((name, phase) for name in names for phase in PHASES)
        self.verdicts = _zeros((name, verdict) for name in names for verdict in Verdict)
        self.tokens = _zeros((name, kind) for name in names for kind in TYPES)
        self.durations = {pair: Histogram() for pair in routes}
        self.first_bytes = {pair: Histogram() for pair in routes}
        self.totals = {pair: Histogram() for pair in routes}
        self.states = dict.fromkeys(names, State.CLOSED)
        self.trips = _zeros(names)
        self.admin_refusals = _zeros(ADMIN_REFUSALS)
        # Of known callers, by class and status, and by class and type.
        self.class_requests: Counter[tuple[str, int]] = Counter()
        self.class_tokens: Counter[tuple[str, str]] = Counter()
        self.reloads = _zeros(("applied", "rejected"))
        self.bugs = 0
        self.spans = _zeros(SPAN_OUTCOMES)
        # The same by provider and scope, for providers with several breakers.
        self.scope_states = dict.fromkeys(scopes, State.CLOSED)
        self.scope_trips = _zeros(scopes)
        self.scope_refusals = _zeros(scopes)
        self.handlers: Handlers = {
            Started: self._started,
            Answered: self._answered,
            FirstByte: self._first_byte,
            Faulted: self._faulted,
            Judged: self._judged,
            Transitioned: self._transitioned,
            Waited: self._waited,
            Held: self._held,
            SentAgain: self._sent_again,
            PassedOver: self._passed_over,
            WouldReject: self._would_reject,
            Finished: self._finished,
            AdminRefused: self._admin_refused,
            Reloaded: self._reloaded,
            Bug: self._bug,
        }

    def apply(self, known: KnownCallers) -> None:
        """Let the series of each class begin at 0; those of classes before stay."""
        for name in (*known.classes, NO_CLASS) if known else ():
            self.class_requests.update({(name, status): 0 for status in _STATUSES})
            self.class_tokens.update({(name, kind): 0 for kind in TYPES})
            self.provider_rejects.update(
                {(provider, name, reason): 0 for provider in (*self.refusals, "none") for reason in REASONS}
            )

    def show(self, providers: Iterable[Provider], circuits: Iterable[ProviderCircuits]) -> None:
        """Count these providers, too, from 0; the counts stay. `circuits` are the breakers that exist now."""
        for name, series in vars(Counters(providers)).items():
            if isinstance(series, dict):
                for key, zero in series.items():
                    getattr(self, name).setdefault(key, zero)
        self.states.clear()
        self.scope_states.clear()
        for each in circuits:
            self.states[each.provider] = each.statistics().state
            for scope, circuit in each.by_scope().items():
                self.scope_states[each.provider, scope] = circuit.statistics().state
                self.scope_trips.setdefault((each.provider, scope), 0)
                self.scope_refusals.setdefault((each.provider, scope), 0)

    def _started(self, event: Started) -> None:
        self.in_flight[event.provider] += 1

    def _answered(self, event: Answered) -> None:
        self.responses[event.provider, event.status] += 1

    def _first_byte(self, event: FirstByte) -> None:
        self.first_bytes[event.provider, event.route].observe(event.seconds)

    def _faulted(self, event: Faulted) -> None:
        self.errors[event.provider, event.phase] += 1

    def _judged(self, event: Judged) -> None:
        self.verdicts[event.provider, event.verdict] += 1

    def _transitioned(self, event: Transitioned) -> None:
        provider = event.provider
        self.states[provider] = event.target
        self.trips[provider] += event.trip
        if event.scope is not None:
            self.scope_states[provider, event.scope] = event.target
            self.scope_trips[provider, event.scope] += event.trip
            of_provider = (state for (name, _), state in self.scope_states.items() if name == provider)
            self.states[provider] = max(of_provider, key=SEVERITY.index)

    def _waited(self, event: Waited) -> None:
        self.waits[event.outcome,].observe(event.seconds)

    def _held(self, event: Held) -> None:
        self.holds[event.provider, event.outcome].observe(event.seconds)

    def _sent_again(self, event: SentAgain) -> None:
        self.sent_again[event.provider, event.cause] += 1

    def _passed_over(self, event: PassedOver) -> None:
        self.passed_over[event.provider, event.cause] += 1
        self.in_flight[event.provider] -= event.started

    def _would_reject(self, event: WouldReject) -> None:
        self.would_rejects[event.reason] += 1

    def _admin_refused(self, event: AdminRefused) -> None:
        self.admin_refusals[event.cause] += 1

    def _reloaded(self, event: Reloaded) -> None:
        self.reloads["rejected" if event.mistake else "applied"] += 1

    def _bug(self, _: Bug) -> None:
        self.bugs += 1

    def _finished(self, event: Finished) -> None:
        provider = event.provider
        self.requests[provider, event.route, event.status] += 1
        class_name = (event.caller.class_name or NO_CLASS) if event.caller and event.caller.name else None
        if event.reject is not None:
            self.rejects[event.reject] += 1
            self.provider_rejects[provider, class_name or NO_CLASS, event.reject] += 1
            if event.reject == "circuit_open":
                self.refusals[provider] += 1
                if event.scope is not None:
                    self.scope_refusals[provider, event.scope] += 1
        if class_name is not None:
            self.class_requests[class_name, event.status] += 1
        if event.started:
            self.in_flight[provider] -= 1
        if event.reached_upstream and event.duration is not None:
            pair = provider, event.route
            self.durations[pair].observe(event.duration)
            self.totals[pair].observe(event.total)
            for kind, count in zip(TYPES, event.usage, strict=True):
                if count:
                    self.tokens[provider, kind] += count
                    if class_name is not None:
                        self.class_tokens[class_name, kind] += count


def _zeros(keys: Iterable[_Key]) -> Counter[_Key]:
    return Counter(dict.fromkeys(keys, 0))
