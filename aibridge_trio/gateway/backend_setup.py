"""Backends from settings: for each provider its base URL, its keys, its connections and its breakers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from aibridge_trio.config import policies
from aibridge_trio.config.provider_tables import ProviderTable, effective
from aibridge_trio.config.settings import Settings
from aibridge_trio.errors import HoldTimeout
from aibridge_trio.events import Publish
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.central_key import CentralKey, central_key
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.gateway.provider_circuits import CircuitRules, ProviderCircuits
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.providers import Provider, instance
from aibridge_trio.providers.quota_headers import QUOTAS
from aibridge_trio.upstream.client import Timeouts, TransportFactory, Upstream


class BackendBuilder:
    """Builds backends; what they share is here. `caution` gets warnings for the operator."""

    def __init__(  # noqa: PLR0917 - what all backends share
        self,
        settings: Settings,
        transport: TransportFactory,
        clock: Callable[[], float],
        publish: Publish,
        shadow: frozenset[str],
        wall_clock: Callable[[], float],
        caution: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self._transport = transport
        self._clock = clock
        self._publish = publish
        self._shadow = shadow
        self._wall_clock = wall_clock
        self._caution = caution
        self._copies = BufferMemory(settings.max_buffered)

    def build(self, table: ProviderTable) -> Backend:
        """Return the backend of one provider."""
        settings = self.settings
        provider = instance(table.name, table.dialect, table.key_header)
        forward = table.forward_caller_keys
        circuits = ProviderCircuits(provider, self._rules(), self._clock, self._publish, self._wall_clock)
        return Backend(
            provider=provider,
            upstream=self.upstream(table),
            circuits=circuits,
            adaptive=self._line(provider) if settings.adaptive else None,
            key=self.key(provider, table, circuits),
            forward_caller_keys=not table.keyless
            and (settings.forward_caller_keys if forward is None else forward),
            headers=tuple((name.encode(), value.encode()) for name, value in table.headers),
        )

    def upstream(self, table: ProviderTable) -> Upstream:
        """Return the connections to a provider."""
        settings = self.settings
        proxy = settings.proxy_for(table.base_url)
        timeouts = Timeouts(
            settings.connect_timeout, settings.first_byte_timeout, settings.idle_timeout, settings.max_duration
        )
        return Upstream(table.base_url, self._transport(proxy.reveal() if proxy else None), timeouts)

    def key(self, provider: Provider, table: ProviderTable, circuits: ProviderCircuits) -> CentralKey | None:
        """Return what a provider's central keys are, None if callers' own keys are used."""
        warn = partial(self._warn, table.name)
        if table.keyless:
            return CentralKey(None, warn=warn)
        if not table.keys or provider.credential is None:
            return None
        keys = ProviderKeys(
            table.name,
            table.keys,
            provider.credential,
            choice=table.key_choice,
            cooldown=policies.policy(self.settings),
            read_hint=circuits.read_retry_after,
            read_quotas=circuits.read_quotas,
            memory=self._copies,
            clock=self._clock,
            publish=self._publish,
            warn=warn,
        )
        return central_key(keys, {name: getattr(self.settings, name) for name in provider.account}, warn)

    def _warn(self, name: str, text: str) -> None:
        self._caution(f"{name}: {text}")

    def _line(self, provider: Provider) -> AdaptiveLine:
        return AdaptiveLine(
            provider.name,
            self._clock,
            self._copies,
            self._wall_clock,
            quotas=QUOTAS[provider.api],
            shadow=HoldTimeout.reason in self._shadow,
        )

    def _rules(self) -> CircuitRules:
        settings = self.settings
        return CircuitRules(
            policies.policy(settings) if settings.circuit_breaker else None,
            scope=settings.circuit_breaker_scope,
            models=settings.circuit_breaker_models,
            by_credential=settings.circuit_breaker_429 == "credential",
            slow_first_byte=settings.circuit_breaker_slow_first_byte,
            shadow=self._shadow,
        )


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
    builder = BackendBuilder(settings, transport, clock, publish, shadow, wall_clock, caution)
    return Router([builder.build(table) for table in effective(settings)], settings.routes)
