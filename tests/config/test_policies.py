from __future__ import annotations

from aibridge_trio.config import policies
from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.provider_tables import ProviderTable
from aibridge_trio.config.settings import Settings
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.limits.lease import CallerLimits, Limits
from aibridge_trio.core.terms import ClassTotals, Rate, Terms

OWN = (("azure", 30), ("vllm", 0), ("openai", None))


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


def test_known_callers_and_providers_have_limits_of_their_own() -> None:
    """By the key of a caller's name; a provider without its own has that of all."""
    ci = KnownCaller(
        name="ci-1", class_name="ci", terms=Terms(max_concurrency=4, rate=Rate(9, 60.0), priority="low")
    )
    totals = {"ci": ClassTotals(max_concurrency=20)}
    tables = [ProviderTable(name=name, dialect="openai", base_url="", max_concurrency=most) for name, most in OWN]
    settings = Settings(
        rate_limit=7,
        known_callers=KnownCallers(callers=(ci,), totals=totals),
        provider_tables=tuple(tables),
        max_concurrency_per_provider=5,
    )
    limits = policies.limits(settings, str.upper)
    assert limits.callers == {"CI-1": CallerLimits(4, Rate(9, 60.0), low=True, class_name="ci")}
    assert (limits.rate, limits.classes) == (Rate(7), totals)
    assert [limits.of_provider(name) for name, _ in OWN] == [30, 0, 5]


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
