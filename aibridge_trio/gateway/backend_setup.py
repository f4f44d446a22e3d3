"""Backends from settings: for each provider its base URL, its central key, its connections and its breakers.

A provider has the options `<name>_base_url` and, if it takes a central key, `<name>_api_key`.
"""

from __future__ import annotations

from collections.abc import Callable

from aibridge_trio import providers
from aibridge_trio.config import policies
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.errors import HoldTimeout
from aibridge_trio.events import Publish
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.central_key import central_key
from aibridge_trio.gateway.provider_circuits import CircuitRules, ProviderCircuits
from aibridge_trio.gateway.routing import Backend, Router
from aibridge_trio.providers import Provider
from aibridge_trio.upstream.client import Timeouts, TransportFactory, Upstream


def configured(  # noqa: PLR0917 - what all backends share
    settings: Settings,
    transport: TransportFactory,
    clock: Callable[[], float],
    publish: Publish,
    shadow: frozenset[str],
    wall_clock: Callable[[], float],
    caution: Callable[[str], None],
) -> Router:
    """Return the router with a backend for each provider; `caution` gets warnings for the operator."""
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

    copies = BufferMemory(settings.max_buffered)
    in_shadow = HoldTimeout.reason in shadow

    def line(provider: str) -> AdaptiveLine:
        return AdaptiveLine(provider, clock, copies, wall_clock, shadow=in_shadow)

    def backend(provider: Provider) -> Backend:
        base_url: str = getattr(settings, f"{provider.name}_base_url")
        key: Secret | None = getattr(settings, f"{provider.name}_api_key") if provider.credential else None
        added: dict[str, str | None] = {name: getattr(settings, name) for name in provider.account}
        proxy = settings.proxy_for(base_url)
        return Backend(
            provider=provider,
            upstream=Upstream(base_url, transport(proxy.reveal() if proxy else None), timeouts),
            circuits=ProviderCircuits(provider, rules, clock, publish, wall_clock),
            adaptive=line(provider.name) if settings.adaptive else None,
            key=central_key(provider, key, added, lambda text: caution(f"{provider.name}: {text}")),
            forward_caller_keys=settings.forward_caller_keys,
        )

    return Router([backend(provider) for provider in providers.ALL])
