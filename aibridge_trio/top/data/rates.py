"""Rates, percentiles and failures of a provider, and of the queue, between two documents. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aibridge_trio.top.data.document import Provider, Queue

# Statuses of an overloaded provider.
OVERLOADED = ("429", "503", "529")
# A conditional request's answer: neither a failure nor a refusal.
_NOT_MODIFIED = "304"
# The name of a failure inside the stream of a 200.
_EVENT = "overload event"


@dataclass(frozen=True, slots=True)
class ProviderRates:
    """A provider over the displayed interval; None where there was nothing to measure.

    `first_bytes` is the histogram of the interval, of which `p50` and `p99` are made, cumulative by upper bound.
    `statuses` are rates of answers, `errors` of upstream errors by phase, `events` of overloads inside a 200, and
    `sent_again` of requests that the adaptive limiter sent once more.
    """

    provider: Provider
    responses: float | None
    statuses: Mapping[str, float]
    errors: Mapping[str, float]
    events: float
    rejects: float | None
    tokens_in: float | None
    tokens_out: float | None
    p50: float | None
    p99: float | None
    sent_again: float | None = None
    first_bytes: Mapping[float, int] = field(default_factory=dict)

    @property
    def faults(self) -> dict[str, float]:
        """Rates of failures without a status, by phase or event."""
        return dict(self.errors) | ({_EVENT: self.events} if self.events else {})

    @property
    def failures(self) -> dict[str, float]:
        """Rates of all failures, by status, phase or event, the most frequent first."""
        found = {status: each for status, each in self.statuses.items() if is_failure(status)} | self.faults
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    @property
    def share(self) -> float:
        """The share of requests that failed, 0 to 1."""
        failed = sum(self.failures.values())
        return min(1.0, failed / self._asked) if self._asked else float(failed > 0)

    @property
    def refusals(self) -> dict[str, float]:
        """By status, the share of requests that the provider refused or redirected; the largest first."""
        found = {status: each / self._asked for status, each in self.statuses.items() if is_refusal(status)}
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    @property
    def _asked(self) -> float:
        """Requests per second. Errors of the phase `stream` and events follow a status, which counts."""
        return sum(self.statuses.values()) + sum(each for phase, each in self.errors.items() if phase != "stream")


@dataclass(frozen=True, slots=True)
class QueueRates:
    """The queue over the displayed interval; `turned_away` are reject rates by kind. Percentiles are of waits."""

    served: float | None
    left: float | None
    turned_away: Mapping[str, float]
    p50: float | None
    p99: float | None


def is_failure(status: str) -> bool:
    """Tell whether a status is a failure of the provider, not a mistake of the caller."""
    return status in OVERLOADED or (len(status) == len("500") and status.startswith("5"))


def is_refusal(status: str) -> bool:
    """Tell whether a status is neither an answer nor a failure: the request, the key or the URL was wrong."""
    return status[:1] in ("3", "4") and not is_failure(status) and status != _NOT_MODIFIED


def provider_rates(new: Provider, old: Provider | None, over: float) -> ProviderRates:
    """Compare a provider with itself `over` seconds earlier, or with zero counters."""

    def gained(pick: Callable[[Provider], Mapping[str, int]]) -> dict[str, int]:
        before = pick(old) if old else {}
        return {name: max(0, count - before.get(name, 0)) for name, count in pick(new).items()}

    def rates(counts: Mapping[str, int]) -> dict[str, float]:
        return {name: count / over for name, count in counts.items() if count and over > 0}

    statuses = gained(lambda each: each.responses)
    errors = gained(lambda each: each.errors)
    tokens = gained(lambda each: each.tokens)
    first_bytes = {
        bound: count - (old.first_bytes.get(bound, 0) if old else 0) for bound, count in new.first_bytes.items()
    }
    # A failure verdict has one of three reasons: a status, an upstream error, or an event; the first two are
    # counted.
    verdicts = gained(lambda each: each.breaker.verdicts).get("failure", 0)
    events = verdicts - sum(statuses.get(each, 0) for each in OVERLOADED) - sum(errors.values())
    return ProviderRates(
        provider=new,
        responses=per_second(sum(statuses.values()), over),
        statuses=rates(statuses),
        errors=rates(errors),
        events=per_second(events, over) or 0.0,
        rejects=per_second(new.breaker.rejects - (old.breaker.rejects if old else 0), over),
        tokens_in=per_second(tokens.get("input", 0), over),
        tokens_out=per_second(tokens.get("output", 0), over),
        p50=quantile(0.5, first_bytes),
        p99=quantile(0.99, first_bytes),
        sent_again=per_second(_resends(new) - _resends(old), over),
        first_bytes=first_bytes,
    )


def queue_rates(new: Queue, old: Queue, over: float) -> QueueRates:
    """Compare the queue with itself `over` seconds earlier."""
    away = {
        "full": new.full - old.full,
        "hopeless": new.hopeless - old.hopeless,
        "timed out": new.timed_out - old.timed_out,
    }
    waits = {bound: count - old.waits.get(bound, 0) for bound, count in new.waits.items()}
    return QueueRates(
        served=per_second(new.served - old.served, over),
        left=per_second(new.left - old.left, over),
        turned_away={how: count / over for how, count in away.items() if count > 0 and over > 0},
        p50=quantile(0.5, waits),
        p99=quantile(0.99, waits),
    )


def _resends(provider: Provider | None) -> int:
    return provider.adaptive.resends if provider and provider.adaptive else 0


def per_second(count: float, over: float) -> float | None:
    """Return the rate per second, at least 0; None over no time."""
    return max(0.0, count) / over if over > 0 else None


def quantile(q: float, buckets: Mapping[float, int]) -> float | None:
    """Estimate a quantile from a cumulative histogram by upper bound, as Prometheus does; None if it is empty.

    Assumes even distribution within a bucket. Infinite above the last finite bound.
    https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank = q * buckets[bounds[-1]]
    lower, below = 0.0, 0
    for bound in bounds:
        count = buckets[bound]
        if count >= rank and count > below:
            return bound if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return bounds[-1]
