"""The process of the supervisor."""

from __future__ import annotations

from collections.abc import Callable

from aibridge_trio.bridge.running import host
from aibridge_trio.config.settings import Settings
from aibridge_trio.process.systemd import ServiceManager
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.workers.self_test import WorkersTest
from aibridge_trio.workers.supervisor import Supervisor


def serve(settings: Settings, sockets: InheritedSockets, read: Callable[[], Settings]) -> int:
    """Run a supervisor and its workers until a signal stops them; SIGHUP lets it `read` its settings anew.

    Returns the exit status; raises UsageError for a port in use.
    """

    def supervisor(manager: ServiceManager) -> Supervisor:
        self_test = WorkersTest() if manager.watchdog else None
        return Supervisor(settings, sockets=sockets, read=read, self_test=self_test)

    return host(supervisor)
