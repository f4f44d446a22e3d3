"""The supervisor: holds the sockets, keeps workers running, answers operators; reloads and drains all together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import trio

from aibridge_trio import __version__
from aibridge_trio.bridge.announcements import startup_message
from aibridge_trio.bridge.bridge import SETTLING
from aibridge_trio.bridge.event_bus import EventBus
from aibridge_trio.bridge.reloading import Prepared, Reloader
from aibridge_trio.bridge.saved_state import SavedState
from aibridge_trio.config.config_hash import config_hash
from aibridge_trio.config.settings import Address, Bind, Settings
from aibridge_trio.events import Bug, Event, LifecycleChanged
from aibridge_trio.gateway.browser_origins import Origins
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.server.asgi import HandlerApplication
from aibridge_trio.server.connection_limit import admin_connection_limit
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.server.server import Server
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.exposition_format import Family
from aibridge_trio.telemetry.logs import Log
from aibridge_trio.telemetry.process_report import ProcessReport
from aibridge_trio.workers.admin import CrewAdmin
from aibridge_trio.workers.budgets import SummedBudgets
from aibridge_trio.workers.common_limits import CommonLimits
from aibridge_trio.workers.common_state import CommonState
from aibridge_trio.workers.crew import Crew, part
from aibridge_trio.workers.self_test import WorkersTest
from aibridge_trio.workers.sockets import CallersSockets
from aibridge_trio.workers.worker import Start

_WALL_CLOCK = time.time  # noqa: TID251 - the supervisor's place that reads it
# Descriptors in reserve, to accept operators' connections when none is left.
_RESERVE = 8
# How much longer than the graceful timeout workers may take to end (seconds).
_MARGIN = 5.0
_SHOWN_EVENTS = 50


class Supervisor:
    """All of it, not yet listening. With `read`, which returns the settings anew, they can be reloaded."""

    def __init__(
        self,
        settings: Settings,
        *,
        sockets: InheritedSockets,
        read: Callable[[], Settings],
        self_test: WorkersTest | None = None,
    ) -> None:
        self.settings = settings
        self._self_test = self_test
        self.lifecycle = Lifecycle()
        self.log = Log.of(settings, now=_WALL_CLOCK)
        self.crew = Crew(settings.workers, start=self._start, warn=partial(self.log.warning, about="worker"))
        self.admin_address = settings.admin_bind
        self._inherited = sockets
        self._sockets = CallersSockets()
        # Replicas that share a store need no arbiter: workers are replicas.
        self._limits = None if settings.store else CommonLimits()
        budgets = self._limits.budgets if self._limits else SummedBudgets()
        self._state = CommonState(settings.workers, budgets, partial(self.crew.ask, "state"), _WALL_CLOCK)
        self._state.know(settings.known_callers)
        self.crew.ready, self.crew.heard = self._state.served, self._state.heard
        self._saved = SavedState(settings.state_file, self._state, self.log.warning)
        self._addresses: dict[Bind, Bind] = {}
        self._event_bus = EventBus()
        self._counters = Counters((), ())
        self._events: deque[dict[str, Any]] = deque(maxlen=_SHOWN_EVENTS)
        self._began, self._started_at = trio.current_time(), round(_WALL_CLOCK(), 6)
        publish = self._event_bus.publish
        self.reloader: Reloader | None = Reloader(
            read,
            settings,
            transports=lambda _: lambda *_args, **_more: None,  # type: ignore[arg-type,return-value] # never used
            agree=lambda prepared: self.crew.prepare(prepared.settings),
            apply=self._apply,
            lifecycle=self.lifecycle,
            publish=publish,
            reopen=self._reopen_logs,
        )
        self._origins = Origins(settings.allowed_hosts, settings.allowed_origins)
        connections = admin_connection_limit(partial(self.log.warning, about="connections"))
        log = self.log
        self._listeners = {"admin": connections.statistics}
        self.process = ProcessReport(self._counters, self.lifecycle, lambda: log.dropped, self._listeners)
        self.process.config_hash = config_hash(settings)
        self._admin = CrewAdmin(
            self.crew,
            own=self._families,
            complete=self._complete,
            lifecycle=self.lifecycle,
            publish=publish,
            origins=self._origins,
            host=settings.admin_bind.host,
            token=settings.admin_token,
            reload=self.reloader.reload,
        )
        self.server = Server(
            HandlerApplication(self._admin.handle),
            report=lambda error: publish(Bug.of(error)),
            connections=connections,
            evicts=True,
            reserve=_RESERVE,
        )
        for listener in (self._counters, self.log, self._admin):
            self._event_bus.subscribe(listener.handlers)
        self._event_bus.subscribe({LifecycleChanged: self._lived})

    def open(self) -> None:
        """Bind every address. Raises UsageError if one cannot be bound."""
        admin = self.settings.admin_bind
        try:
            self._addresses = self._sockets.open(self.settings, self._inherited)
            if self._limits:
                self._limits.open()
            if sock := self._inherited.pop(admin):
                self.server.adopt(sock)
            else:
                self.admin_address = Address(*self.server.open(admin.host, admin.port, option="--admin-bind"))
        except BaseException:
            self.server.close()
            self._close()
            raise
        finally:
            self._inherited.close()

    async def run(self, signals: AsyncIterator[int], ready: Callable[[], None] = lambda: None) -> int:
        """Serve until the first signal, then drain; a second one ends it at once. Returns the exit status."""
        forced = False
        try:
            async with trio.open_nursery() as timers:
                timers.start_soon(self.log.run)
                await timers.start(self._saved.run)
                if self._limits:
                    await timers.start(self._limits.run)
                async with trio.open_nursery() as admin:
                    await admin.start(self.server.run)
                    forced = await self._run_workers(signals, ready)
                    self._publish(LifecycleChanged("stop", "cut off by a second signal" if forced else "drained"))
                    self.server.cut()
                timers.cancel_scope.cancel()
        finally:
            self._close()
        return 1 if forced else 0

    async def failure(self, within: float) -> str | None:
        """Return why callers are not served; None if a worker answers at each socket within so many seconds."""
        if not await self.crew.ask("ping", None, within):
            return f"none of {len(self.crew.members)} workers answers"
        if self._self_test is None:
            return None
        secure = self.settings.tls_cert is not None
        return await self._self_test.failure_of(self._sockets.listening(), within, secure=secure)

    def subscribe(self, listener: Callable[[Any], None], *kinds: type[Event]) -> None:
        """Send events of some kinds to `listener`."""
        self._event_bus.subscribe(dict.fromkeys(kinds, listener))

    def summary(self) -> str:
        """Return a line of what the workers do now."""
        flying = sum(row["in_flight"] for row in self._rows())
        serving, count = len(self.crew.serving), len(self.crew.members)
        return f"{self.lifecycle.phase}: {serving} of {count} workers serve, {flying} in flight"

    def __repr__(self) -> str:
        return f"<Supervisor {self.lifecycle.phase} {self.crew!r}>"

    def _publish(self, event: Event) -> None:
        self._event_bus.publish(event)

    def _reopen_logs(self) -> None:
        self.log.reopen()
        self.crew.reopen_logs()

    def _close(self) -> None:
        self._sockets.close()
        if self._limits:
            self._limits.close()

    def _start(self, number: int) -> Start:
        settings = part(self.settings, len(self.crew.members))
        return Start(
            number,
            settings,
            self._sockets.descriptors(),
            self._sockets.last,
            arbiter=self._limits.descriptor if self._limits else None,
            caller_secret=self._limits.caller_secret if self._limits else None,
            saved=self._state.begins(number),
            self_test=self._self_test.path if self._self_test else b"",
        )

    async def _run_workers(self, signals: AsyncIterator[int], ready: Callable[[], None]) -> bool:
        """Serve until drained; return whether a second signal cut that short."""
        forced = False

        def serving() -> None:
            self.lifecycle.phase = "serving"
            message = startup_message(self.settings, self._addresses.values(), self.admin_address)
            self._publish(LifecycleChanged("start", message))
            for warning in self.settings.warnings():
                self.log.warning(warning)
            ready()

        async def handle_signals() -> None:
            nonlocal forced
            await anext(signals)
            async with trio.open_nursery() as draining:
                draining.start_soon(self._drain)
                await anext(signals)
                forced = True
                self.crew.stop()
                draining.cancel_scope.cancel()
            await trio.sleep(_MARGIN)
            self.crew.kill()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(handle_signals)
            await self.crew.run(serving)
            nursery.cancel_scope.cancel()
        return forced

    async def _drain(self) -> None:
        settings = self.settings
        self.lifecycle.phase = "draining"
        flying = sum(row["in_flight"] for row in self._rows())
        self._publish(LifecycleChanged("drain", f"{flying} in flight; a second signal ends them"))
        self.crew.stop()
        await trio.sleep(settings.drain_delay)
        if not self._sockets.last:
            self._sockets.close()
        self.lifecycle.phase = "stopping"
        self.server.stop_listening()
        await trio.sleep(settings.graceful_timeout + SETTLING + _MARGIN)
        self.crew.kill()

    def _apply(self, prepared: Prepared) -> None:
        before, self.settings = self.settings, prepared.settings
        settings = self.settings
        self.process.config_hash = config_hash(settings)
        self.log.apply(settings.log_level, settings.log_format)
        self._origins.apply(settings.allowed_hosts, settings.allowed_origins)
        self._admin.apply(settings.admin_token)
        self._state.know(settings.known_callers)
        self.crew.apply(settings)
        for warning in [each for each in settings.warnings() if each not in before.warnings()]:
            self.log.warning(warning)

    def _families(self) -> list[Family]:
        return [*self.process.families()]

    def _complete(self, document: dict[str, Any]) -> dict[str, Any]:
        """Put into the document of all workers what the supervisor knows."""
        events = sorted([*document["events"], *self._events], key=lambda event: float(event["at"]))
        return {
            **document,
            "version": __version__,
            "now": round(_WALL_CLOCK(), 3),
            "started_at": self._started_at,
            "uptime_s": round(trio.current_time() - self._began, 3),
            "draining": self.lifecycle.draining,
            "queue": {**document["queue"], "size": self.settings.queue_size},
            "connections": {**document["connections"], "admin": self._listeners["admin"]().document()},
            "events": events[-_SHOWN_EVENTS:],
            "workers": self._rows(),
        }

    def _rows(self) -> list[dict[str, Any]]:
        return [member.row(self.crew.reports.of(member.number)) for member in self.crew.members]

    def _lived(self, event: LifecycleChanged) -> None:
        row = dict.fromkeys(("at", "kind", "provider", "scope", "from", "to", "because"))
        self._events.append({**row, "at": round(_WALL_CLOCK(), 3), "kind": event.what, "because": event.detail})
