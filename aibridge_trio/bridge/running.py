"""The process of `aibridge serve`: what is set up once around a bridge, and reports to the service manager."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import trio

from aibridge_trio.bridge.bridge import SETTLING, Bridge
from aibridge_trio.bridge.reloading import Reloader
from aibridge_trio.bridge.self_test import SelfTest
from aibridge_trio.bridge.service import Service
from aibridge_trio.config.settings import Settings
from aibridge_trio.events import Event, LifecycleChanged
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.process import collector, systemd
from aibridge_trio.process.clock import PlainClock
from aibridge_trio.process.core_dumps import forbid_core_dumps
from aibridge_trio.process.signals import STOPS, HangUps, reloads
from aibridge_trio.server import inherited_sockets
from aibridge_trio.server.descriptors import raise_descriptor_limit
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.telemetry.logs import Log
from aibridge_trio.telemetry.process_report import ProcessReport


def serve(settings: Settings, sockets: InheritedSockets, read: Callable[[], Settings]) -> int:
    """Run a bridge until a signal stops it; SIGHUP lets it `read` its settings anew.

    Returns the exit status; raises UsageError for a port in use.
    """

    def bridge(manager: systemd.ServiceManager) -> Bridge:
        return Bridge(settings, sockets=sockets, self_test=SelfTest() if manager.watchdog else None, read=read)

    return host(bridge)


class Hosted(Protocol):
    """What runs in a process of its own: a bridge, or the supervisor of several."""

    settings: Settings
    log: Log
    lifecycle: Lifecycle
    reloader: Reloader | None
    process: ProcessReport

    def open(self) -> None:
        """Bind every address. Raises UsageError if one cannot be bound."""

    async def run(self, signals: AsyncIterator[int], ready: Callable[[], None]) -> int:
        """Serve until the first signal, then drain; return the exit status."""

    async def failure(self, within: float) -> str | None:
        """Return why callers are not served; None if each of their listeners answers within so many seconds."""

    def summary(self) -> str:
        """Return a line of what it does now."""

    def subscribe(self, listener: Callable[[Any], None], *kinds: type[Event]) -> None:
        """Send events of some kinds to `listener`."""


def host(make: Callable[[systemd.ServiceManager], Hosted]) -> int:
    """Run what `make` returns until a signal stops it; return the exit status."""
    forbid_core_dumps()
    raise_descriptor_limit()
    manager = systemd.ServiceManager.of(os.environ)
    systemd.forget(os.environ)
    inherited_sockets.forget(os.environ)

    async def main() -> int:
        with trio.open_signal_receiver(*STOPS, *reloads()) as received:
            bridge = make(manager)
            bridge.open()
            service = service_of(bridge, manager)
            collector.spare_present()
            with bridge.log.writing():
                async with trio.open_nursery() as nursery:
                    stops, reload = trio.open_memory_channel[int](math.inf), trio.open_memory_channel[None](1)
                    nursery.start_soon(service.run)
                    nursery.start_soon(bridge.process.run)
                    nursery.start_soon(_sort, received, stops[0], reload[0])
                    nursery.start_soon(_reload, reload[1], bridge)
                    status = await bridge.run(stops[1], service.ready)
                    nursery.cancel_scope.cancel()
            return status

    try:
        return trio.run(main, clock=PlainClock())
    finally:
        manager.close()


async def _sort(
    received: AsyncIterator[int], stop: trio.MemorySendChannel[int], reload: trio.MemorySendChannel[None]
) -> None:
    """Pass signals on: those that stop the bridge, each; those to reload, at most one that is not handled yet."""
    hang_ups = HangUps()
    async for number in received:
        if number in STOPS or hang_ups.is_end():
            stop.send_nowait(number)
        else:
            with suppress(trio.WouldBlock):
                reload.send_nowait(None)


async def _reload(wanted: trio.MemoryReceiveChannel[None], bridge: Hosted) -> None:
    """Reload as often as `wanted`, when the bridge has started."""
    async for _ in wanted:
        if bridge.reloader and not bridge.lifecycle.draining:
            await bridge.reloader.reload("SIGHUP")


def service_of(bridge: Hosted, manager: systemd.ServiceManager) -> Service:
    """Return the link between a bridge and its service manager."""
    service = Service(
        manager,
        lifecycle=bridge.lifecycle,
        failure=bridge.failure,
        status=bridge.summary,
        warn=partial(bridge.log.warning, about="watchdog"),
    )

    def heard(event: LifecycleChanged) -> None:
        if event.what == "drain":
            settings = bridge.settings
            service.draining(settings.drain_delay + SETTLING + settings.graceful_timeout)

    bridge.subscribe(heard, LifecycleChanged)
    if bridge.reloader:
        bridge.reloader.began, bridge.reloader.ended = service.reloading, service.ready
    return service
