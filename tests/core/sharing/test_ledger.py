"""Batches: registering, order, silence, generations."""

from __future__ import annotations

import json

import pytest

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.needs import Ask, Denied, Granted, Holding, Leave, Use
from aibridge_trio.core.sharing.wire import Batch, reply
from tests.support.batches import Replica

SLOT = Ask((Holding("slots", 2),))


def test_a_replica_must_register_first() -> None:
    """A batch of a replica that the ledger does not know is lost, and so is one with another generation."""
    ledger = Ledger()
    assert ledger.run(Batch("a", 1, "", 3.0, -1, [["totals", ["slots"], []]]), 1.0).status == "lost"
    replica = Replica.of(ledger)
    assert replica.send(["totals", ["slots"], []], now=1_000.0).status == "ok"
    replica.generation = "another"
    found = replica.send(["totals", ["slots"], []], now=1_000.0)
    assert (found.status, found.results, found.last) == ("lost", [], 2)


def test_all_replicas_hold_at_most_the_limit() -> None:
    """A slot that one replica gives back, another may have."""
    ledger = Ledger()
    a, b = Replica.of(ledger, "a"), Replica.of(ledger, "b")
    assert a.ask(SLOT, 1_000.0) == Granted(1_000.0, {"slots": 1})
    assert b.ask(SLOT, 1_000.0) == Granted(1_000.0, {"slots": 2})
    assert a.ask(SLOT, 1_000.0) == Denied("slots", 0.0, {"slots": 2})
    b.leave(Leave((("slots", 1),)), 1_000.0)
    assert a.ask(SLOT, 1_000.0) == Granted(1_000.0, {"slots": 2})
    assert a.reply.replicas == 2


def test_a_batch_that_arrives_late_is_not_executed() -> None:
    """A later one came before it: its asks were given up, its posts were sent again."""
    ledger = Ledger()
    replica = Replica.of(ledger)
    late = Batch("a", 2, replica.generation, 3.0, -1, [["ask", [["slots", 2, 1, 0]], [], 0]])
    replica.number = 2
    assert replica.ask(SLOT, 1_000.0) == Granted(1_000.0, {"slots": 1})
    found = ledger.run(late, 1_000.0)
    assert (found.status, found.last, found.results) == ("stale", 3, [])
    assert replica.ask(SLOT, 1_000.0) == Granted(1_000.0, {"slots": 2})


def test_a_silent_replica_loses_what_it_holds() -> None:
    """What it used of a window counts from then on; when it is back it registers, and knows what was executed."""
    ledger = Ledger()
    a, b = Replica.of(ledger, "a"), Replica.of(ledger, "b")
    use = Ask(uses=(Use("tokens", 100, 60.0, 80, running=True),))
    a.ask(SLOT, 1_000.0)
    a.ask(use, 1_000.0)
    b.send(now=1_002.0)
    found = b.send(["totals", ["slots", "use:60:tokens"], []], now=1_003.0)
    assert (found.replicas, found.results) == (1, [[0, 0]])
    assert b.ask(use, 1_004.0) == Denied("tokens", 59.0, {}, ((20, 59.0),))
    assert a.send(now=1_005.0).status == "lost"
    assert a.register(1_005.0, {"slots": 1}).results == [[0, [], 3, -1]]
    assert a.op("totals", ["slots"], [], now=1_005.0) == [1]
    b = Replica.of(ledger, "b2", now=1_063.0)
    assert b.ask(use, 1_063.0) == Granted(1_063.0, {}, ((20, 0.0),))


def test_what_is_registered_is_held_beyond_limits() -> None:
    """It replaces what the replica held: those requests are under way."""
    ledger = Ledger()
    a = Replica.of(ledger, "a", held={"slots": 5, "caller:x": 1})
    assert a.ask(SLOT, 1_000.0) == Denied("slots", 0.0, {"slots": 5})
    a.register(1_000.0, {"slots": 1})
    assert a.op("totals", ["slots", "caller:x"], [], now=1_000.0) == [1, 0]


