"""All components of a bridge: built from settings, and changed by those of a reload."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import trio

from aibridge_trio.admin.api import Admin
from aibridge_trio.bridge.backend_tasks import BackendTasks
from aibridge_trio.bridge.event_bus import EventBus, of_worker
from aibridge_trio.bridge.own_state import OwnState
from aibridge_trio.bridge.reloading import Prepared, Reloader
from aibridge_trio.bridge.reports import Reports
from aibridge_trio.bridge.saved_state import SavedState
from aibridge_trio.bridge.self_test import SelfTest
from aibridge_trio.bridge.store_setup import StoreNews, new_store, shared_secret
from aibridge_trio.bridge.trace_setup import new_traces
from aibridge_trio.config import policies
from aibridge_trio.config.protections import PROTECTIONS
from aibridge_trio.config.provider_tables import effective
from aibridge_trio.config.settings import Settings
from aibridge_trio.core.inspection import expected_output
from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.events import KINDS, Bug, Event
from aibridge_trio.gateway import model_access, spending, stored_references
from aibridge_trio.gateway.adaptive_line import share_limits
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.gateway.backend_setup import BackendBuilder
from aibridge_trio.gateway.browser_origins import Origins
from aibridge_trio.gateway.buffering import BodyBuffer
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.gateway.gateway import Gateway
from aibridge_trio.gateway.known_callers import Authenticator, KnownCallerTable
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.limit_changes import LimitChanges
from aibridge_trio.gateway.prechecks import Prechecks
from aibridge_trio.net.poller import new_poller
from aibridge_trio.net.tls_contexts import expires_at
from aibridge_trio.server.asgi import HandlerApplication
from aibridge_trio.server.connection_limit import admin_connection_limit, caller_bounds, caller_connection_limit
from aibridge_trio.server.server import Server
from aibridge_trio.sharing.store import Store
from aibridge_trio.telemetry.logs import Log
from aibridge_trio.telemetry.sharing_report import SharingReport
from aibridge_trio.upstream.client import TransportFactory
from aibridge_trio.upstream.transport import Transports

_WALL_CLOCK = time.time  # noqa: TID251 - the only place that reads it
# File descriptors in reserve: to refuse callers' connections, and to accept operators', when none is left.
_CALLER_RESERVE, _ADMIN_RESERVE = 1, 8


class CallerTables(NamedTuple):
    """What is made of all known callers: there may be 100,000 of them."""

    by_token: KnownCallerTable | None
    limits: Limits


class Components:
    """Everything that a bridge consists of. `transport` makes the transports to providers, by default real ones.

    `store` is what replicas share, by default what settings name; they hash callers with the same `caller_secret`.
    With `read`, which returns the settings anew, they can be reloaded. A `worker` has no admin listener, leaves to
    its supervisor what is said of all, and shares what is counted by the arbiter whose entrance `arbiter` is.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: TransportFactory | None = None,
        self_test: SelfTest | None = None,
        read: Callable[[], Settings] | None = None,
        store: Store | None = None,
        caller_secret: bytes | None = None,
        worker: bool = False,
        arbiter: socket.socket | None = None,
    ) -> None:
        self.settings = settings
        self._worker = worker
        self.self_test = self_test
        self._event_bus = EventBus()
        self._publish = publish = self._event_bus.publish
        # trio.current_time() without the calls that lead to the clock.
        self._clock = clock = trio.lowlevel.current_clock().current_time
        self.sharing = SharingReport(str(settings.store) if settings.store else None, settings.store_prefix)
        self._store_news = StoreNews(publish)
        self.lifecycle = Lifecycle()
        shadow = frozenset(PROTECTIONS[name] for name in settings.shadow)
        secret = caller_secret or shared_secret(settings)
        self.callers = CallerIdentifier(settings.trusted_proxies, secret)
        self._poller = new_poller()
        self.log = Log.of(settings, now=_WALL_CLOCK)
        self.store = store or self._new_store(arbiter)
        limits = policies.limits(settings, self.callers.key_of_name)
        self.admission = Admission(limits, clock, publish, shadow, self.store)
        self._own_transport = transport
        self._transport = self._transports(settings)
        self._builder = BackendBuilder(
            settings, self._transport, clock, publish, shadow, _WALL_CLOCK, self.log.warning, self.store, secret
        )
        self.router = self._builder.router()
        self._backend_tasks = BackendTasks(self.router, self.router.former)
        lines = self._backend_tasks.lines()
        share_limits(self.admission.limiter, lines)
        self._limit_changes = LimitChanges(lines, publish)
        warn = partial(self.log.warning, about="connections")
        bounds = {
            "callers": caller_connection_limit(settings, warn),
            "admin": admin_connection_limit(warn),
        }
        self._connection_limit = bounds["callers"]
        opened = {name: each.statistics for name, each in bounds.items()}
        self.spending = spending.Spending(
            settings.known_callers, effective(settings), clock, _WALL_CLOCK, self.store
        )
        self.state = OwnState(self.router, self.spending, self.log.warning)
        self._saved = SavedState(settings.state_file, self.state, self.log.warning)
        self.reports = Reports(
            lifecycle=self.lifecycle,
            admission=self.admission,
            router=self.router,
            spending=self.spending,
            log=self.log,
            listeners=opened,
            shadow=settings.shadow,
            sharing=self.sharing,
        )
        ends = expires_at(settings.tls_cert) if settings.tls_cert else None
        self.reports.configure(settings, ends, worker=worker)
        self.sharing.store = self.store
        self.status, self.process = self.reports.status, self.reports.process
        self.traces = new_traces(
            settings,
            self._transport,
            wall_clock=_WALL_CLOCK,
            counts=self.reports.counters.spans,
            warn=partial(self.log.warning, about="otel"),
            report=self._report,
        )
        wanted = (*model_access.WANTED, *stored_references.WANTED, *expected_output.WANTED)
        self.body_buffer = BodyBuffer(_buffered(settings), *wanted)
        self._origins = Origins((*settings.names(), *settings.allowed_hosts), settings.allowed_origins)
        self._admin_origins = Origins(settings.allowed_hosts, settings.allowed_origins)
        self._references = stored_references.StoredReferences(allowed=settings.stored_references)
        self.reloader: Reloader | None = None
        if read:
            self.reloader = Reloader(
                read,
                settings,
                transports=self._transports,
                build=self._caller_tables,
                apply=self.apply,
                lifecycle=self.lifecycle,
                publish=publish,
                reopen=self.log.reopen,
            )
        self._gateway, self.admin = gateway, admin = self._new_gateway(), self._new_admin()
        for listener in (self.reports.counters, self.status, self.reports.recent, self.log, admin):
            self._event_bus.subscribe(of_worker(listener.handlers) if worker else listener.handlers)
        self.server = Server(
            HandlerApplication(self_test.answering(gateway.handle) if self_test else gateway.handle),
            report=self._report,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
            tls_client_ca=settings.tls_client_ca,
            connections=bounds["callers"],
            reserve=_CALLER_RESERVE,
            keep_alive=settings.keep_alive_timeout,
            poller=self._poller,
        )
        self.admin_server = Server(
            HandlerApplication(admin.handle),
            report=self._report,
            connections=bounds["admin"],
            evicts=True,
            reserve=_ADMIN_RESERVE,
        )

    def _new_store(self, arbiter: socket.socket | None) -> Store:
        return new_store(
            self.settings,
            self._poller,
            observe=self.sharing.observe,
            report=self._store_news.report,
            warn=partial(self.log.warning, about="store"),
            arbiter=arbiter,
        )

    def _new_gateway(self) -> Gateway:
        settings = self.settings
        clocks = self._clock, _WALL_CLOCK
        self.known_callers = Authenticator(self.callers, settings, self.router.is_ping, *clocks)
        return Gateway(
            lifecycle=self.lifecycle,
            prechecks=Prechecks(self._origins, self.callers, self.router.hops),
            admission=self.admission,
            callers=self.callers,
            known_callers=self.known_callers,
            router=self.router,
            body_buffer=self.body_buffer,
            references=self._references,
            spending=self.spending,
            max_body=settings.max_body,
            hold_keepalive=_hold_keepalive(settings),
            clock=self._clock,
            wall_clock=_WALL_CLOCK,
            publish=self._publish,
            record=self.traces.record,
        )

    def _new_admin(self) -> Admin:
        settings = self.settings
        return Admin(
            lifecycle=self.lifecycle,
            router=self.router,
            metrics=self.reports.metrics,
            status=self.status,
            recent=self.reports.recent,
            publish=self._publish,
            origins=self._admin_origins,
            host=settings.admin_bind.host,
            token=None if self._worker else settings.admin_token,
            reload=self.reloader.reload if self.reloader else None,
        )

    def _transports(self, settings: Settings) -> TransportFactory:
        """Return what makes transports by these settings."""
        return self._own_transport or Transports(settings.upstream_ca, self._poller, silence=settings.idle_timeout)

    def _caller_tables(self, settings: Settings) -> CallerTables:
        return CallerTables(
            self.known_callers.table(settings), policies.limits(settings, self.callers.key_of_name)
        )

    def apply(self, prepared: Prepared) -> None:
        """Change every component to these settings, at once. Requests, counts and states stay."""
        before, settings = self.settings, prepared.settings
        self.settings = settings
        shadow = frozenset(PROTECTIONS[name] for name in settings.shadow)
        self._transport = prepared.transports or self._transport
        self.log.apply(settings.log_level, settings.log_format)
        self.server.apply(prepared.context, settings.keep_alive_timeout)
        self._connection_limit.apply(caller_bounds(settings))
        self._origins.apply((*settings.names(), *settings.allowed_hosts), settings.allowed_origins)
        self._admin_origins.apply(settings.allowed_hosts, settings.allowed_origins)
        self.admin.apply(None if self._worker else settings.admin_token)
        self.callers.apply(settings.trusted_proxies)
        self._references.apply(allowed=settings.stored_references)
        self._gateway.apply(max_body=settings.max_body, hold_keepalive=_hold_keepalive(settings))
        self.body_buffer.memory.limit = _buffered(settings)
        tables = prepared.tables or self._caller_tables(settings)
        self.known_callers.apply(settings, tables.by_token)
        self.admission.apply(tables.limits, shadow)
        self.spending.apply(settings.known_callers, effective(settings))
        self.traces.apply(settings)
        former = {backend.name: backend for backend in self.router}
        backends = self._builder.rebuild(settings, self._transport, shadow, former)
        self.router.apply(backends, settings.routes)
        self._backend_tasks.apply(self.router)
        share_limits(self.admission.limiter, self._backend_tasks.lines())
        self._limit_changes.apply(backend.adaptive for backend in self.router if backend.adaptive)
        self.reports.apply(self.router, settings.shadow)
        self.reports.configure(settings, prepared.certificate_ends, worker=self._worker)
        self._warn_of(each for each in settings.warnings() if each not in before.warnings())

    def subscribe(self, listener: Callable[[Any], None], *kinds: type[Event]) -> None:
        """Send every event to `listener`, or those of some kinds."""
        self._event_bus.subscribe(dict.fromkeys(kinds or KINDS, listener))

    def _warn_of(self, warnings: Iterable[str]) -> None:
        for warning in () if self._worker else warnings:
            self.log.warning(warning)

    def _report(self, error: BaseException) -> None:
        self._publish(Bug.of(error))


def _buffered(settings: Settings) -> int:
    """Return the memory for buffered bodies: one caller may use half, so at least one body fits."""
    return max(settings.max_buffered, 2 * settings.max_body)


def _hold_keepalive(settings: Settings) -> float:
    return settings.hold_keepalive if settings.adaptive else 0.0
