"""Several bridges that are watched, while names come to stand for others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NoReturn

import trio

from aibridge_trio.admin.client import AdminClient, Refused
from aibridge_trio.errors import CommandError
from aibridge_trio.top.data.fleet import Replica, without_twins
from aibridge_trio.top.watched import Watched

# How often names are resolved again (seconds).
RESOLVE = 10.0
# The cause of a replica that has not answered yet, where there is no time to wait for it.
SLOW = "no answer yet"
# Documents of all replicas that are kept, some 20 KiB each, but of each one so many: rates are over 10 s or more.
_DOCUMENTS, _OF_EACH = 6_000, 30
# Rates, to tell whether a replica drains.
_ANY = 10.0

Find = Callable[[], Awaitable[Sequence[AdminClient]]]


class WatchedFleet:
    """The replicas of which `find` returns the present ones; `clients` are the first, not empty.

    `received` is called after each document, with whether it has news; `lost` with the error, if the bridge has
    refused the connection; `changed` when there are other replicas than before.
    """

    def __init__(
        self,
        clients: Sequence[AdminClient],
        find: Find,
        received: Callable[[Watched, bool], None],
        lost: Callable[[Watched, Refused | None], None],
        changed: Callable[[], None],
    ) -> None:
        self.watched: dict[str, Watched] = {}
        self._first, self._find = clients, find
        self._received, self._lost, self._changed = received, lost, changed
        self._scopes: dict[str, trio.CancelScope] = {}

    async def follow(self) -> NoReturn:
        """Watch until cancelled."""
        async with trio.open_nursery() as nursery:
            self._take(self._first, nursery)
            while True:
                await trio.sleep(RESOLVE)
                with suppress(CommandError):  # more than can be watched: the present ones stay
                    self._take(await self._find(), nursery)

    def replicas(self, interval: float, *, silent: str = "") -> list[Replica]:
        """Return what is known of each, with rates over an interval (seconds).

        `silent` is the cause of those that have not answered yet.
        """
        return without_twins(replica(each, interval, silent=silent) for each in self.watched.values())

    def _take(self, clients: Sequence[AdminClient], nursery: trio.Nursery) -> None:
        """Watch these from now on, and of the others those that still drain: their requests count."""
        before, self.watched = self.watched, {}
        names, kept = list(before), max(_OF_EACH, _DOCUMENTS // len(clients))
        for client in clients:
            known = before.pop(client.name, None)
            self.watched[client.name] = known or Watched(client, kept)
            if known is None:
                self._scopes[client.name] = trio.CancelScope()
                nursery.start_soon(self._watch, self.watched[client.name], self._scopes[client.name])
        for name, gone in before.items():
            picture = gone.picture(_ANY)
            if picture and picture.document.draining and not gone.link.lost:
                self.watched[name] = gone
            else:
                self._scopes.pop(name).cancel()
        if names != list(self.watched):
            self._changed()

    async def _watch(self, watched: Watched, scope: trio.CancelScope) -> None:
        with scope:
            await watched.follow(
                lambda news: self._received(watched, news), lambda refused: self._lost(watched, refused)
            )


def replica(watched: Watched, interval: float, *, silent: str = "") -> Replica:
    """Return what is known of a replica now, with rates over an interval (seconds)."""
    picture, link = watched.picture(interval), watched.current_link()
    return Replica(watched.client.name, picture, link.lost or ("" if picture else silent), link.silence)
