"""The dashboard of several replicas: all on one screen, or one of them alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import trio

from aibridge_trio.admin.client import AdminClient
from aibridge_trio.errors import CommandError
from aibridge_trio.top.dashboard import SHORTEST_INTERVAL, Dashboard
from aibridge_trio.top.data.fleet import Replica
from aibridge_trio.top.screen import fleet
from aibridge_trio.top.screen.layout import Canvas
from aibridge_trio.top.screen.text import Frame
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import View
from aibridge_trio.top.watched import Watched

# How often names are resolved again (seconds).
RESOLVE = 10.0
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}
# Keys that change a picture of one bridge.
_OF_ONE = ("<", ">", "r", "/", "o", "c", "a")

Find = Callable[[], Awaitable[Sequence[AdminClient]]]


def replica(watched: Watched, interval: float) -> Replica:
    """Return what is known of a replica now, with rates over an interval (seconds)."""
    link = watched.current_link()
    return Replica(watched.client.name, watched.picture(interval), link.lost, link.silence)


class FleetDashboard(Dashboard):
    """The dashboard of replicas, of which `find` returns the present ones; `clients` are the first, not empty."""

    def __init__(self, clients: Sequence[AdminClient], find: Find, terminal: Terminal, view: View) -> None:
        super().__init__(clients[0], terminal, view)
        self._find = find
        self._watched: dict[str, Watched] = {}
        self._scopes: dict[str, trio.CancelScope] = {}
        self._first = list(clients)
        self._frozen_fleet: list[Replica] | None = None

    async def _follow(self) -> None:
        async with trio.open_nursery() as nursery:
            self._take(self._first, nursery)
            while True:
                await trio.sleep(RESOLVE)
                try:
                    clients = await self._find()
                except CommandError:
                    continue  # more than can be watched: the present ones stay
                # A name that resolves to nothing now stands for what it was.
                if all(client.address is None for client in clients) and self._by_address:
                    continue
                self._take(clients, nursery)

    @property
    def _by_address(self) -> bool:
        return any(each.client.address is not None for each in self._watched.values())

    def _take(self, clients: Sequence[AdminClient], nursery: trio.Nursery) -> None:
        """Watch these from now on, and no others; those that stay keep what is known of them."""
        before, self._watched = self._watched, {}
        for client in clients:
            known = before.pop(client.name, None)
            self._watched[client.name] = known or Watched(client)
            if known is None:
                self._scopes[client.name] = trio.CancelScope()
                nursery.start_soon(self._watch, self._watched[client.name], self._scopes[client.name])
        for name in before:
            self._scopes.pop(name).cancel()
        if self._of.client.name not in self._watched:
            self._view = replace(self._view, alone=False)
        self._request_frame()

    async def _watch(self, watched: Watched, scope: trio.CancelScope) -> None:
        with scope:
            await watched.follow(self._received, lambda _: self._request_frame())

    def _press(self, key: str, nursery: trio.Nursery) -> None:
        view = self._view
        if view.alone:
            plain = not (view.typing or view.asking or view.help or view.filter)
            if key == "escape" and plain:
                self._view, self._frozen = replace(view, alone=False, paused=False), None
                return
            super()._press(key, nursery)
        elif view.help or key not in (*_STEPS, *_OF_ONE, "enter", "p", " "):
            super()._press(key, nursery)
        elif key in _STEPS:
            self._choose(_STEPS[key])
        elif key == "enter":
            self._look_at()
        elif key in _OF_ONE:
            self._view = replace(view, notice="Enter looks at one replica alone; this key is for one")
            self._notice_since = trio.current_time()
        else:
            self._frozen_fleet = None if view.paused else self._replicas()
            self._view = replace(view, paused=not view.paused)

    def _choose(self, step: int) -> None:
        names = list(self._watched)
        place = names.index(self._view.replica) if self._view.replica in names else 0
        self._view = replace(self._view, replica=names[min(max(place + step, 0), len(names) - 1)], notice="")

    def _look_at(self) -> None:
        name = self._view.replica if self._view.replica in self._watched else next(iter(self._watched))
        self._of, self._frozen_fleet = self._watched[name], None
        self._view = replace(self._view, replica=name, alone=True, paused=False, notice="")

    def _replicas(self) -> list[Replica]:
        over = max(SHORTEST_INTERVAL, self._view.interval)
        return self._frozen_fleet or [replica(each, over) for each in self._watched.values()]

    def _fell_silent(self) -> bool:
        return any(each.current_link().silent and not each.link.silent for each in self._watched.values())

    def _frame(self, canvas: Canvas) -> Frame:
        if self._view.alone:
            return super()._frame(canvas)
        for each in self._watched.values():
            each.link = each.current_link()
        return fleet.frame(self._replicas(), self._view, canvas)
