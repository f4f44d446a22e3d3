"""Cooldowns of callers' own keys in two replicas, over a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.key_cooldowns import KeyCooldowns
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.sharing.needs import Message
from aibridge_trio.gateway.shared_cooldowns import TOPIC, SharedCooldowns
from aibridge_trio.gateway.shared_notes import Noticeboard
from aibridge_trio.sharing.link import Link
from tests.support.memory_store import MemoryBackend, MemoryStore

POLICY = BreakerPolicy(cooldown=30.0, longest_cooldown=300.0)
KEY = bytes(range(16))


class Replica:
    def __init__(self, store: MemoryStore, number: int) -> None:
        self.link = Link(MemoryBackend(store, delay=0.002, seed=number), replica_id=f"r{number}")
        self.cooldowns = KeyCooldowns(POLICY)
        self.board = Noticeboard(self.link, TOPIC)
        self.shared = SharedCooldowns(self.board, "openai", trio.current_time, lambda: self.cooldowns)

    def limit(self, key: bytes = KEY, retry_after: float | None = 20.0) -> None:
        """Take a 429 for a key."""
        self.cooldowns.start(key, "…abcd", retry_after, trio.current_time())
        self.shared.started(key)

    def left(self, key: bytes = KEY) -> float:
        return self.cooldowns.remaining(key, trio.current_time()) or 0.0


@asynccontextmanager
async def replicas(store: MemoryStore, count: int = 2, first: int = 0) -> AsyncIterator[list[Replica]]:
    found = [Replica(store, first + number) for number in range(count)]
    async with trio.open_nursery() as nursery:
        for each in found:
            await nursery.start(each.link.run)
            nursery.start_soon(each.shared.run)
        yield found
        nursery.cancel_scope.cancel()


async def test_a_cooldown_is_that_of_all(autojump_clock: MockClock) -> None:
    """Within 100 ms, with the same end; it is counted where it began, and its key is not shown elsewhere."""
    async with replicas(MemoryStore(), 3) as found:
        found[0].limit()
        await trio.sleep(0.1)
        assert all(abs(each.left() - 19.9) < 0.02 for each in found)
        stats = [each.cooldowns.statistics(trio.current_time()) for each in found]
        assert [(each.resting, each.total, each.latest[0].hint) for each in stats] == [
            (1, 1, "…abcd"),
            (1, 0, "…"),
            (1, 0, "…"),
        ]
        found[1].limit(retry_after=100.0)
        await trio.sleep(0.1)
        assert all(each.left() > 99 for each in found)
        await trio.sleep(100)
        assert not any(each.left() for each in found)


async def test_a_replica_that_comes_later_knows(autojump_clock: MockClock) -> None:
    """Also after the store has lost everything; what is over by then is not told."""
    store = MemoryStore()
    async with replicas(store) as found:
        found[0].limit()
        await trio.sleep(1)
        async with replicas(store, 1, first=5) as later:
            await trio.sleep(0.1)
            assert 18 < later[0].left() < 19
        store.reset()
        await trio.sleep(2)
        async with replicas(store, 1, first=6) as later:
            await trio.sleep(0.1)
            assert 15 < later[0].left() < 17
        await trio.sleep(20)
        store.reset()
        await trio.sleep(2)
        async with replicas(store, 1, first=7) as later:
            await trio.sleep(0.1)
            assert not later[0].left()


async def test_only_the_latest_are_told(autojump_clock: MockClock) -> None:
    """However many keys rest at once, their notes are bounded; keys go by their hashes only."""
    store = MemoryStore()
    async with replicas(store) as found:
        keys = [number.to_bytes(16, "big") for number in range(1_000)]
        for key in keys:
            found[0].limit(key)
        batches = store.batches
        await trio.sleep(0.2)
        assert store.batches - batches < 20
        known = [key for key in keys if found[1].left(key)]
        assert known == keys[-100:]


async def test_lies_are_bounded(autojump_clock: MockClock) -> None:
    """A store cannot let a key rest for longer than the longest cooldown, nor say what is nothing."""
    async with replicas(MemoryStore(), 1) as (one,):
        for note in (
            {KEY.hex(): "x"},
            {KEY.hex(): -1},
            {"zz": 1},
            {"a" * 66: 1},
            {KEY.hex(): None},
            {KEY.hex(): True},
        ):
            one.board._heard(Message(TOPIC, "openai|own:x", 1, note))
        one.board._heard(Message(TOPIC, "openai|x", 1, {KEY.hex(): 5}))
        assert not one.left()
        one.board._heard(Message(TOPIC, "openai|own:x", 1, {KEY.hex(): 1e300}))
        assert one.left() == 300.0
        assert "keys" in repr(one.shared)
