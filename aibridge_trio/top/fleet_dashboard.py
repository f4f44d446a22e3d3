"""The dashboard of several replicas: all on one screen, or one of them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import trio

from aibridge_trio.admin.client import AdminClient, Refused
from aibridge_trio.top.dashboard import SHORTEST_INTERVAL, Dashboard
from aibridge_trio.top.data.fleet import Replica, worst_first
from aibridge_trio.top.screen import fleet
from aibridge_trio.top.screen.layout import Canvas
from aibridge_trio.top.screen.text import Frame
from aibridge_trio.top.terminal import Terminal
from aibridge_trio.top.view import View
from aibridge_trio.top.watched import Watched
from aibridge_trio.top.watched_fleet import Find, WatchedFleet

_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}
# What chooses a provider where replicas are chosen, too.
_ACROSS = {"left": "up", "right": "down"}
# Keys that change a picture of one bridge only.
_OF_ONE = ("<", ">", "r", "/")


class FleetDashboard(Dashboard):
    """The dashboard of replicas, of which `find` returns the present ones; `clients` are the first, not empty.

    A single one looks as a bridge does, until there are others.
    """

    def __init__(self, clients: Sequence[AdminClient], find: Find, terminal: Terminal, view: View) -> None:
        super().__init__(clients[0], terminal, replace(view, alone=len(clients) == 1))
        self._fleet = WatchedFleet(clients, find, self._received_from, self._lost_one, self._changed)
        self._frozen_fleet: list[Replica] | None = None
        # Whether a single one is shown alone because there are no others.
        self._only = len(clients) == 1

    async def _follow(self) -> None:
        await self._fleet.follow()

    def _received_from(self, _: Watched, news: bool) -> None:
        self._received(news)

    def _lost_one(self, watched: Watched, refused: Refused | None) -> None:
        if len(self._fleet.watched) == 1:
            self._lost(watched, refused)
        self._request_frame()

    def _changed(self) -> None:
        """Show all as soon as there are several, unless one was chosen that is still there."""
        watched = self._fleet.watched
        if self._only and len(watched) == 1:
            [self._of] = watched.values()
        elif self._only or self._of.client.name not in watched:
            self._of, self._only = next(iter(watched.values())), False
            self._look_at_all()
        self._request_frame()

    def _press(self, key: str, nursery: trio.Nursery) -> None:
        view = self._view
        if view.alone:
            plain = not (view.typing or view.asking or view.help or view.filter)
            if key == "escape" and plain and not self._only:
                self._look_at_all()
                return
            super()._press(key, nursery)
        elif view.help or view.asking:
            super()._press(key, nursery)
        elif key in _STEPS:
            self._choose(_STEPS[key])
        elif key == "enter":
            self._look_at()
        elif key in _OF_ONE:
            self._view = replace(view, notice="Enter looks at one replica alone; this key is for one")
            self._notice_since = trio.current_time()
        elif key in {"p", " "}:
            self._frozen_fleet = None if view.paused else self._replicas()
            self._view = replace(view, paused=not view.paused)
        else:
            super()._press(_ACROSS.get(key, key), nursery)

    def _choose(self, step: int) -> None:
        names = [each.name for each in worst_first(self._replicas())]
        place = names.index(self._view.replica) if self._view.replica in names else 0
        self._view = replace(self._view, replica=names[min(max(place + step, 0), len(names) - 1)], notice="")

    def _look_at(self) -> None:
        watched, name = self._fleet.watched, self._view.replica
        if name not in watched:
            name = next(each.name for each in worst_first(self._replicas()) if each.name in watched)
        self._of, self._frozen_fleet = watched[name], None
        self._view = replace(self._view, replica=name, alone=True, paused=False, notice="")

    def _look_at_all(self) -> None:
        if self._view.alone:
            self._frozen = None
            self._view = replace(self._view, alone=False, paused=False, typing=False, filter="")

    def _replicas(self) -> list[Replica]:
        over = max(SHORTEST_INTERVAL, self._view.interval)
        return self._frozen_fleet or self._fleet.replicas(over)

    def _shown(self) -> list[str]:
        return super()._shown() if self._view.alone else fleet.provider_names(self._replicas())

    def _targets(self) -> list[AdminClient]:
        if self._view.alone:
            return super()._targets()
        twins = {each.name for each in self._replicas() if each.twin}
        return [each.client for name, each in self._fleet.watched.items() if name not in twins]

    def _fell_silent(self) -> bool:
        return any(each.current_link().silent and not each.link.silent for each in self._fleet.watched.values())

    def _frame(self, canvas: Canvas) -> Frame:
        if self._view.alone:
            return super()._frame(canvas)
        for each in self._fleet.watched.values():
            each.link = each.current_link()
        return fleet.frame(self._replicas(), self._view, canvas)
