"""One provider's part of the status document: its breaker, its adaptive limiter, its answers and their times."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from aibridge_trio.core.breaker import key_cooldowns
from aibridge_trio.core.breaker.breaker import BreakerStats
from aibridge_trio.core.breaker.overriding import Override
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.core.inspection.usage import TYPES
from aibridge_trio.core.key_pool import KeyStats
from aibridge_trio.errors import PHASES
from aibridge_trio.events import HOLD_OUTCOMES, PUSHBACK_CAUSES
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.telemetry.counters import Counters, Histogram
from aibridge_trio.telemetry.provider_health import ProviderHealth


class ProviderStatus:
    """Makes the parts about providers, from counters, health and the statistics of breakers and limiters."""

    def __init__(self, counters: Counters, health: ProviderHealth, clock: Callable[[], float]) -> None:
        self._counters = counters
        self._health = health
        self._clock = clock

    def document(self, backend: Backend, limit: int) -> dict[str, Any]:
        """Return the part about one backend, to which at most `limit` requests may be in flight."""
        name, counters = backend.name, self._counters
        # Held requests count as in flight for the events, and are not at the provider.
        held = backend.adaptive.waiting if backend.adaptive else 0
        unanswered, unanswered_for = self._health.unanswered(name)
        unanswered = max(0, unanswered - held)
        responses = {status: count for (provider, status), count in counters.responses.items() if provider == name}
        return {
            "name": name,
            "type": backend.provider.api,
            "in_flight": max(0, counters.in_flight[name] - held),
            "unanswered": unanswered,
            "unanswered_for_s": rounded(unanswered_for) if unanswered else None,
            "limit": limit,
            "breaker": self.breaker(backend),
            "adaptive": self._adaptive(backend.adaptive) if backend.adaptive else None,
            "keys": [_key(key) for key in backend.key_statistics()],
            "upstream": {
                "responses": keyed(responses),
                "errors": {phase: counters.errors[name, phase] for phase in PHASES},
            },
            "ttfb_s": distribution(_of_provider(name, counters.first_bytes)),
            "tokens": {kind: counters.tokens[name, kind] for kind in TYPES},
            "duration_s": distribution(_of_provider(name, counters.durations)),
            "total_s": distribution(_of_provider(name, counters.totals)),
        }

    def breaker(self, backend: Backend) -> dict[str, Any]:
        """Return the part about one backend's breaker."""
        circuits = backend.circuits
        breaker = circuits.statistics()
        name, counters = backend.name, self._counters
        policy = circuits.rules.policy
        return {
            "enabled": circuits.enabled,
            "mode": breaker.mode,
            "override": self._override(circuits.overriding.present),
            **self._state(name, None, breaker),
            "threshold": policy.threshold if policy else None,
            "failure_share": policy.failure_share if policy else None,
            "max_probes": policy.max_probes if policy else None,
            "rejects": counters.refusals[name],
            "verdicts": {verdict: counters.verdicts[name, verdict] for verdict in Verdict},
            "scope": circuits.rules.scope,
            "scopes": [
                {
                    "name": scope,
                    **self._state(name, scope, circuit.statistics()),
                    "rejects": counters.scope_refusals[name, scope],
                }
                for scope, circuit in circuits.by_scope().items()
            ],
            "credentials": _resting(circuits.key_cooldowns()),
        }

    def _state(self, provider: str, scope: str | None, breaker: BreakerStats) -> dict[str, Any]:
        return {
            "state": breaker.state,
            "since_s": round(max(0.0, self._clock() - breaker.since), 3),
            "cooldown_left_s": rounded(breaker.cooldown_left),
            "cooldown_s": rounded(breaker.cooldown),
            "failures_in_window": breaker.failures_in_window,
            "failure_share_in_window": rounded(breaker.failure_share),
            "probes": breaker.probes,
            "trips": breaker.trips,
            "in_a_row": breaker.in_a_row,
            "share": round(breaker.share, 3),
            "because": self._health.because(provider, scope, breaker.state),
        }

    def _override(self, override: Override | None) -> dict[str, Any] | None:
        if override is None:
            return None
        now = self._clock()
        return {
            "mode": override.mode,
            "reason": override.reason,
            "by": override.by,
            "since_s": round(max(0.0, now - override.since), 3),
            "left_s": _finite(max(0.0, override.until - now)),
        }

    def _adaptive(self, line: AdaptiveLine) -> dict[str, Any]:
        stats, counters, name = line.limiter.statistics(self._clock()), self._counters, line.provider
        governor = stats.governor
        pushback = {"cause": governor.cause, "level": governor.cause_level, "ago_s": rounded(governor.ago)}
        return {
            "active": governor.active,
            "in_flight": governor.level,
            "starts": governor.starts,
            "bound": _finite(governor.bound),
            "window": _finite(governor.window),
            "pace_per_s": _finite(governor.pace),
            "by_tokens": governor.by_tokens,
            "paced_keys": stats.paced_keys,
            "background": round(governor.background, 3),
            "outage": governor.outage,
            "resumes_in_s": round(governor.resumes_in, 3),
            "pushback": None if governor.cause is None else pushback,
            "held": stats.held,
            "callers": stats.callers,
            "answers_per_s": round(stats.rate, 3),
            "pushbacks": stats.pushbacks,
            "sent_again": sum(counters.sent_again[name, cause] for cause in PUSHBACK_CAUSES),
            "unfunded": stats.unfunded,
            "budget": round(stats.budget, 3),
            "holds": {outcome: counters.holds[name, outcome].count for outcome in HOLD_OUTCOMES},
            "held_s": distribution(counters.holds[name, "sent"]),
        }


def _key(key: KeyStats) -> dict[str, Any]:
    return {"label": key.label, "state": key.state.value, "in_use": key.in_use, "left_s": round(key.left, 3)}


def rounded(number: float | None) -> float | None:
    """Return a number with three decimals, None for None."""
    return None if number is None else round(number, 3)


def distribution(histogram: Histogram) -> dict[str, Any]:
    """Return a histogram as the document has it."""
    buckets = {str(bound): count for bound, count in histogram.cumulative()}
    return {"buckets": buckets, "sum": round(histogram.sum, 6), "count": histogram.count}


def keyed(counts: Mapping[int, int]) -> dict[str, int]:
    """Return counts by status, without zeros."""
    return {str(status): count for status, count in sorted(counts.items()) if count}


def _finite(number: float) -> float | None:
    return None if number == math.inf else round(number, 3)


def _of_provider(name: str, histograms: Mapping[tuple[str, str], Histogram]) -> Histogram:
    """Return the sum of a provider's histograms over its routes."""
    every = Histogram()
    for (provider, _), histogram in histograms.items():
        if provider == name:
            every.add(histogram)
    return every


def _resting(keys: key_cooldowns.KeyCooldownStats | None) -> dict[str, Any] | None:
    if keys is None:
        return None
    shown = [{"hint": key.hint, "left_s": round(key.remaining, 3)} for key in keys.latest]
    return {"resting": keys.resting, "total": keys.total, "evictions": keys.evictions, "callers": shown}
