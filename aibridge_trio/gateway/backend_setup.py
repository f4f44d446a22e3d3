"""The providers, made from settings."""

from __future__ import annotations

from collections.abc import Callable

from aibridge_trio.config import policies
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.events import Publish
from aibridge_trio.gateway.central_key import central_key
from aibridge_trio.gateway.provider_circuits import CircuitRules, ProviderCircuits
from aibridge_trio.gateway.routing import Backend, Router
from aibridge_trio.providers import Provider
from aibridge_trio.providers.anthropic import ANTHROPIC
from aibridge_trio.providers.copilot import COPILOT
from aibridge_trio.providers.openai import OPENAI
from aibridge_trio.upstream.client import Timeouts, TransportFactory, Upstream


def configured(  # noqa: PLR0917 - all that they share
    settings: Settings,
    transport: TransportFactory,
    clock: Callable[[], float],
    publish: Publish,
    shadow: frozenset[str],
    wall_clock: Callable[[], float],
    caution: Callable[[str], None],
) -> Router:
    """Return the providers that settings name; `caution` hears what deserves a second look."""
    timeouts = Timeouts(
        settings.connect_timeout, settings.first_byte_timeout, settings.idle_timeout, settings.max_duration
    )
    rules = CircuitRules(
        policies.policy(settings) if settings.circuit_breaker else None,
        scope=settings.circuit_breaker_scope,
        models=settings.circuit_breaker_models,
        by_credential=settings.circuit_breaker_429 == "credential",
        slow_first_byte=settings.circuit_breaker_slow_first_byte,
        shadow=shadow,
    )

    def backend(provider: Provider, base_url: str, key: Secret | None, **added: str | None) -> Backend:
        proxy = settings.proxy_for(base_url)
        return Backend(
            provider=provider,
            upstream=Upstream(base_url, transport(proxy.reveal() if proxy else None), timeouts),
            circuits=ProviderCircuits(provider, rules, clock, publish, wall_clock),
            key=central_key(provider, key, added, lambda said: caution(f"{provider.name}: {said}")),
            forward_caller_keys=settings.forward_caller_keys,
        )

    account = {"openai_organization": settings.openai_organization, "openai_project": settings.openai_project}
    return Router(
        [
            backend(OPENAI, settings.openai_base_url, settings.openai_api_key, **account),
            backend(ANTHROPIC, settings.anthropic_base_url, settings.anthropic_api_key),
            backend(COPILOT, settings.copilot_base_url, None),
        ]
    )
