"""A server that loses keys or has wrong ones, is full, or gets batches that are none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.wire import Batch, Op, Reply
from tests.core.sharing.test_ledger_checks import BAD, GOOD
from tests.support.resp import RespClient, RespError
from tests.support.scripted import ScriptedStore

LIMIT = 5


@dataclass
class Peer:
    """A replica that knows what it holds, and registers when it must."""

    store: ScriptedStore
    name: str
    number: int = 0
    generation: str = ""
    held: Counter[str] = field(default_factory=Counter)

    def send(self, at: float, *ops: Op) -> Reply | None:
        """Send ops; None if the replica had to register first."""
        for _ in range(2):
            self.number += 1
            batch = Batch(self.name, self.number, self.generation, 600.0, -1, list(ops))
            reply = self.store.run(batch, at)
            if reply.status == "ok":
                return reply
            assert reply.status == "lost"
            self.number += 1
            register = ["register", {key: amount for key, amount in self.held.items() if amount}]
            reply = self.store.run(Batch(self.name, self.number, "", 600.0, -1, [register]), at)
            assert reply.status == "ok"
            self.generation = reply.generation
        return None

    def ask(self, at: float, key: str) -> None:
        """Ask for one of a key, and one of each kind of use."""
        uses = [["r", 3, 1.0, 1, 0, 1], ["t", 100, 60.0, 7, 1, 1]]
        reply = self.send(at, ["ask", [[key, LIMIT, 1, 0]], uses, ["b", 10**6, "day", 3]])
        assert reply is not None
        if reply.results[0][0]:
            assert reply.results[0][1][0] <= LIMIT
            self.held.update({key: 1, "budget:b": 3})
            self.held["use:60:t"] += 0 if "t" in reply.results[0][4] else 7

    def leave(self, at: float) -> None:
        """Give back all it holds of something."""
        for key in ("slots", "caller"):
            if self.held[key]:
                amount = self.held.pop(key)
                settled = [["t", 60.0, self.held.pop("use:60:t", 0), 5]]
                estimate = self.held.pop("budget:b", 0)
                assert self.send(at, ["leave", [[key, amount]], settled, ["b", estimate, 4], []]) is not None
                return
        assert self.send(at, ["tally", "k", 10.0, [1]], ["set", "t", "k", -1, "1", 60.0], ["claim", "c", 5.0])


def spoil(store: ScriptedStore, random: Random, how: str) -> None:
    """Do something to one of the keys."""
    name = random.choice(store.names() or ["{test}:none"])
    call = store.client.call
    if how == "evicted":
        call("DEL", name)
    elif how == "flushed":
        call("FLUSHALL")
    elif how == "random":
        call("SET", name, random.randbytes(random.randrange(60)))
    elif how == "another":
        others = [each for each in store.names() if each != name]
        call("COPY", random.choice([*others, "none"]), name, "REPLACE")
    else:
        words: dict[str, list[str]] = {
            "list": ["RPUSH", name, "x", "y"],
            "hash": ["HSET", name, "", "x"],
            "zset": ["ZADD", name, "1", "x"],
        }
        call("DEL", name)
        call(*words[how])


HOWS = ["evicted", "evicted", "flushed", "random", "another", "list", "hash", "zset"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from([*HOWS, *["ask", "leave"] * 8]), max_size=40))
def test_whatever_happens_to_keys_totals_are_sums(client: RespClient, random: Random, steps: list[str]) -> None:
    """No batch fails, and once each replica has sent a batch again, totals are what they hold together."""
    client.call("FLUSHALL")
    store, at = ScriptedStore(client), 1_000.0
    peers = [Peer(store, name) for name in "abc"]
    for step in steps:
        at = round(at + random.choice([0.0, 0.1, 1.1]), 6)
        peer = random.choice(peers)
        if step == "ask":
            peer.ask(at, random.choice(["slots", "caller"]))
        elif step == "leave":
            peer.leave(at)
        else:
            spoil(store, random, step)
    at += 2.0
    for _ in range(3):
        for peer in peers:
            peer.send(at)
    keys = ["slots", "caller", "use:60:t", "budget:b"]
    reply = peers[0].send(at, ["totals", keys, []])
    assert reply is not None
    assert reply.results == [[sum(peer.held[key] for peer in peers) for key in keys]]
    assert reply.replicas == len(peers)


def dumped(store: ScriptedStore) -> dict[str, object]:
    """Return all that the server has."""
    return {name: store.client.call("DUMP", name) for name in store.names()}


def filled(store: ScriptedStore) -> Peer:
    """Return a replica of a store with all kinds of keys."""
    peer = Peer(store, "a")
    peer.send(1_000.0, *GOOD[1:-1])
    for _ in range(2):
        peer.ask(1_000.0, "slots")
    peer.send(1_000.0, ["ask", [], [["r", 0, 1.0, 1, 0, 0]], 0])
    peer.leave(1_000.5)
    peer.leave(1_000.5)
    return peer


@pytest.mark.parametrize("op", BAD, ids=lambda op: str(op)[:40])
def test_what_is_no_batch_changes_nothing(store: ScriptedStore, op: object) -> None:
    """An error, and no key is another; whatever good ops are before it."""
    peer = filled(store)
    before = dumped(store)
    batch = Batch("a", 1_000, peer.generation, 600.0, -1, [*GOOD[1:-1], op])  # type: ignore[list-item]
    with pytest.raises(ValueError):
        Ledger().run(batch, 1_001.0)
    with pytest.raises(RespError):
        store.run(batch, 1_001.0)
    assert dumped(store) == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=30), st.sampled_from(list('[]{},"\\:0129-.e')) | st.just("null"), st.integers(0, 400))
def test_bytes_at_random_change_nothing_or_are_a_batch(
    client: RespClient, noise: bytes, token: str, place: int
) -> None:
    """A batch that is damaged anywhere."""
    client.call("FLUSHALL")
    store = ScriptedStore(client)
    peer = filled(store)
    good = Batch("a", 1_000, peer.generation, 600.0, -1, GOOD[1:-1]).encoded()
    before = dumped(store)
    for damaged in (noise, good[:place] + noise + good[place:], good[:place] + token.encode() + good[place + 1 :]):
        try:
            store.execute(damaged, 1_001.0)
        except RespError:
            assert dumped(store) == before
        before = dumped(store)
    peer.number = 1 << 49
    assert peer.send(1_001.0, ["totals", ["slots"], []]) is not None


def test_a_full_server_changes_nothing(store: ScriptedStore) -> None:
    """It refuses the batch as a whole, with policy noeviction; with memory again all goes on."""
    peer = filled(store)
    before = dumped(store)
    store.client.call("CONFIG", "SET", "maxmemory", "1")
    try:
        for batch in (
            Batch("a", 900, peer.generation, 600.0, -1, [["ask", [["slots", 9, 1, 0]], [], 0]]),
            Batch("b", 1, "", 600.0, -1, [["register", {"slots": 1}]]),
        ):
            with pytest.raises(RespError, match="OOM"):
                store.run(batch, 1_001.0)
    finally:
        store.client.call("CONFIG", "SET", "maxmemory", "0")
    assert dumped(store) == before
    assert peer.send(1_001.0, ["totals", ["slots"], []]) is not None


def test_all_keys_expire(store: ScriptedStore) -> None:
    """A deployment that ends leaves nothing behind: each key has an end, which batches put off."""
    peer = filled(store)
    peer.send(1_011.0, ["totals", ["slots"], []])
    assert len(store.names()) >= 11
    for name in store.names():
        left = store.client.call("PTTL", name)
        assert isinstance(left, int)
        assert 0 < left <= 41 * 86_400_000, name
