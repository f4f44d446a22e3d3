"""The process of a worker: a bridge without an admin listener, at the orders of its supervisor."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from dataclasses import dataclass, field
from typing import Any

import trio

from aibridge_trio import __version__
from aibridge_trio.bridge.bridge import Bridge
from aibridge_trio.bridge.reloading import Prepared
from aibridge_trio.bridge.self_test import SelfTest
from aibridge_trio.config.addresses import Bind
from aibridge_trio.config.settings import Settings
from aibridge_trio.core.snapshots import Saved
from aibridge_trio.errors import UsageError
from aibridge_trio.events import LimitChanged, Overridden, Transitioned
from aibridge_trio.process import collector
from aibridge_trio.process.clock import PlainClock
from aibridge_trio.process.core_dumps import forbid_core_dumps
from aibridge_trio.server.descriptors import raise_descriptor_limit
from aibridge_trio.server.inherited_sockets import InheritedSockets
from aibridge_trio.workers.admin_calls import AdminCall, answer
from aibridge_trio.workers.channel import Channel

# How often a worker tells that its event loop turns (seconds).
ALIVE = 1.0
_ORPHAN = 1


@dataclass(frozen=True)
class Start:
    """What a worker begins with.

    sockets        Descriptors by their addresses; the sockets `last` if they are a service manager's.
    arbiter        The descriptor of the entrance to what counts the limits of all workers; None if a store does.
    caller_secret  All workers hash callers with it.
    saved          What it takes over from former processes.
    self_test      The path of the supervisor's requests to its workers; b"" without any.
    """

    number: int
    settings: Settings
    sockets: dict[Bind, int]
    last: bool
    arbiter: int | None = None
    caller_secret: bytes | None = field(default=None, repr=False)
    saved: tuple[Saved, ...] = ()
    self_test: bytes = field(default=b"", repr=False)

    @property
    def descriptors(self) -> list[int]:
        """What the process inherits."""
        return [*self.sockets.values(), *([] if self.arbiter is None else [self.arbiter])]


def run(descriptor: int) -> int:
    """Serve at the orders that come from this descriptor; return the exit status."""
    # A terminal and a service manager send signals to all processes; the supervisor alone decides.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        sock = socket.socket(fileno=descriptor)
        sock.getpeername()
    except OSError:
        raise UsageError("a worker is started by `aibridge serve --workers N`, and by nothing else") from None
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_end_with_supervisor, args=(os.dup(descriptor),), name="orphan", daemon=True).start()
    forbid_core_dumps()
    raise_descriptor_limit()
    return trio.run(_run, sock, clock=PlainClock())


async def _run(sock: socket.socket) -> int:
    channel = Channel(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))
    worker = Worker(channel)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.run, worker.handle)
        status = await worker.run(await channel.call("start", __version__))
        channel.tell("state", worker.state())
        await channel.call("ends", worker.report(), within=1.0)
        nursery.cancel_scope.cancel()
    return status


class Worker:
    """A bridge, and what its supervisor asks of it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._bridge: Bridge
        self._wanted: Settings
        self._prepared: Prepared | None = None
        self._arbiter = False
        self._stop, self._stops = trio.open_memory_channel[int](2)

    async def run(self, start: Start) -> int:
        """Serve until the supervisor wants the end; return the exit status."""
        self._wanted, self._arbiter = start.settings, start.arbiter is not None
        for descriptor in start.descriptors:
            os.set_inheritable(descriptor, False)
        sockets = {bind: socket.socket(fileno=descriptor) for bind, descriptor in start.sockets.items()}
        self._bridge = bridge = Bridge(
            start.settings,
            sockets=InheritedSockets(sockets, last=start.last),
            self_test=SelfTest(start.self_test) if start.self_test else None,
            read=lambda: self._wanted,
            worker=True,
            arbiter=None if start.arbiter is None else socket.socket(fileno=start.arbiter),
            caller_secret=start.caller_secret,
        )
        bridge.open()
        for each in start.saved:
            bridge.state.take(each, learned=True)
        bridge.subscribe(self._changed, Transitioned, Overridden, LimitChanged)
        collector.spare_present()
        with bridge.log.writing():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._live)
                nursery.start_soon(bridge.process.run)
                status = await bridge.run(self._stops, lambda: self._channel.tell("ready"))
                nursery.cancel_scope.cancel()
        return status

    async def handle(self, name: str, value: Any) -> Any:
        """Do what the supervisor wants."""
        match name:
            case "report":
                return self.report()
            case "state":
                return self.state()
            case "requests":
                recent = self._bridge.reports.recent
                return recent.refused() if value is None else recent.find(value)
            case "admin":
                assert isinstance(value, AdminCall)
                return await answer(self._bridge.admin, value)
            case "prepare":
                return await self._prepare(value)
            case "apply":
                if self._prepared and self._bridge.reloader:
                    self._bridge.reloader.take(self._prepared)
            case "reopen":
                self._bridge.log.reopen()
            case "stop":
                # A second one cuts what is left; more have no meaning.
                with contextlib.suppress(trio.WouldBlock):
                    self._stop.send_nowait(signal.SIGTERM)
        return None

    def report(self) -> tuple[Any, Any]:
        """Return metrics and status."""
        reports = self._bridge.reports
        return list(reports.metrics.collect()), reports.status.document()

    def state(self) -> Saved:
        """Return what is saved for the next start; budgets only where the supervisor does not count them."""
        state = self._bridge.state
        return state.learned() if self._arbiter else {**state.learned(), "budgets": state.budgets()}

    def __repr__(self) -> str:
        return f"<Worker {self._channel!r}>"

    async def _prepare(self, settings: Settings) -> str | None:
        """Read the files that settings name; return what is wrong with them."""
        assert self._bridge.reloader
        self._wanted, self._prepared = settings, None
        try:
            self._prepared = await self._bridge.reloader.prepare()
        except UsageError as error:
            return str(error)
        return None

    async def _live(self) -> None:
        while True:
            self._channel.tell("alive")
            await trio.sleep(ALIVE)

    def _changed(self, _event: object) -> None:
        self._channel.tell("changed")


def _end_with_supervisor(descriptor: int) -> None:
    """End this process at once when the supervisor has ended, however it did."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    os._exit(_ORPHAN)
