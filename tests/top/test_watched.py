"""A watched bridge: documents, the loss of the connection, and its return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
from trio.testing import MockClock

from aibridge_trio.admin.client import AdminClient, Unreachable
from aibridge_trio.top.watched import Watched
from tests.support.pictures import a_document


async def test_a_lost_bridge_is_tried_again(autojump_clock: MockClock) -> None:
    """The cause and the time of the loss stay until it is back."""
    days = iter([True, False, False, True])

    class Bridge(AdminClient):
        async def follow(self, hear: Callable[[Any], None]) -> None:
            match next(days, None):
                case None:
                    await trio.sleep_forever()
                case True:
                    hear(a_document(1000.0))
            raise Unreachable(self.url, "connection refused")

    watched = Watched(Bridge("http://x"))
    seen: list[object] = []
    with trio.move_on_after(10):
        await watched.follow(seen.append, lambda _: seen.append((watched.link.lost, watched.lost_at)))
    start = trio.current_time() - 10
    assert seen[:2] == [True, ("connection refused", start)]
    assert seen[2:4] == [("connection refused", start)] * 2
    assert seen[4] is True
    assert watched.picture(1.0) is not None
