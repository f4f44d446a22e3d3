"""Two replicas with the same keys at one provider, over a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from aibridge_trio.config.units import Secret
from aibridge_trio.core.key_errors import KeyFault
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.core.quota import Left
from aibridge_trio.events import Event, KeyChanged
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.gateway.shared_keys import SharedKeys
from aibridge_trio.sharing.link import Link
from tests.support.keys import keys_of, tables
from tests.support.memory_store import MemoryBackend, MemoryStore


@asynccontextmanager
async def two(store: MemoryStore, events: list[Event], first: int = 0) -> AsyncIterator[list[ProviderKeys]]:
    found = []
    async with trio.open_nursery() as nursery:
        for number in range(first, first + 2):
            link = Link(MemoryBackend(store, delay=0.002, seed=number), replica_id=f"r{number}")
            keys = keys_of(
                "sk-one",
                "sk-two",
                clock=trio.current_time,
                publish=events.append,
                shared=SharedKeys(link, b"secret"),
                read_quotas=lambda _: [Left("requests", 60, 0, 60.0)],
            )
            await nursery.start(link.run)
            nursery.start_soon(keys.run)
            found.append(keys)
        yield found
        nursery.cancel_scope.cancel()


def states(keys: ProviderKeys) -> list[KeyState]:
    return [each.state for each in keys.statistics()]


async def test_a_rest_is_that_of_all(autojump_clock: MockClock) -> None:
    """A key that rests in one replica rests in the other, for as long, in its scope only."""
    events: list[Event] = []
    async with two(MemoryStore(), events) as (one, other):
        key = next(iter(one.pool))
        one.refused(key, KeyFault.RATE, 20.0, "gpt-4o", trio.current_time())
        await trio.sleep(0.1)
        assert states(other) == [KeyState.RESTING, KeyState.READY]
        assert abs(other.statistics()[0].left - one.statistics()[0].left) < 0.05
        theirs = next(iter(other.pool))
        assert theirs.free_at(None, 0.0, trio.current_time()) <= trio.current_time()
        await trio.sleep(21)
        assert states(other) == [KeyState.READY, KeyState.READY]
        changes = [event.state for event in events if isinstance(event, KeyChanged)]
        assert changes == ["resting", "resting", "ready", "ready"]


async def test_a_key_that_is_out_is_out_everywhere(autojump_clock: MockClock) -> None:
    """A key that is not accepted is out in all replicas, and back in all when it is accepted again."""
    async with two(MemoryStore(), []) as (one, other):
        keys = list(one.pool)
        one.refused(keys[0], KeyFault.INVALID, None, None, trio.current_time())
        await trio.sleep(0.1)
        assert states(other) == [KeyState.OUT, KeyState.READY]
        other.refused(list(other.pool)[1], KeyFault.INVALID, None, None, trio.current_time())
        await trio.sleep(0.1)
        assert states(one) == [KeyState.OUT, KeyState.OUT]
        one.accepted(keys[0], trio.current_time())
        await trio.sleep(0.1)
        assert states(one) == states(other) == [KeyState.READY, KeyState.READY]


async def test_what_headers_tell_of_a_key_is_known_to_all(autojump_clock: MockClock) -> None:
    """A key whose quota is nearly spent by its headers is avoided everywhere, as long as another has enough."""
    async with two(MemoryStore(), []) as (one, other):
        key = next(iter(one.pool))
        one.told(key, [])
        await trio.sleep(0.1)
        theirs = list(other.pool)
        assert theirs[0].quotas is not None
        assert not theirs[0].has_enough(1.0, trio.current_time())
        assert theirs[1].quotas is None


async def test_lost_rests_are_told_again(autojump_clock: MockClock) -> None:
    """After the store has lost its content a replica that comes later knows which keys rest and which are out."""
    store = MemoryStore()
    async with two(store, []) as (one, _):
        keys = list(one.pool)
        one.refused(keys[0], KeyFault.RATE, 60.0, None, trio.current_time())
        one.refused(keys[1], KeyFault.INVALID, None, None, trio.current_time())
        await trio.sleep(1)
        store.reset()
        await trio.sleep(3)
        async with two(store, [], first=2) as (later, _):
            await trio.sleep(0.1)
            assert states(later) == [KeyState.RESTING, KeyState.OUT]


async def test_a_reload_tries_keys_again_everywhere(autojump_clock: MockClock) -> None:
    """Where the configuration is read again, keys that were out are tried again by all replicas."""
    async with two(MemoryStore(), []) as (one, other):
        one.refused(next(iter(one.pool)), KeyFault.INVALID, None, None, trio.current_time())
        await trio.sleep(0.1)
        other.apply(tables("sk-one", "sk-two"))
        await trio.sleep(0.1)
        assert states(one) == states(other) == [KeyState.READY, KeyState.READY]


async def test_keys_are_named_by_hashes(autojump_clock: MockClock) -> None:
    """No key goes to the store; its name differs with the deployment's secret."""
    store = MemoryStore()
    async with two(store, []) as (one, _):
        one.refused(next(iter(one.pool)), KeyFault.SPENT, None, None, trio.current_time())
        await trio.sleep(0.1)
        kept = str(store.ledger._messages.kept(0.0))
        assert "resting" in kept
        assert "sk-one" not in kept
    link = Link(MemoryBackend(store), replica_id="x")
    names = {SharedKeys(link, secret).name(Secret("sk-one")) for secret in (b"a", b"b")}
    assert len(names) == 2


async def test_what_a_store_says_is_bounded(autojump_clock: MockClock) -> None:
    """Rests of unknown keys, of wrong scopes, without an end or too long ones do no harm."""
    async with two(MemoryStore(), []) as (one, _):
        notes = one._notes
        assert notes
        name, board = next(iter(notes._names.values())), notes._shared.board
        from aibridge_trio.core.sharing.needs import Message

        for value in ({"state": "resting", "scope": 1, "left": 5}, {"state": "resting"}, {"state": "odd"}, 3):
            board._heard(Message("key", f"openai|{name}|", 1, value))
        board._heard(Message("key", "openai|unknown|", 1, {"state": "out"}))
        assert states(one) == [KeyState.READY, KeyState.READY]
        for number in range(1_000):
            rest = {"state": "resting", "scope": str(number), "left": 1e9}
            board._heard(Message("key", f"openai|{name}|{number}", 1, rest))
        key = next(iter(one.pool))
        assert len(key.rests) == 256
        assert one.statistics()[0].left <= one.longest_rest
