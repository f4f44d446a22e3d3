"""All metrics: name, help text, labels and values of each.

Label values come from configuration and code, never from a caller; a status comes from a provider or the bridge.
Every known child starts at 0, so that a rate sees its first event.
"""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from aibridge_trio import __version__
from aibridge_trio.core.adaptive.limiter import AdaptiveStats
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.admission import AdmissionStats
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.gateway.provider_circuits import ProviderCircuits
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.exposition_format import Exposition, Family, TextFormat
from aibridge_trio.telemetry.families import counter, gauge, histogram, singles
from aibridge_trio.telemetry.process_report import ProcessReport
from aibridge_trio.telemetry.provider_gauges import ProviderGauges
from aibridge_trio.telemetry.sharing_report import SharingReport
from aibridge_trio.telemetry.usage import UsageReport


class Metrics:
    """The metrics of counters, admission, breakers and the process; `scrape` returns the body of /metrics."""

    def __init__(
        self,
        counters: Counters,
        admission: Callable[[], AdmissionStats],
        circuits: Iterable[ProviderCircuits] = (),
        *,
        process: ProcessReport | None = None,
        providers: ProviderGauges | None = None,
        lines: Iterable[AdaptiveLine] = (),
        keys: Iterable[ProviderKeys] = (),
        usage: UsageReport | None = None,
        sharing: SharingReport | None = None,
    ) -> None:
        self._counters = counters
        self._process = process or ProcessReport(counters)
        self._providers = providers or ProviderGauges(counters, lambda: 0.0)
        self._admission = admission
        self._exposition = Exposition()
        self._usage = usage or UsageReport()
        self._sharing = sharing or SharingReport()
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
        yield gauge("circuit_breaker_state", "0 closed, 1 open, 2 half-open.", ("provider",), states)
        yield counter(
            "circuit_breaker_trips", "Times a breaker opened by itself.", ("provider",), singles(counters.trips)
        )
        yield counter(
            "circuit_breaker_rejects",
            "Requests rejected by an open or half-open breaker.",
            ("provider",),
            singles(counters.refusals),
        )
        yield from self._breaker_details()
        yield from self._adaptive()
        yield from self._key_pools()
        yield from self._providers.families()
        yield from self._usage.families()
        yield from self._sharing.families()
        yield counter("rejects", "Responses that the bridge made itself.", ("reason",), singles(counters.rejects))
        yield counter(
            "provider_rejects",
            "Responses that the bridge made itself, by provider and by class of a known caller.",
            ("provider", "class", "reason"),
            counters.provider_rejects,
        )
        would = singles(counters.would_rejects)
        yield counter(
            "would_reject", "Requests that protections in shadow would have rejected.", ("reason",), would
        )
        yield counter(
            "requests", "All requests, rejects included.", ("provider", "route", "status"), counters.requests
        )
        of_route = ("provider", "route")
        yield histogram(
            "request_duration_seconds",
            "Time at the provider until the end of the response.",
            of_route,
            counters.durations,
        )
        yield histogram(
            "time_to_first_byte_seconds",
            "Time at the provider until the first byte of the response body.",
            of_route,
            counters.first_bytes,
        )
        yield histogram(
            "caller_duration_seconds",
            "Time from a request's head to the end of its response, the queue included.",
            of_route,
            counters.totals,
        )
        yield counter(
            "upstream_responses", "Responses of the providers.", ("provider", "status"), counters.responses
        )
        yield counter(
            "upstream_errors", "Faults on the way to a provider, by phase.", ("provider", "phase"), counters.errors
        )
        yield counter(
            "verdicts",
            "Requests by what they show of the provider's health.",
            ("provider", "verdict"),
            counters.verdicts,
        )
        again = counters.sent_again
        text = "Requests that were sent again, held or with another key, by what pushed them back."
        yield counter("sent_again", text, ("provider", "cause"), again)
        yield counter(
            "route_passed_over",
            "Requests of a model route that went to another provider, by why they did not go to this one.",
            ("provider", "cause"),
            counters.passed_over,
        )
        by_class = counters.class_requests
        yield counter("class_requests", "Requests of known callers.", ("class", "status"), by_class)
        yield counter("class_tokens", "Tokens of known callers.", ("class", "type"), counters.class_tokens)
        yield counter("tokens", "Tokens that the providers reported.", ("provider", "type"), counters.tokens)
        build = {(__version__, platform.python_version()): 1}
        yield gauge("build_info", "Always 1; the labels have the versions.", ("version", "python"), build)
        yield gauge("requests_in_flight", "Slots in use.", (), {(): now.in_flight})
        limits = now.limits
        yield gauge("max_concurrency", "Slots of all callers, 0 is unlimited.", (), {(): limits.max_concurrency})
        per_caller, per_provider = {(): limits.per_caller}, {(): limits.per_provider}
        yield gauge("max_concurrency_per_caller", "Slots of one caller, 0 is unlimited.", (), per_caller)
        yield gauge("max_concurrency_per_provider", "Slots to one provider, 0 is unlimited.", (), per_provider)
        yield gauge("queue_size", "Maximum requests in the queue, 0 is no queue.", (), {(): limits.queue_size})
        yield gauge("queue_waiting", "Requests in the queue.", (), {(): now.queue.waiting})
        yield histogram(
            "queue_wait_seconds", "Time in the queue, by how the wait ended.", ("outcome",), counters.waits
        )
        yield counter(
            "bugs", "Bugs of the bridge, each contained to one request and logged.", (), {(): counters.bugs}
        )
        spans = singles(counters.spans)
        yield counter("otel_spans", "Spans for --otel-endpoint, by what became of them.", ("outcome",), spans)
        yield from self._process.families()
        yield counter(
            "rate_limit_evictions",
            "Callers removed from the rate limiter to bound its memory.",
            (),
            {(): now.evictions},
        )

    def _breaker_details(self) -> Iterator[Family]:
        """Yield the families of ramps, breaker scopes and key cooldowns."""
        counters = self._counters
        shares = {(each.provider,): each.statistics().share for each in self._circuits}
        yield gauge(
            "circuit_breaker_ramp_share",
            "Share of requests that the ramp admits, 1 without a ramp.",
            ("provider",),
            shares,
        )
        of_scope = ("provider", "scope")
        states = {scope: state.number for scope, state in counters.scope_states.items()}
        yield gauge("circuit_breaker_scope_state", "0 closed, 1 open, 2 half-open.", of_scope, states)
        yield counter(
            "circuit_breaker_scope_trips",
            "Times a breaker opened by itself, by scope.",
            of_scope,
            counters.scope_trips,
        )
        yield counter(
            "circuit_breaker_scope_rejects",
            "Requests rejected by an open or half-open breaker, by scope.",
            of_scope,
            counters.scope_refusals,
        )
        resting = {(each.provider,): keys for each in self._circuits if (keys := each.key_cooldowns())}
        yield gauge(
            "credentials_resting",
            "Callers' keys in cooldown.",
            ("provider",),
            {name: keys.resting for name, keys in resting.items()},
        )
        yield counter(
            "credential_cooldowns",
            "Cooldowns of callers' keys.",
            ("provider",),
            {name: keys.total for name, keys in resting.items()},
        )

    def _key_pools(self) -> Iterator[Family]:
        """Yield the families of providers' keys."""
        found = {each.provider: Counter(key.state for key in each.statistics()) for each in self._keys}
        states = {(name, state.value): counts[state] for name, counts in found.items() for state in KeyState}
        yield gauge("keys", "The bridge's keys for a provider, by state.", ("provider", "state"), states)
        rests = {(each.provider,): each.pool.rests for each in self._keys}
        yield counter("key_rests", "Rests of the bridge's keys that began.", ("provider",), rests)

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
            yield gauge(f"adaptive_{name}", text, ("provider",), children)
        paces = {
            (*provider, kind): stats.governor.pace if stats.governor.by_tokens == (kind == "tokens") else math.inf
            for provider, stats in found.items()
            for kind in ("requests", "tokens")
        }
        yield gauge(
            "adaptive_pace", "Learned rate of a quota per second, +Inf without.", ("provider", "quota"), paces
        )
        yield counter(
            "adaptive_pushbacks",
            "Requests that the provider pushed back.",
            ("provider",),
            {provider: stats.pushbacks for provider, stats in found.items()},
        )
        yield counter(
            "adaptive_unfunded",
            "Pushbacks that went to the caller for want of budget.",
            ("provider",),
            {provider: stats.unfunded for provider, stats in found.items()},
        )
        yield counter(
            "adaptive_sent_again",
            "Requests that were sent again, by what pushed them back.",
            ("provider", "cause"),
            {pair: count for pair, count in counters.sent_again.items() if pair[:1] in found},
        )
        yield histogram(
            "adaptive_hold_seconds",
            "Time that requests were held, by how that ended.",
            ("provider", "outcome"),
            {pair: holds for pair, holds in counters.holds.items() if pair[:1] in found},
        )
