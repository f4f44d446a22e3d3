"""The process of `aibridge serve`: what is set up once around a bridge, and reports to the service manager."""

from __future__ import annotations

import gc
import os
from functools import partial

import trio

from aibridge_trio.bridge.bridge import SETTLING, Bridge
from aibridge_trio.bridge.self_test import SelfTest
from aibridge_trio.bridge.service import Service
from aibridge_trio.config.settings import Settings
from aibridge_trio.events import LifecycleChanged
from aibridge_trio.process import systemd
from aibridge_trio.process.core_dumps import forbid_core_dumps
from aibridge_trio.process.signals import ends
from aibridge_trio.server import inherited_sockets
from aibridge_trio.server.descriptors import raise_descriptor_limit
from aibridge_trio.server.inherited_sockets import InheritedSockets

# Allocations between two runs of the garbage collector (Python's default is 700).
_GC_THRESHOLD = 20_000


def serve(settings: Settings, sockets: InheritedSockets) -> int:
    """Run a bridge until a signal stops it. Returns the exit status; raises UsageError for a port in use."""
    forbid_core_dumps()
    raise_descriptor_limit()
    manager = systemd.ServiceManager.of(os.environ)
    systemd.forget(os.environ)
    inherited_sockets.forget(os.environ)

    async def main() -> int:
        with trio.open_signal_receiver(*ends()) as signals:
            bridge = Bridge(settings, sockets=sockets, self_test=SelfTest() if manager.watchdog else None)
            bridge.open()
            service = service_of(bridge, manager)
            _tune_garbage_collector()
            with bridge.log.writing():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(service.run)
                    status = await bridge.run(signals, service.ready)
                    nursery.cancel_scope.cancel()
            return status

    try:
        return trio.run(main)
    finally:
        manager.close()


def service_of(bridge: Bridge, manager: systemd.ServiceManager) -> Service:
    """Return the link between a bridge and its service manager."""
    service = Service(
        manager,
        lifecycle=bridge.lifecycle,
        server=bridge.server,
        self_test=bridge.self_test,
        status=bridge.summary,
        warn=partial(bridge.log.warning, about="watchdog"),
    )

    def heard(event: LifecycleChanged) -> None:
        if event.what == "drain":
            settings = bridge.settings
            service.draining(settings.drain_delay + SETTLING + settings.graceful_timeout)

    bridge.subscribe(heard, LifecycleChanged)
    return service


def _tune_garbage_collector() -> None:
    """Run the garbage collector rarely, and never on objects that live as long as the program.

    Requests leave no reference cycles behind; at its default threshold the collector takes a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
