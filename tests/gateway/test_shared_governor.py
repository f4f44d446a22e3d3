"""Lines of several replicas at one provider, over a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from aibridge_trio.core.adaptive.entry import Entry, Pushback
from aibridge_trio.core.adaptive.replica_governor import ReplicaGovernor
from aibridge_trio.core.quota import Left
from aibridge_trio.core.sharing.needs import Message
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.shared_governor import TOPIC
from aibridge_trio.gateway.shared_notes import Noticeboard
from aibridge_trio.providers.quota_headers import QUOTAS
from aibridge_trio.sharing.link import Link
from tests.support.memory_store import MemoryBackend, MemoryStore


class Replica:
    def __init__(self, store: MemoryStore, number: int) -> None:
        self.backend = MemoryBackend(store, delay=0.002, seed=number)
        self.link = Link(self.backend, replica_id=f"r{number}")
        self.board = Noticeboard(self.link, TOPIC)
        self.line = AdaptiveLine(
            "openai",
            trio.current_time,
            BufferMemory(0),
            trio.current_time,
            quotas=QUOTAS["openai"],
            board=self.board,
        )

    @property
    def governor(self) -> ReplicaGovernor:
        assert isinstance(self.line.limiter.governor, ReplicaGovernor)
        return self.line.limiter.governor

    async def fall_ill(self) -> None:
        """See pushbacks until that is an outage, with a request that waits."""
        governor = self.governor
        while not governor.outage:
            now = trio.current_time()
            level = governor.sent(now)
            await trio.sleep(0.05)
            governor.pushed_back(Pushback("overload"), level, now, trio.current_time())
            governor.ended(answering=False)
            await trio.sleep(0.05)
        self.line.waiting = 1

    def may_send(self) -> bool:
        return self.governor.has_capacity(self.governor.resumes_at + 1.0)


@asynccontextmanager
async def replicas(count: int, store: MemoryStore | None = None) -> AsyncIterator[list[Replica]]:
    store = store or MemoryStore()
    found = [Replica(store, number) for number in range(count)]
    async with trio.open_nursery() as nursery:
        for each in found:
            await nursery.start(each.link.run)
            nursery.start_soon(each.line.run)
        yield found
        nursery.cancel_scope.cancel()


async def ill(found: list[Replica]) -> None:
    async with trio.open_nursery() as nursery:
        for each in found:
            nursery.start_soon(each.fall_ill)
    await trio.sleep(1)


async def test_one_replica_sends_canaries(autojump_clock: MockClock) -> None:
    """In an outage one replica has the claim; when none of its requests waits any more, another one gets it."""
    async with replicas(3) as found:
        await ill(found)
        (first,) = (each for each in found if each.may_send())
        await trio.sleep(10)
        assert [each for each in found if each.may_send()] == [first]
        first.line.waiting = 0
        await trio.sleep(1)
        (second,) = (each for each in found if each.may_send())
        assert second is not first


async def test_the_end_of_an_outage_is_that_of_all(autojump_clock: MockClock) -> None:
    """When a canary is accepted, the outage is over for all replicas within 100 ms."""
    async with replicas(3) as found:
        await ill(found)
        (first,) = (each for each in found if each.governor.has_claim)
        now = trio.current_time()
        level = first.governor.sent(now)
        first.governor.accepted(level, now, now + 0.1)
        await trio.sleep(0.1)
        assert not any(each.governor.outage for each in found)


async def test_each_has_canaries_while_the_store_is_away(autojump_clock: MockClock) -> None:
    """Without the store each replica sends canaries of its own."""
    async with replicas(2) as found:
        await ill(found)
        for each in found:
            each.backend.refuse = True
            each.backend.reset_connection()
        await trio.sleep(1)
        assert all(each.may_send() for each in found)


async def test_a_spent_quota_is_that_of_all(autojump_clock: MockClock) -> None:
    """When a provider asks one replica to wait, all wait."""
    async with replicas(3) as found:
        now = trio.current_time()
        found[0].governor.quota_refused(Pushback("429", quota=True, retry_after=20.0), 1, now, now)
        await trio.sleep(0.1)
        later = trio.current_time()
        assert all(each.governor.resumes(0.0, later) > now + 19.9 for each in found)
        await trio.sleep(30)
        assert all(each.governor.has_capacity(trio.current_time()) for each in found)


async def test_what_headers_tell_is_known_to_all(autojump_clock: MockClock) -> None:
    """A quota that headers say is nearly spent holds requests back on all replicas, without a refusal."""
    async with replicas(3) as found:
        now = trio.current_time()
        found[0].governor.told([Left("requests", 60, 0, 60.0)], now)
        await trio.sleep(0.1)
        later = trio.current_time()
        assert all(abs(each.governor.resumes(0.0, later) - now - 1.0) < 0.02 for each in found)
        assert not any(each.governor.has_capacity(later) for each in found)
        await trio.sleep(2)
        assert all(each.governor.has_capacity(trio.current_time()) for each in found)


async def test_headers_are_told_only_if_that_is_news(autojump_clock: MockClock) -> None:
    """Not while much is left, nor again and again as the others expect it."""
    store = MemoryStore()
    async with replicas(2, store) as found:
        for remaining in (1_000, 500, 101):
            found[0].governor.told([Left("tokens", 1_000, remaining, 60.0)], trio.current_time())
        await trio.sleep(0.2)
        assert not found[1].governor.quotas.words(trio.current_time())
        sent = store.ledger.number
        for _ in range(50):
            found[0].governor.told([Left("tokens", 1_000, 50, 60.0)], trio.current_time())
            await trio.sleep(0.06)
        assert store.ledger.number - sent < 10
        assert found[1].governor.quotas.words(trio.current_time())


async def test_quotas_of_callers_own_keys_are_known_to_all(autojump_clock: MockClock) -> None:
    """Refused with a hint, or nearly spent by its headers: that key is held back everywhere, and no other."""
    async with replicas(2) as found:
        one, other = (each.line.limiter.own_keys for each in found)
        now = trio.current_time()
        entry = Entry(b"caller", b"refused", now)
        one.refused(entry, Pushback("429", quota=True, retry_after=20.0), now, 0.5)
        one.told(b"told", [Left("requests", 60, 0, 60.0)], now)
        one.told(b"rich", [Left("requests", 60, 59, 60.0)], now)
        await trio.sleep(0.1)
        later = trio.current_time()
        waits = {
            key: quotas.resumes(0.0, later) - now for key in (b"refused", b"told") if (quotas := other.find(key))
        }
        assert 20.0 < waits[b"refused"] < 22.1
        assert abs(waits[b"told"] - 1.0) < 0.02
        assert other.find(b"rich") is None
        assert found[1].governor.has_capacity(later)


async def test_notes_of_quotas_are_checked(autojump_clock: MockClock) -> None:
    """What is no quota changes nothing; a key is held back no longer than a provider could."""
    async with replicas(1) as (one,):
        key, keys = b"k".hex(), one.line.limiter.own_keys
        for told in (
            "x",
            [["requests"]],
            [["requests", 0, 1, 1]],
            [["requests", 1, "1", 1]],
            [["requests", 1, 1, -1]],
        ):
            one.board._heard(Message(TOPIC, "openai|told", 1, {"told": told}))
            one.board._heard(Message(TOPIC, "openai|own:x", 1, {key: [0, 0, told]}))
            one.board._heard(Message(TOPIC, "openai|own:x", 1, {key: told}))
        assert not one.governor.active
        assert not keys.known
        one.board._heard(Message(TOPIC, "openai|told", 1, {"told": [["requests", 60, 0, 61]]}))
        assert not one.governor.active
        one.board._heard(Message(TOPIC, "openai|own:x", 1, {key: [1e300, 0, []]}))
        quotas = keys.find(b"k")
        assert quotas
        assert quotas.held_back[0] <= trio.current_time() + 331


async def test_notes_are_bounded(autojump_clock: MockClock) -> None:
    """A store cannot hold requests back for longer than a provider could, nor end an outage that began later."""
    async with replicas(1) as (one,):
        for value in ({"spent": 1e12, "size": 0}, {"spent": "x"}, {"spent": 5}, {"outage": 1}):
            one.board._heard(Message(TOPIC, "openai|quota", 1, value))
        assert one.governor.resumes(0.0, trio.current_time()) <= trio.current_time() + 331
        await one.fall_ill()
        one.board._heard(Message(TOPIC, "openai|", 1, {"outage": False}, 3_600.0))
        assert one.governor.outage
