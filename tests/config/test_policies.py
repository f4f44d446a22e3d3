from __future__ import annotations

from aibridge_trio.config import policies
from aibridge_trio.config.settings import Settings
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.limits.lease import Limits


def test_limits_are_the_settings_of_the_same_meaning() -> None:
    """Each limit comes from its own option: no two are swapped."""
    settings = Settings(
        max_concurrency=1,
        max_concurrency_per_caller=2,
        max_concurrency_per_provider=3,
        queue_size=4,
        queue_timeout=5.0,
    )
    expected = Limits(max_concurrency=1, per_caller=2, per_provider=3, queue_size=4, queue_timeout=5.0)
    assert policies.limits(settings) == expected


def test_a_breaker_policy_is_the_settings_of_the_same_meaning() -> None:
    """Each part of the policy comes from its own option: no two are swapped."""
    settings = Settings(
        circuit_breaker_failure_threshold=1,
        circuit_breaker_window=2.0,
        circuit_breaker_cooldown=3.0,
        circuit_breaker_half_open_max_requests=4,
        circuit_breaker_max_cooldown=5.0,
        circuit_breaker_ramp=6.0,
        circuit_breaker_failure_share=0.7,
    )
    assert policies.policy(settings) == BreakerPolicy(
        threshold=1, window=2.0, cooldown=3.0, max_probes=4, longest_cooldown=5.0, ramp=6.0, failure_share=0.7
    )
