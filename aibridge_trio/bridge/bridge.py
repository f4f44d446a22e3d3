"""The bridge: opens its two listeners, and runs from start to drain."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from functools import partial

import trio

from aibridge_trio.bridge.announcements import startup_message, summary
from aibridge_trio.bridge.components import Components
from aibridge_trio.bridge.self_test import SelfTest
from aibridge_trio.config.settings import Address, Bind, Settings, UnixSocket
from aibridge_trio.events import LifecycleChanged
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.sharing.store import Store
from aibridge_trio.upstream.client import TransportFactory

_CLOSE_SECONDS = 1.0  # timeout for closing idle connections
# With inherited sockets: how long (seconds) open connections are still served when no more are accepted.
SETTLING = 1.0


class Bridge(Components):
    """All components, not yet listening; see Components.

    Addresses that `sockets` has are not bound: their sockets listen already, and go on when the bridge stops.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: TransportFactory | None = None,
        sockets: InheritedSockets | None = None,
        self_test: SelfTest | None = None,
        read: Callable[[], Settings] | None = None,
        store: Store | None = None,
        caller_secret: bytes | None = None,
        worker: bool = False,
        arbiter: socket.socket | None = None,
    ) -> None:
        super().__init__(
            settings,
            transport=transport,
            self_test=self_test,
            read=read,
            store=store,
            caller_secret=caller_secret,
            worker=worker,
            arbiter=arbiter,
        )
        self.addresses: tuple[Bind, ...] = ()
        self._sockets = sockets or InheritedSockets()
        self._inherits = False  # a socket for callers

    def startup_message(self) -> str:
        """Return the line of the start."""
        return startup_message(self.settings, self.addresses, self.admin_address)

    def summary(self) -> str:
        """Return a line of what the bridge does now."""
        return summary(self.lifecycle, self.admission.statistics(), self.router)

    async def failure(self, within: float) -> str | None:
        """Return why callers are not served; None if each of their listeners answers within so many seconds."""
        if self.self_test:
            return await self.self_test.failure(self.server, within)
        await trio.lowlevel.checkpoint()
        return None

    def open(self) -> None:
        """Bind every address. Raises UsageError if one cannot be bound."""
        settings, admin = self.settings, self.settings.admin_bind
        try:
            self.addresses = tuple(self._open(bind) for bind in settings.bind)
            if self._worker:
                self.admin_address = admin
            elif sock := self._sockets.pop(admin):
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
            self._inherits = self._inherits or self._sockets.last
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
                if self._poller:
                    timers.start_soon(self._poller.run)
                timers.start_soon(self.admission.run)
                timers.start_soon(self._limit_changes.run)
                timers.start_soon(self.traces.run)
                await timers.start(self._saved.run)
                await timers.start(self.store.run)
                self._store_news.begin(self.store)
                timers.start_soon(self._backend_tasks.run)
                async with trio.open_nursery() as admin:
                    await admin.start(self.admin_server.run)
                    forced = await self._serve_callers(signals, ready)
                    self._publish(LifecycleChanged("stop", "cut off by a second signal" if forced else "drained"))
                    if not forced:
                        await self.traces.finish()
                    self.admin_server.cut()
                timers.cancel_scope.cancel()
        finally:
            with trio.move_on_after(_CLOSE_SECONDS, shield=True):
                await self._backend_tasks.aclose()
                await self.traces.aclose()
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
            self._warn_of(self.settings.warnings())
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
