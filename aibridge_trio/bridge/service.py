"""The bridge as a service: reports to the service manager, and its watchdog.

The watchdog is reset at each half of its time, if the bridge's listeners answer and the event loop is not late. A
loop that hangs runs nothing of this, so it does not reset it either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.process.systemd import ServiceManager

# Parts of the watchdog's time: between two resets; the limit for the listeners' answers and for how late the loop
# may be; until the test is made again after it failed.
_RESET, _LIMIT, _RETRY = 1 / 2, 1 / 4, 1 / 8
# How often the status is shown anew, and the lateness of the loop is looked at (seconds).
_STATUS_INTERVAL, _TICK = 5.0, 0.5
# While the bridge drains: how much time is asked for, how often, and until how long after its end (seconds).
_EXTENSION, _EXTENSION_INTERVAL, _MARGIN = 30.0, 5.0, 10.0


class Service:
    """Tells the service manager of the bridge's phases.

    failure  Returns why the listeners do not work, None if each answers within so many seconds.
    status   Returns a line for people.
    warn     Logs one.
    """

    def __init__(
        self,
        manager: ServiceManager,
        *,
        lifecycle: Lifecycle,
        failure: Callable[[float], Awaitable[str | None]],
        status: Callable[[], str],
        warn: Callable[[str], None],
    ) -> None:
        self._manager = manager
        self._lifecycle = lifecycle
        self._test = failure
        self._status = status
        self._warn = warn
        self._shown = ""
        self._latest = 0.0  # how late the loop was at most since the last test
        self._draining = trio.Event()
        self._drain_ends = 0.0

    def ready(self) -> None:
        """The listeners accept connections."""
        self._shown = self._status()
        self._manager.ready(self._shown)

    def reloading(self) -> None:
        """The configuration is being read; `ready` ends it."""
        self._manager.reloading()

    def draining(self, longest: float) -> None:
        """The bridge stops, which takes so many seconds at most."""
        self._manager.stopping(self._status())
        self._drain_ends = trio.current_time() + longest + _MARGIN
        self._draining.set()

    async def run(self) -> None:
        """Show the status and reset the watchdog until cancelled."""
        if not self._manager.present:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._show_status)
            nursery.start_soon(self._extend)
            if self._manager.watchdog:
                nursery.start_soon(self._measure)
                nursery.start_soon(self._watch, self._manager.watchdog)

    async def _watch(self, watchdog: float) -> None:
        while True:
            began = trio.current_time()
            why = await self._failure(watchdog * _LIMIT)
            if why is None:
                self._manager.alive()
            else:
                self._warn(f"the self-test failed: {why}; the service manager's watchdog is not reset")
            await trio.sleep_until(began + watchdog * (_RESET if why is None else _RETRY))

    async def _failure(self, limit: float) -> str | None:
        why = None
        if self._lifecycle.phase == "serving":  # else the listeners may be closed
            why = await self._test(limit)
        else:
            await trio.lowlevel.checkpoint()  # `_measure` has its say first
        late, self._latest = self._latest, 0.0
        return why or (f"the event loop was {late:.3g} s late" if late > limit else None)

    async def _measure(self) -> None:
        while True:
            due = trio.current_time() + _TICK
            await trio.sleep_until(due)
            self._latest = max(self._latest, trio.current_time() - due)

    async def _show_status(self) -> None:
        while True:
            await trio.sleep(_STATUS_INTERVAL)
            self._manager.flush()
            if (status := self._status()) != self._shown:
                self._manager.status(status)
                self._shown = status

    async def _extend(self) -> None:
        """Ask for time while the bridge drains, whatever `TimeoutStopSec=` is."""
        await self._draining.wait()
        while trio.current_time() < self._drain_ends:
            self._manager.extend(_EXTENSION)
            await trio.sleep(_EXTENSION_INTERVAL)

    def __repr__(self) -> str:
        return f"<Service {self._lifecycle.phase}>"
