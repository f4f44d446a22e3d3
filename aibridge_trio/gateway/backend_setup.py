"""Backends from settings: for each provider its base URL, its keys, its connections and its breakers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from aibridge_trio.config import policies
from aibridge_trio.config.provider_tables import ProviderTable, effective
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.errors import HoldTimeout
from aibridge_trio.events import Publish
from aibridge_trio.gateway import shared_governor
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.central_key import CentralKey, central_key
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.gateway.provider_circuits import CircuitRules, ProviderCircuits
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.gateway.shared_breakers import SharedBreakers
from aibridge_trio.gateway.shared_keys import SharedKeys
from aibridge_trio.gateway.shared_notes import Noticeboard
from aibridge_trio.providers import Provider, instance
from aibridge_trio.providers.quota_headers import QUOTAS
from aibridge_trio.sharing.store import OwnStore, Store
from aibridge_trio.upstream.client import AnyTransport, Timeouts, TransportFactory, Upstream


class BackendBuilder:
    """Builds backends; what they share is here. `caution` gets warnings for the operator.

    `store` is what replicas share; by default nothing is shared. They name keys by hashes with the same `secret`.
    """

    def __init__(  # noqa: PLR0917 - what all backends share
        self,
        settings: Settings,
        transport: TransportFactory,
        clock: Callable[[], float],
        publish: Publish,
        shadow: frozenset[str],
        wall_clock: Callable[[], float],
        caution: Callable[[str], None],
        store: Store | None = None,
        secret: bytes | None = None,
    ) -> None:
        self.store: Store = store or OwnStore()
        self.settings = settings
        self._transport = transport
        self._clock = clock
        self._publish = publish
        self._shadow = shadow
        self._wall_clock = wall_clock
        self._caution = caution
        self._breakers = SharedBreakers(self.store, clock) if self.store.shared else None
        self._keys = SharedKeys(self.store, secret) if self.store.shared and secret else None
        self._board = Noticeboard(self.store, shared_governor.TOPIC) if self.store.shared else None
        self._copies = BufferMemory(settings.max_buffered)

    def router(self) -> Router:
        """Return the router with a backend for each provider."""
        return Router([self.build(table) for table in effective(self.settings)], self.settings.routes)

    def build(self, table: ProviderTable) -> Backend:
        """Return the backend of one provider."""
        provider = instance(table.name, table.dialect, table.key_header)
        circuits = ProviderCircuits(
            provider, self._rules(), self._clock, self._publish, self._wall_clock, shared=self._breakers
        )
        backend = self._backend(provider, table, self.upstream(table), circuits)
        return replace(backend, adaptive=self._line(provider)) if self.settings.adaptive else backend

    def _backend(
        self,
        provider: Provider,
        table: ProviderTable,
        upstream: Upstream,
        circuits: ProviderCircuits,
        keys: ProviderKeys | None = None,
    ) -> Backend:
        forward = table.forward_caller_keys
        return Backend(
            provider=provider,
            upstream=upstream,
            circuits=circuits,
            key=self.key(provider, table, circuits, keys),
            forward_caller_keys=not table.keyless
            and (self.settings.forward_caller_keys if forward is None else forward),
            headers=tuple((name.encode(), value.encode()) for name, value in table.headers),
        )

    def rebuild(
        self,
        settings: Settings,
        transport: TransportFactory,
        shadow: frozenset[str],
        before: Mapping[str, Backend],
    ) -> list[Backend]:
        """Return the backends as configured now; those that stay keep what they have learned and counted."""
        moved = transport is not self._transport
        former = {table.name: (table.dialect, self._way(table)) for table in effective(self.settings)}
        self.settings, self._transport, self._shadow = settings, transport, shadow
        self._copies.limit = settings.max_buffered
        found = []
        for table in effective(settings):
            dialect, way = former.get(table.name, (None, None))
            if table.name in before and dialect == table.dialect:
                backend = before[table.name]
                if moved or way != self._way(table):
                    backend.upstream.move(table.base_url, self._new_transport(table))
                found.append(self._updated(backend, table))
            else:
                found.append(self.build(table))
        return found

    def _updated(self, backend: Backend, table: ProviderTable) -> Backend:
        provider = instance(table.name, table.dialect, table.key_header)
        backend.upstream.apply(self._timeouts())
        backend.circuits.apply(provider, self._rules())
        line = (backend.adaptive or self._line(provider)) if self.settings.adaptive else None
        if line:
            line.shadow = HoldTimeout.reason in self._shadow
        keys = backend.key.keys if backend.key else None
        fresh = self._backend(provider, table, backend.upstream, backend.circuits, keys)
        return replace(fresh, adaptive=line)

    def _way(self, table: ProviderTable) -> tuple[str, Secret | None]:
        return table.base_url, self.settings.proxy_for(table.base_url)

    def upstream(self, table: ProviderTable) -> Upstream:
        """Return the connections to a provider."""
        return Upstream(table.base_url, self._new_transport(table), self._timeouts())

    def _new_transport(self, table: ProviderTable) -> AnyTransport:
        proxy = self.settings.proxy_for(table.base_url)
        return self._transport(proxy.reveal() if proxy else None)

    def _timeouts(self) -> Timeouts:
        settings = self.settings
        return Timeouts(
            settings.connect_timeout, settings.first_byte_timeout, settings.idle_timeout, settings.max_duration
        )

    def key(
        self,
        provider: Provider,
        table: ProviderTable,
        circuits: ProviderCircuits,
        keys: ProviderKeys | None = None,
    ) -> CentralKey | None:
        """Return a provider's central keys, None if callers' own keys are used; `keys` are its former ones."""
        warn = partial(self._warn, table.name)
        if table.keyless:
            return CentralKey(None, warn=warn)
        if not table.keys or provider.credential is None:
            return None
        cooldown = policies.policy(self.settings)
        if keys:
            keys.apply(table.keys, table.key_choice, credential=provider.credential, cooldown=cooldown)
        keys = keys or ProviderKeys(
            table.name,
            table.keys,
            provider.credential,
            choice=table.key_choice,
            cooldown=cooldown,
            read_hint=circuits.read_retry_after,
            read_quotas=circuits.read_quotas,
            memory=self._copies,
            clock=self._clock,
            publish=self._publish,
            warn=warn,
            store=self.store,
            shared=self._keys,
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
            board=self._board,
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
