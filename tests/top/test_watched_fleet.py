"""Replicas that are watched while names come to stand for others, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence

import trio
from trio.testing import MockClock

from aibridge_trio.admin.client import AdminClient, Refused
from aibridge_trio.top.watched import Watched
from aibridge_trio.top.watched_fleet import RESOLVE, SLOW, WatchedFleet
from tests.top.test_plain_fleet import Gone, Good, Slow


class Notes:
    """What a fleet tells, and what it finds: nothing while the resolver hangs."""

    def __init__(self, *clients: AdminClient) -> None:
        self.found: Sequence[AdminClient] = clients
        self.hangs = False
        self.changes = 0
        self.lost: list[str] = []
        self.received: set[str] = set()
        self.fleet = WatchedFleet(clients, self.find, self.receive, self.lose, self.change)

    async def find(self) -> Sequence[AdminClient]:
        await trio.lowlevel.checkpoint()
        if self.hangs:
            await trio.sleep_forever()
        return self.found

    def receive(self, watched: Watched, _: bool) -> None:
        self.received.add(watched.client.name)

    def lose(self, watched: Watched, _: Refused | None) -> None:
        self.lost.append(watched.client.name)

    def change(self) -> None:
        self.changes += 1


async def test_replicas_come_and_go(autojump_clock: MockClock) -> None:
    """What is known of those that stay is kept; the others are watched no more."""
    notes = Notes(Good("http://a"), Gone("http://b"))
    with trio.move_on_after(2 * RESOLVE + 5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notes.fleet.follow)
            await trio.sleep(1)
            kept = notes.fleet.watched["http://a"]
            notes.found = [Good("http://c"), Good("http://a")]
            await trio.sleep(RESOLVE)
            assert list(notes.fleet.watched) == ["http://c", "http://a"]
            assert notes.fleet.watched["http://a"] is kept
            notes.lost.clear()
            await trio.sleep(RESOLVE)
            assert not notes.lost
    assert notes.changes == 2
    assert notes.received == {"http://a", "http://c"}


async def test_a_resolver_that_hangs_holds_up_nothing(autojump_clock: MockClock) -> None:
    """The present ones are watched on; those without an answer have the cause that is asked for."""
    notes = Notes(Good("http://a"), Slow("http://b"))
    notes.hangs = True
    with trio.move_on_after(5 * RESOLVE):
        await notes.fleet.follow()
    [good, slow] = notes.fleet.replicas(10.0, silent=SLOW)
    assert good.here
    assert not good.silent
    assert slow.cause == SLOW
