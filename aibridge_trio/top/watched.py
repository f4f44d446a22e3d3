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
    """One bridge, with so many documents `kept`, None for as many as there is a use for.

    `link` is the connection as it was drawn last; times are of Trio's clock (seconds).
    """

    def __init__(self, client: AdminClient, kept: int | None = None) -> None:
        self.client = client
        self.history = History() if kept is None else History(kept)
        self.link = Link(client.name)
        self.received_at: float | None = None
        # An infinite time while it is not lost.
        self.lost_at = math.inf
        # The latest document as it came, and the picture made of it, with its interval.
        self.document: Any = None
        self._picture: tuple[float, Picture | None] | None = None

    async def follow(self, received: Callable[[bool], None], lost: Callable[[Refused | None], None]) -> NoReturn:
        """Receive documents until cancelled, and connect again whenever the bridge has gone.

        Calls `received` after each document, with whether it has news; `lost` when the connection is, with the
        error if the bridge has refused it.
        """

        def receive(document: Any) -> None:
            received(self.receive(document))

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
            self.fail(why)
            lost(refused)
            await trio.sleep(RETRY)

    def fail(self, why: str) -> None:
        """Note that the bridge does not answer, and why."""
        self.link = replace(self.link, lost=why)
        self.lost_at = min(self.lost_at, trio.current_time())

    def receive(self, document: Any) -> bool:
        """Add a document; returns whether it has news. Raises Unreadable."""
        now = trio.current_time()
        self.document, self._picture = document, None
        news = self.history.add(read(document), now) or bool(self.link.lost) or self.link.silent
        self.link = replace(self.link, lost="")
        self.received_at, self.lost_at = now, math.inf
        return news

    def picture(self, interval: float) -> Picture | None:
        """Return the newest picture; None before the first document."""
        if self._picture is None or self._picture[0] != interval:
            self._picture = interval, self.history.picture(interval)
        return self._picture[1]

    def current_link(self) -> Link:
        """Return the connection as it is now."""
        silence = None if self.received_at is None else trio.current_time() - self.received_at
        return replace(self.link, silence=silence)