def test_the_end_of_a_replica_gives_all_back() -> None:
    """It is not counted any more, and no batch of it is executed until it registers."""
    ledger = Ledger()
    a, b = Replica.of(ledger, "a", held={"slots": 2}), Replica.of(ledger, "b")
    assert a.op("forget", now=1_000.0) == 0
    assert a.send(now=1_000.0).status == "lost"
    assert b.ask(SLOT, 1_000.0) == Granted(1_000.0, {"slots": 1})
    assert b.reply.replicas == 1


def test_a_replica_that_has_died_loses_what_it_holds_at_once() -> None:
    """What it had running is used now. One that is not known, or has ended, has nothing to lose."""
    ledger = Ledger()
    b = Replica.of(ledger, "b")
    Replica.of(ledger, "a", held={"slots": 2, "use:60:tokens": 40})
    ledger.lose("a", 1_000.0)
    ledger.lose("a", 1_000.0)
    ledger.lose("c", 1_000.0)
    ask = Ask((Holding("slots", 2, 2),), (Use("tokens", 100, 60.0, 10),))
    assert b.ask(ask, 1_000.0) == Granted(1_000.0, {"slots": 2}, ((50, 60.0),))
    assert b.reply.replicas == 1


def test_who_waits_is_told_once_that_something_is_free() -> None:
    """A message of the topic `freed` after `totals`; the next one after the next `totals`."""
    ledger = Ledger()
    a, b = Replica.of(ledger, "a", held={"slots": 2}), Replica.of(ledger, "b")
    assert b.op("totals", ["slots"], [], now=1_000.0) == [2]
    a.leave(Leave((("slots", 1),)), 1_000.0)
    a.leave(Leave((("slots", 1),)), 1_000.0)
    assert b.send(now=1_001.0).messages == [[1, "freed", "slots", 0, "null", 1.0, "a"]]
    assert ledger.number == 1


def test_a_replica_that_missed_messages_registers_again() -> None:
    """The log has the last thousand; the present values come with the registration."""
    ledger = Ledger()
    a, b = Replica.of(ledger, "a"), Replica.of(ledger, "b")
    for index in range(1_001):
        a.send(["set", "key", str(index % 3), -1, "1", 60.0], now=1_000.0)
    assert b.send(now=1_000.0).status == "lost"
    number, kept, _, _ = b.register(1_000.0, {}).results[0]
    assert (number, [each[:3] for each in kept]) == (
        1_001,
        [[999, "key", "2"], [1_000, "key", "0"], [1_001, "key", "1"]],
    )


def test_the_clock_never_goes_back() -> None:
    """After a step back it goes on from where it was: no time lies in the future."""
    ledger = Ledger()
    replica = Replica.of(ledger, ttl=60.0)
    one = Ask(uses=(Use("rate", 1, 10.0),))
    assert replica.ask(one, 1_000.0) == Granted(1_000.0, {}, ((0, 10.0),))
    assert replica.ask(one, 500.0) == Denied("rate", 10.0, {}, ((0, 10.0),))
    assert replica.ask(one, 509.0) == Denied("rate", 11.5, {}, ((0, 1.0),))
    assert replica.ask(one, 510.0) == Granted(1_010.0, {}, ((0, 10.0),))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'["a",1,"",3.0,-1,[["fly"]]]', b"\xff"])
def test_what_is_no_batch_changes_nothing(content: bytes) -> None:
    """The arbiter's clients are peers."""
    ledger = Ledger()
    with pytest.raises(ValueError):
        ledger.execute(content, 1_000.0)
    assert not ledger.generation


def test_batches_travel_as_json() -> None:
    """As Redis has them."""
    ledger = Ledger()
    batch = Batch("a", 1, "", 3.0, -1, [["register", {}], ["leave", [], [["t", 60.0, 5, 7]], 0, []]])
    found = reply(ledger.execute(batch.encoded(), 1_000.0))
    assert (found.status, found.results) == ("ok", [[0, [], 0, -1], 0])
    assert json.loads(ledger.execute(batch.encoded(), 1_000.0))[0] == "stale"
