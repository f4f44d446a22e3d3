"""All metrics: name, help text, labels and values of each.

Label values come from configuration and code, never from a caller; a status comes from a provider or the bridge.
Every known child starts at 0, so that a rate sees its first event.
"""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from aibridge_trio import __version__
from aibridge_trio.core.adaptive.limiter import AdaptiveStats
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.admission import AdmissionStats
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.gateway.provider_circuits import ProviderCircuits
from aibridge_trio.server.connection_limit import ConnectionStats
from aibridge_trio.telemetry.counters import BUCKETS, Counters, Histogram
from aibridge_trio.telemetry.exposition_format import Exposition, Family, TextFormat
from aibridge_trio.telemetry.usage import UsageReport

_BOUNDS = (*(str(float(bound)) for bound in BUCKETS), "+Inf")
_KNOWN = range(100, 600)


class Metrics:
    """The metrics of counters, admission, breakers and listeners; `scrape` returns the body of /metrics."""

    def __init__(
        self,
        counters: Counters,
        admission: Callable[[], AdmissionStats],
        circuits: Iterable[ProviderCircuits] = (),
        lines_dropped: Callable[[], int] = lambda: 0,
        listeners: Mapping[str, Callable[[], ConnectionStats]] = MappingProxyType({}),
        *,
        lines: Iterable[AdaptiveLine] = (),
        keys: Iterable[ProviderKeys] = (),
        usage: UsageReport | None = None,
    ) -> None:
        self._lines_dropped = lines_dropped
        self._counters = counters
        self._admission = admission
        self._exposition = Exposition()
        self._listeners = listeners
        self._usage = usage or UsageReport()
        self.apply(circuits, lines, keys)

    def apply(
        self, circuits: Iterable[ProviderCircuits], lines: Iterable[AdaptiveLine], keys: Iterable[ProviderKeys]
    ) -> None:
        """Show these from now on."""
        self._circuits = tuple(circuits)
        self._lines = tuple(lines)
        self._keys = tuple(keys)

    def render(self) -> bytes:
        """Return all metrics as Prometheus text."""
        return self._exposition.text(tuple(self.collect()))

    async def scrape(self, form: TextFormat, *, gzip: bool) -> bytes:
        """Return all metrics as they are now; other tasks run while they are formatted."""
        return await self._exposition.scrape(tuple(self.collect()), form, gzip=gzip)

    def collect(self) -> Iterator[Family]:
        """Yield each family with its current values."""
        counters, now = self._counters, self._admission()
        states = {(name,): state.number for name, state in counters.states.items()}
        yield _gauge("circuit_breaker_state", "0 closed, 1 open, 2 half-open.", ("provider",), states)
        yield _counter(
            "circuit_breaker_trips", "Times a breaker opened by itself.", ("provider",), _singles(counters.trips)
        )
        yield _counter(
            "circuit_breaker_rejects",
            "Requests rejected by an open or half-open breaker.",
            ("provider",),
            _singles(counters.refusals),
        )
        yield from self._breaker_details()
        yield from self._adaptive()
        yield from self._key_pools()
        yield from self._connections()
        yield from self._usage.families()
        yield _counter(
            "rejects", "Responses that the bridge made itself.", ("reason",), _singles(counters.rejects)
        )
        would = _singles(counters.would_rejects)
        yield _counter(
            "would_reject", "Requests that protections in shadow would have rejected.", ("reason",), would
        )
        yield _counter(
            "requests", "All requests, rejects included.", ("provider", "route", "status"), counters.requests
        )
        of_route = ("provider", "route")
        yield _histogram(
            "request_duration_seconds",
            "Time at the provider until the end of the response.",
            of_route,
            counters.durations,
        )
        yield _histogram(
            "time_to_first_byte_seconds",
            "Time at the provider until the first byte of the response body.",
            of_route,
            counters.first_bytes,
        )
        yield _histogram(
            "caller_duration_seconds",
            "Time from a request's head to the end of its response, the queue included.",
            of_route,
            counters.totals,
        )
        yield _counter(
            "upstream_responses", "Responses of the providers.", ("provider", "status"), counters.responses
        )
        yield _counter(
            "upstream_errors", "Faults on the way to a provider, by phase.", ("provider", "phase"), counters.errors
        )
        yield _counter(
            "verdicts",
            "Requests by what they show of the provider's health.",
            ("provider", "verdict"),
            counters.verdicts,
        )
        yield _counter(
            "route_passed_over",
            "Requests of a model route that went to another provider, by why they did not go to this one.",
            ("provider", "cause"),
            counters.passed_over,
        )
        by_class = counters.class_requests
        yield _counter("class_requests", "Requests of known callers.", ("class", "status"), by_class)
        yield _counter("class_tokens", "Tokens of known callers.", ("class", "type"), counters.class_tokens)
        yield _counter("tokens", "Tokens that the providers reported.", ("provider", "type"), counters.tokens)
        build = {(__version__, platform.python_version()): 1}
        yield _gauge("build_info", "Always 1; the labels have the versions.", ("version", "python"), build)
        yield _gauge("requests_in_flight", "Slots in use.", (), {(): now.in_flight})
        limits = now.limits
        yield _gauge("max_concurrency", "Slots of all callers, 0 is unlimited.", (), {(): limits.max_concurrency})
        per_caller, per_provider = {(): limits.per_caller}, {(): limits.per_provider}
        yield _gauge("max_concurrency_per_caller", "Slots of one caller, 0 is unlimited.", (), per_caller)
        yield _gauge("max_concurrency_per_provider", "Slots to one provider, 0 is unlimited.", (), per_provider)
        yield _gauge("queue_size", "Maximum requests in the queue, 0 is no queue.", (), {(): limits.queue_size})
        yield _gauge("queue_waiting", "Requests in the queue.", (), {(): now.queue.waiting})
        yield _histogram(
            "queue_wait_seconds", "Time in the queue, by how the wait ended.", ("outcome",), counters.waits
        )
        yield _counter(
            "bugs", "Bugs of the bridge, each contained to one request and logged.", (), {(): counters.bugs}
        )
        refused = _singles(counters.admin_refusals)
        yield _counter("admin_refused", "Requests refused by the admin listener.", ("cause",), refused)
        yield _counter("reloads", "Times the configuration was reread.", ("outcome",), _singles(counters.reloads))
        dropped = {(): self._lines_dropped()}
        yield _counter("log_lines_dropped", "Log lines that could not be written to stderr.", (), dropped)
        yield _counter(
            "rate_limit_evictions",
            "Callers removed from the rate limiter to bound its memory.",
            (),
            {(): now.evictions},
        )

    def _connections(self) -> Iterator[Family]:
        """Yield the families of the listeners' connections."""
        found = {name: statistics() for name, statistics in self._listeners.items()}
        opened = {(name,): each.connections for name, each in found.items()}
        yield _gauge("connections", "Open connections.", ("listener",), opened)
        refused = {(name, cause): count for name, each in found.items() for cause, count in each.causes.items()}
        yield _counter("connections_refused", "Connections that were refused.", ("listener", "cause"), refused)

    def _breaker_details(self) -> Iterator[Family]:
        """Yield the families of ramps, breaker scopes and key cooldowns."""
        counters = self._counters
        shares = {(each.provider,): each.statistics().share for each in self._circuits}
        yield _gauge(
            "circuit_breaker_ramp_share",
            "Share of requests that the ramp admits, 1 without a ramp.",
            ("provider",),
            shares,
        )
        of_scope = ("provider", "scope")
        states = {scope: state.number for scope, state in counters.scope_states.items()}
        yield _gauge("circuit_breaker_scope_state", "0 closed, 1 open, 2 half-open.", of_scope, states)
        yield _counter(
            "circuit_breaker_scope_trips",
            "Times a breaker opened by itself, by scope.",
            of_scope,
            counters.scope_trips,
        )
        yield _counter(
            "circuit_breaker_scope_rejects",
            "Requests rejected by an open or half-open breaker, by scope.",
            of_scope,
            counters.scope_refusals,
        )
        resting = {(each.provider,): keys for each in self._circuits if (keys := each.key_cooldowns())}
        yield _gauge(
            "credentials_resting",
            "Callers' keys in cooldown.",
            ("provider",),
            {name: keys.resting for name, keys in resting.items()},
        )
        yield _counter(
            "credential_cooldowns",
            "Cooldowns of callers' keys.",
            ("provider",),
            {name: keys.total for name, keys in resting.items()},
        )

    def _key_pools(self) -> Iterator[Family]:
        """Yield the families of providers' keys."""
        found = {each.provider: Counter(key.state for key in each.statistics()) for each in self._keys}
        states = {(name, state.value): counts[state] for name, counts in found.items() for state in KeyState}
        yield _gauge("keys", "The bridge's keys for a provider, by state.", ("provider", "state"), states)
        rests = {(each.provider,): each.pool.rests for each in self._keys}
        yield _counter("key_rests", "Rests of the bridge's keys that began.", ("provider",), rests)

    def _adaptive(self) -> Iterator[Family]:
        """Yield the families of the adaptive limiters; without them they have no children."""
        counters = self._counters
        found = {(line.provider,): line.limiter.statistics(line.clock()) for line in self._lines}
        gauges: tuple[tuple[str, str, Callable[[AdaptiveStats], float]], ...] = (
            ("bound", "Learned limit of requests in flight, +Inf without.", lambda now: now.governor.bound),
            ("window", "Learned limit of requests whose answer has not begun.", lambda now: now.governor.window),
            ("outage", "1 during an outage of the provider.", lambda now: now.governor.outage),
            ("held", "Requests that are held.", lambda now: now.held),
            ("held_callers", "Callers with held requests.", lambda now: now.callers),
            ("resend_budget", "Requests that may be sent again now.", lambda now: now.budget),
        )
        for name, text, value in gauges:
            children = {provider: value(stats) for provider, stats in found.items()}
            yield _gauge(f"adaptive_{name}", text, ("provider",), children)
        paces = {
            (*provider, kind): stats.governor.pace if stats.governor.by_tokens == (kind == "tokens") else math.inf
            for provider, stats in found.items()
            for kind in ("requests", "tokens")
        }
        yield _gauge(
            "adaptive_pace", "Learned rate of a quota per second, +Inf without.", ("provider", "quota"), paces
        )
        yield _counter(
            "adaptive_pushbacks",
            "Requests that the provider pushed back.",
            ("provider",),
            {provider: stats.pushbacks for provider, stats in found.items()},
        )
        yield _counter(
            "adaptive_unfunded",
            "Pushbacks that went to the caller for want of budget.",
            ("provider",),
            {provider: stats.unfunded for provider, stats in found.items()},
        )
        yield _counter(
            "adaptive_sent_again",
            "Requests that were sent again, by what pushed them back.",
            ("provider", "cause"),
            {pair: count for pair, count in counters.sent_again.items() if pair[:1] in found},
        )
        yield _histogram(
            "adaptive_hold_seconds",
            "Time that requests were held, by how that ended.",
            ("provider", "outcome"),
            {pair: holds for pair, holds in counters.holds.items() if pair[:1] in found},
        )


