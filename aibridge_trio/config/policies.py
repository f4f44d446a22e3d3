"""Which settings make which machine what it is: once, for the program and for the simulator."""

from __future__ import annotations

from aibridge_trio.config.settings import Settings
from aibridge_trio.core.breaker.breaker import BreakerPolicy
from aibridge_trio.core.limits.lease import Limits


def limits(settings: Settings) -> Limits:
    """Return what the places are told."""
    return Limits(
        max_concurrency=settings.max_concurrency,
        per_caller=settings.max_concurrency_per_caller,
        per_provider=settings.max_concurrency_per_provider,
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout,
    )


def policy(settings: Settings) -> BreakerPolicy:
    """Return what a breaker is told."""
    return BreakerPolicy(
        threshold=settings.circuit_breaker_failure_threshold,
        window=settings.circuit_breaker_window,
        cooldown=settings.circuit_breaker_cooldown,
        max_probes=settings.circuit_breaker_half_open_max_requests,
        longest_cooldown=settings.circuit_breaker_max_cooldown,
        ramp=settings.circuit_breaker_ramp,
    )
