"""Makes the policies of limiter and breaker from settings, for the bridge and for the simulator."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from aibridge_trio.config.settings import Settings
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.limits.lease import CallerLimits, Limits
from aibridge_trio.core.terms import Rate


def limits(settings: Settings, key_of: Callable[[str], Hashable] = str) -> Limits:
    """Return the limits of the concurrency limiter; `key_of` returns a known caller's key by its name."""
    known = settings.known_callers
    return Limits(
        max_concurrency=settings.max_concurrency,
        per_caller=settings.max_concurrency_per_caller,
        per_provider=settings.max_concurrency_per_provider,
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout,
        rate=Rate(settings.rate_limit) if settings.rate_limit else None,
        callers={key_of(each.name): CallerLimits.of(each.terms, each.class_name) for each in known.callers},
        classes=known.totals,
        providers={
            each.name: each.max_concurrency
            for each in settings.provider_tables
            if each.max_concurrency is not None
        },
    )


def policy(settings: Settings) -> BreakerPolicy:
    """Return the policy of a circuit breaker."""
    return BreakerPolicy(
        threshold=settings.circuit_breaker_failure_threshold,
        window=settings.circuit_breaker_window,
        cooldown=settings.circuit_breaker_cooldown,
        max_probes=settings.circuit_breaker_half_open_max_requests,
        longest_cooldown=settings.circuit_breaker_max_cooldown,
        ramp=settings.circuit_breaker_ramp,
        failure_share=settings.circuit_breaker_failure_share,
    )