# A child's label values; numbers are HTTP statuses.
_Labels = TypeVar("_Labels", bound=tuple[str | int, ...])


def _counter(name: str, text: str, labels: Iterable[str], children: Mapping[_Labels, int]) -> Family:
    sums: Counter[tuple[str, ...]] = Counter()
    for values, count in children.items():
        sums[tuple(map(_label, values))] += count
    return Family("counter", name, text, tuple(labels), dict(sums))


def _gauge(name: str, text: str, labels: Iterable[str], children: Mapping[_Labels, float]) -> Family:
    now = {tuple(map(_label, values)): number for values, number in children.items()}
    return Family("gauge", name, text, tuple(labels), now)


def _histogram(name: str, text: str, labels: Iterable[str], children: Mapping[_Labels, Histogram]) -> Family:
    now = {
        tuple(map(_label, words)): (histogram.sum, tuple(count for _, count in histogram.cumulative()))
        for words, histogram in children.items()
    }
    return Family("histogram", name, text, tuple(labels), now, _BOUNDS)


def _singles(counts: Mapping[str, int]) -> dict[tuple[str], int]:
    return {(name,): count for name, count in counts.items()}


def _label(value: str | int) -> str:
    """Return a label value; a status outside of 100 to 599, which a provider may send, is `other`."""
    return str(value) if isinstance(value, str) or value in _KNOWN else "other"
