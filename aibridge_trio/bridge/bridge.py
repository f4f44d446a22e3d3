"""The bridge: builds all components from settings, and runs the two listeners from start to drain."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import trio

from aibridge_trio.admin.api import Admin
from aibridge_trio.bridge.announcements import startup_message, summary
from aibridge_trio.bridge.reports import Reports
from aibridge_trio.bridge.saved_state import SavedState
from aibridge_trio.bridge.self_test import SelfTest
from aibridge_trio.config import policies
from aibridge_trio.config.protections import PROTECTIONS
from aibridge_trio.config.provider_tables import effective
from aibridge_trio.config.settings import Address, Bind, Settings, UnixSocket
from aibridge_trio.events import KINDS, Bug, Event, EventBus, LifecycleChanged
from aibridge_trio.gateway import model_access, spending, stored_references
from aibridge_trio.gateway.adaptive_line import share_limits
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.gateway.backend_setup import configured
from aibridge_trio.gateway.browser_origins import Origins
from aibridge_trio.gateway.buffering import BodyBuffer
from aibridge_trio.gateway.caller_identity import CallerIdentifier
from aibridge_trio.gateway.gateway import Gateway
from aibridge_trio.gateway.known_callers import Authenticator
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.limit_changes import LimitChanges
from aibridge_trio.gateway.prechecks import Prechecks
from aibridge_trio.net.poller import new_poller
from aibridge_trio.server.asgi import HandlerApplication
from aibridge_trio.server.connection_limit import admin_connection_limit, caller_connection_limit
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.server.server import Server
from aibridge_trio.telemetry.logs import Log
from aibridge_trio.upstream.client import TransportFactory
from aibridge_trio.upstream.transport import Transports

_WALL_CLOCK = time.time  # noqa: TID251 - the only place that reads it
_CLOSE_SECONDS = 1.0  # timeout for closing idle connections
# With inherited sockets: how long (seconds) open connections are still served when no more are accepted.
SETTLING = 1.0
# File descriptors in reserve: to refuse callers' connections, and to accept operators', when none is left.
_CALLER_RESERVE, _ADMIN_RESERVE = 1, 8


class Bridge:
    """All components, not yet listening. `transport` makes the transports to providers, by default real ones.

    Addresses that `sockets` has are not bound: their sockets listen already, and go on when the bridge stops.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: TransportFactory | None = None,
        sockets: InheritedSockets | None = None,
        self_test: SelfTest | None = None,
    ) -> None:
        self.settings = settings
        self.self_test = self_test
        self._sockets = sockets or InheritedSockets()
        self._inherits = False  # a socket for callers
        self._event_bus = EventBus()
        publish, clock = self._event_bus.publish, trio.current_time
        self.lifecycle = Lifecycle()
        shadow = frozenset(PROTECTIONS[name] for name in settings.shadow)
        self.callers = CallerIdentifier(settings.trusted_proxies)
        limits = policies.limits(settings, self.callers.key_of_name)
        self.admission = Admission(limits, clock, publish, shadow)
        self._poller = new_poller()
        self.addresses: tuple[Bind, ...] = ()
        transport = transport or Transports(settings.upstream_ca, self._poller, silence=settings.idle_timeout)
        self.log = Log(settings.log_level, settings.log_format, now=_WALL_CLOCK)
        self.router = configured(settings, transport, clock, publish, shadow, _WALL_CLOCK, self.log.warning)
        lines = [backend.adaptive for backend in self.router if backend.adaptive]
        share_limits(self.admission.limiter, lines)
        self._limit_changes = LimitChanges(lines, publish)
        warn = partial(self.log.warning, about="connections")
        bounds = {"callers": caller_connection_limit(settings, warn), "admin": admin_connection_limit(warn)}
        opened = {name: each.statistics for name, each in bounds.items()}
        self.spending = spending.Spending(settings.known_callers, effective(settings), clock, _WALL_CLOCK)
        self._saved = SavedState(settings.state_file, self.router, self.spending, self.log.warning)
        self.reports = Reports(
            lifecycle=self.lifecycle,
            admission=self.admission,
            router=self.router,
            spending=self.spending,
            log=self.log,
            listeners=opened,
            shadow=settings.shadow,
        )
        self.reports.counters.apply(settings.known_callers)
        self.status = self.reports.status
        # One caller may use half: at least one body of --max-body fits.
        wanted = (*model_access.WANTED, *stored_references.WANTED, *spending.WANTED)
        self.body_buffer = BodyBuffer(max(settings.max_buffered, 2 * settings.max_body), *wanted)
        gateway, admin = self._new_gateway(), self._new_admin()
        for listener in (self.reports.counters, self.status, self.log, admin):
            self._event_bus.subscribe(listener.handlers)
        report = self._report
        self.server = Server(
            HandlerApplication(self_test.answering(gateway.handle) if self_test else gateway.handle),
            report=report,
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
            report=report,
            connections=bounds["admin"],
            evicts=True,
            reserve=_ADMIN_RESERVE,
        )

    def _new_gateway(self) -> Gateway:
        settings = self.settings
        clocks = trio.current_time, _WALL_CLOCK
        self.known_callers = Authenticator(self.callers, settings, self.router.is_ping, *clocks)
        origins = Origins((*settings.names(), *settings.allowed_hosts), settings.allowed_origins)
        return Gateway(
            lifecycle=self.lifecycle,
            prechecks=Prechecks(origins, self.callers, self.router.hops),
            admission=self.admission,
            callers=self.callers,
            known_callers=self.known_callers,
            router=self.router,
            body_buffer=self.body_buffer,
            references=stored_references.StoredReferences(allowed=settings.stored_references),
            spending=self.spending,
            max_body=settings.max_body,
            hold_keepalive=settings.hold_keepalive if settings.adaptive else 0.0,
            clock=trio.current_time,
            publish=self._publish,
        )

    def _new_admin(self) -> Admin:
        settings = self.settings
        return Admin(
            lifecycle=self.lifecycle,
            router=self.router,
            metrics=self.reports.metrics,
            status=self.status,
            publish=self._publish,
            origins=Origins(settings.allowed_hosts, settings.allowed_origins),
            host=settings.admin_bind.host,
            token=settings.admin_token,
        )

    def subscribe(self, listener: Callable[[Any], None], *kinds: type[Event]) -> None:
        """Send every event to `listener`, or those of some kinds."""
        self._event_bus.subscribe(dict.fromkeys(kinds or KINDS, listener))

    def startup_message(self) -> str:
        """Return the line of the start."""
        return startup_message(self.settings, self.addresses, self.admin_address)

    def summary(self) -> str:
        """Return a line of what the bridge does now."""
        return summary(self.lifecycle, self.admission.statistics(), self.router)

    def open(self) -> None:
        """Bind every address. Raises UsageError if one cannot be bound."""
        settings, admin = self.settings, self.settings.admin_bind
        try:
            self.addresses = tuple(self._open(bind) for bind in settings.bind)
            if sock := self._sockets.pop(admin):
                self.admin_server.adopt(sock)
                self.admin_address = admin
            else:
                opened = self.admin_server.open(admin.host, admin.port, option="--admin-bind")
                self.admin_address = Address(*opened)
        except BaseException:
            self.server.close()
            raise
        finally:
            self._sockets.close()

    def _open(self, bind: Bind) -> Bind:
        """Bind an address of the callers' listener; return it with the actual port."""
        settings = self.settings
        if sock := self._sockets.pop(bind):
            self.server.adopt(sock)
            self._inherits = True
            return bind
        if isinstance(bind, UnixSocket):
            self.server.open_unix(bind.path, settings.bind_mode, option="--bind")
            return bind
        # `[::]` includes IPv4, unless an IPv4 address has the same port.
        ipv4 = {each.port for each in settings.bind if isinstance(each, Address) and ":" not in each.host}
        return Address(*self.server.open(bind.host, bind.port, option="--bind", dual=bind.port not in ipv4))

    async def run(self, signals: AsyncIterator[int], ready: Callable[[], None] = lambda: None) -> int:
        """Serve until the first signal, then drain; a second signal ends it at once. Returns the exit status.

        `ready` is called when the listeners accept connections.
        """
        try:
            async with trio.open_nursery() as timers:
                timers.start_soon(self.log.run)
                await timers.start(self._saved.run)
                if self._poller:
                    timers.start_soon(self._poller.run)
                timers.start_soon(self.admission.run)
                timers.start_soon(self._limit_changes.run)
                for backend in self.router:
                    timers.start_soon(backend.run)
                async with trio.open_nursery() as admin:
                    await admin.start(self.admin_server.run)
                    forced = await self._serve_callers(signals, ready)
                    self._publish(LifecycleChanged("stop", "cut off by a second signal" if forced else "drained"))
                    self.admin_server.cut()
                timers.cancel_scope.cancel()
        finally:
            with trio.move_on_after(_CLOSE_SECONDS, shield=True):
                for backend in self.router:
                    await backend.upstream.aclose()
            if self._poller:
                self._poller.close()
        return 1 if forced else 0

    async def _serve_callers(self, signals: AsyncIterator[int], ready: Callable[[], None]) -> bool:
        """Serve callers until drained; return whether a second signal cut that short."""
        forced = False

        async def handle_signals() -> None:
            nonlocal forced
            await anext(signals)
            async with trio.open_nursery() as draining:
                draining.start_soon(self._drain)
                await anext(signals)
                forced = True
                self.server.cut()
                draining.cancel_scope.cancel()

        async def serve(nursery: trio.Nursery, task_status: trio.TaskStatus[None]) -> None:
            await self.server.run(task_status)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, nursery))
            self.lifecycle.phase = "serving"
            self._publish(LifecycleChanged("start", self.startup_message()))
            for warning in self.settings.warnings():
                self.log.warning(warning)
            ready()
            nursery.start_soon(handle_signals)
        return forced

    async def _drain(self) -> None:
        settings = self.settings
        self.lifecycle.phase = "draining"
        in_flight = self.admission.statistics().in_flight
        self._publish(LifecycleChanged("drain", f"{in_flight} in flight; a second signal ends them"))
        if settings.drain_delay:
            self.server.close_after_responses()
            await trio.sleep(settings.drain_delay)
        if self._inherits:  # what comes now waits for the successor; what was accepted is served
            self.server.close_after_responses()
            self.server.stop_listening()
            await trio.sleep(SETTLING)
        self.lifecycle.phase = "stopping"
        self.lifecycle.end_holds()
        self.admin_server.stop_listening()
        self.server.stop(settings.graceful_timeout, self.lifecycle.end_waits)

    def _publish(self, event: Event) -> None:
        self._event_bus.publish(event)

    def _report(self, error: BaseException) -> None:
        self._publish(Bug.of(error))
