"""A bridge that is watched: its documents, and the state of the connection to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import trio

from aibridge_trio.admin.client import HUNG_UP, RETRY, AdminClient, Refused, Unreachable
from aibridge_trio.top.data.history import History, Picture
from aibridge_trio.top.data.parse import Unreadable, read
from aibridge_trio.top.screen.alert import Link


class Watched:
    """One bridge. `link` is the connection as it was drawn last; times are of Trio's clock (seconds)."""

    def __init__(self, client: AdminClient) -> None:
        self.client = client
        self.history = History()
        self.link = Link(client.name)
        self.received_at: float | None = None
        # An infinite time while it is not lost.
        self.lost_at = math.inf

    async def follow(self, received: Callable[[bool], None], lost: Callable[[Refused | None], None]) -> NoReturn:
        """Receive documents until cancelled, and connect again whenever the bridge has gone.

        Calls `received` after each document, with whether it has news; `lost` when the connection is, with the
        error if the bridge has refused it.
        """

        def receive(document: Any) -> None:
            received(self._receive(document))

        while True:
            refused, why = None, HUNG_UP
            try:
                await self.client.follow(receive)
            except Refused as error:
                refused, why = error, error.why
            except Unreachable as error:
                why = error.why
            except Unreadable as error:
                why = str(error)
            self.link = replace(self.link, lost=why)
            self.lost_at = min(self.lost_at, trio.current_time())
            lost(refused)
            await trio.sleep(RETRY)

    def _receive(self, document: Any) -> bool:
        now = trio.current_time()
        news = self.history.add(read(document), now) or bool(self.link.lost) or self.link.silent
        self.link = replace(self.link, lost="")
        self.received_at, self.lost_at = now, math.inf
        return news

    def picture(self, interval: float) -> Picture | None:
        """Return the newest picture; None before the first document."""
        return self.history.picture(interval)

    def current_link(self) -> Link:
        """Return the connection as it is now."""
        silence = None if self.received_at is None else trio.current_time() - self.received_at
        return replace(self.link, silence=silence)
