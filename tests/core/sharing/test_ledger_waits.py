"""Which replica goes first of those whose requests wait."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.ledger_waits import MOST_WAITING, WAITS, Waits
from aibridge_trio.core.sharing.needs import Ask, Denied, Granted, Holding, Leave
from tests.support.batches import Replica

SLOT = Ask((Holding("slots", 2),))
ONE = Leave((("slots", 1),))


def test_one_that_holds_less_goes_first() -> None:
    """And of those that hold as much the one that has waited for longest."""
    waits = Waits()
    waits.wait("b", "k", 1, 1.0)
    assert waits.bar("a", "k", 2, 1.0)
    assert waits.bar("a", "k", 1, 1.1)
    assert not waits.bar("a", "k", 0, 1.1)
    assert not waits.bar("b", "k", 9, 1.1)
    assert not waits.bar("a", "other", 9, 1.1)
    waits.wait("a", "k", 1, 1.1)
    assert waits.bar("a", "k", 1, 1.2)
    assert not waits.bar("b", "k", 1, 1.2)
    waits.end("b", "k")
    waits.wait("b", "k", 1, 1.2)
    assert waits.bar("b", "k", 1, 1.2)


def test_what_is_not_said_again_is_over() -> None:
    """A replica that is gone keeps nothing free."""
    waits = Waits()
    waits.wait("b", "k", 0, 1.0)
    assert waits.bar("a", "k", 1, 1.0 + 0.99 * WAITS)
    assert not waits.bar("a", "k", 1, 1.0 + WAITS)
    waits.wait("b", "k", 0, 2.0)
    waits.wait("b", "k", 0, 2.2)
    assert waits.bar("a", "k", 1, 2.0 + WAITS)


def test_memory_is_bounded() -> None:
    """Those that do not fit have their turn when one of the others has had it."""
    waits = Waits()
    for number in range(MOST_WAITING + 1):
        waits.wait(f"r{number}", "k", number, 1.0)
    assert len(waits._present("k", 1.0)) == MOST_WAITING
    waits.end("r0", "k")
    waits.wait("late", "k", 0, 1.0)
    assert waits.bar("r1", "k", 1, 1.1)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_a_freed_slot_goes_to_the_one_that_waits(ledger: Ledger) -> None:
    """Not to the one that gave it back, which asks in the same batch; then that one is next."""
    a, b = Replica.of(ledger, "a"), Replica.of(ledger, "b")
    for _ in range(2):
        assert isinstance(a.ask(SLOT, 1_000.0), Granted)
    assert isinstance(b.ask(SLOT, 1_000.0), Denied)
    assert b.op("totals", ["slots"], ["slots"], now=1_000.0) == [2]
    a.leave(ONE, 1_000.1)
    assert a.ask(SLOT, 1_000.1) == Denied("slots", totals={"slots": 1})
    assert isinstance(b.ask(SLOT, 1_000.1), Granted)
    a.op("totals", ["slots"], ["slots"], now=1_000.1)
    b.op("totals", ["slots"], ["slots"], now=1_000.2)
    b.leave(ONE, 1_000.2)
    # It holds none now, and the other one: it goes first.
    assert isinstance(b.ask(SLOT, 1_000.2), Granted)


def test_what_is_in_shadow_or_beyond_limits_waits_for_none(ledger: Ledger) -> None:
    """Nor does a replica that says that it waits no more keep anything free."""
    a, b = Replica.of(ledger, "a"), Replica.of(ledger, "b")
    a.ask(SLOT, 1_000.0)
    b.op("totals", ["slots"], ["slots"], now=1_000.0)
    assert isinstance(a.ask(Ask((Holding("slots", 1 << 50),)), 1_000.0), Granted)
    assert a.ask(Ask((Holding("slots", 9, soft=True),)), 1_000.0) == Granted(1_000.0, {"slots": 3})
    assert isinstance(a.ask(Ask((Holding("slots", 9),)), 1_000.0), Denied)
    b.op("totals", ["slots"], [], now=1_000.0)
    assert isinstance(a.ask(Ask((Holding("slots", 9),)), 1_000.0), Granted)


@pytest.mark.parametrize("seed", range(20))
def test_no_replica_goes_twice_before_one_that_waits_and_holds_no_more(ledger: Ledger, seed: int) -> None:
    """Whatever is given back when: all replicas wait all the time, and say so every 100 ms."""
    chance = Random(seed)
    limit, now = chance.randint(1, 9), 1_000.0
    need = Ask((Holding("slots", limit),))
    replicas = [Replica.of(ledger, name) for name in "abcd"]
    held: Counter[str] = Counter()
    passed: Counter[tuple[str, str]] = Counter()
    turns: Counter[str] = Counter()
    for _ in range(400):
        now = round(now + 0.05, 6)
        for each in replicas:
            each.op("totals", ["slots"], ["slots"], now=now)
        for each in chance.sample(replicas, 4):
            if held[each.name] and chance.random() < 0.4:
                each.leave(ONE, now)
                held[each.name] -= 1
            if isinstance(each.ask(need, now), Granted):
                for other in replicas:
                    passed[other.name, each.name] += held[other.name] <= held[each.name]
                    passed[each.name, other.name] = 0
                    assert passed[other.name, each.name] <= 2
                held[each.name] += 1
                turns[each.name] += 1
                each.op("totals", ["slots"], ["slots"], now=now)
    assert sum(held.values()) <= limit
    assert max(turns.values()) < 1.5 * min(turns.values())
