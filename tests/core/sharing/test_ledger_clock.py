"""A store whose clock steps back and ahead: what is promised holds by true time, or is exceeded by the step."""

from __future__ import annotations

from random import Random

import pytest

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.needs import Ask, Denied, Granted, Holding, Use
from tests.support.batches import Replica

AMOUNT, SPAN = 5, 10.0
RATE = Ask(uses=(Use("r", AMOUNT, SPAN),))
SLOT = Ask((Holding("slots", 4),))


@pytest.mark.parametrize("seed", range(20))
def test_a_clock_that_steps_back_changes_nothing(seed: int) -> None:
    """In no ten seconds of true time are more than five admitted; all that a true clock admits is."""
    chance, true, step = Random(seed), 0.0, 0.0
    store, exact = Ledger(), Ledger()
    one, other = Replica.of(store, now=1e9), Replica.of(exact, now=1e9)
    times: list[float] = []
    for _ in range(300):
        true = round(true + chance.choice([0.05, 0.5, 2.0]), 6)
        if chance.random() < 0.05:
            step -= chance.choice([0.3, 3.0, 3_600.0, 1e6])
        found = one.ask(RATE, 1e9 + true + step)
        # The clock goes on from where it was: what is between two batches of a step back is lost, 2 s at most.
        if isinstance(found, Granted):
            times.append(true)
        assert isinstance(other.ask(RATE, 1e9 + true), Granted | Denied)
    for first, last in zip(times, times[AMOUNT:], strict=False):
        assert last - first >= SPAN - 1e-6
    assert len(times) > 0.7 * true / SPAN * AMOUNT


@pytest.mark.parametrize("ahead", [1.0, 5.0, 3_600.0])
def test_a_clock_that_steps_ahead_forgets_rates_by_so_much(ahead: float) -> None:
    """Twice the amount at most, for one step."""
    chance, store = Random(int(ahead)), Ledger()
    one, times, true = Replica.of(store, now=1e9), list[float](), 0.0
    stepped = chance.randrange(150, 250)
    for number in range(400):
        true = round(true + 0.1, 6)
        step = ahead if number > stepped else 0.0
        reply = one.send(now=1e9 + true + step)
        if reply.status == "lost":
            one.register(1e9 + true + step, {})
        if isinstance(one.ask(RATE, 1e9 + true + step), Granted):
            times.append(true)
    for first, last in zip(times, times[AMOUNT:], strict=False):
        assert last - first >= SPAN - ahead - 0.1
    for first, last in zip(times, times[2 * AMOUNT :], strict=False):
        assert last - first >= SPAN - 1e-6


def test_a_clock_that_steps_ahead_takes_replicas_for_silent() -> None:
    """By more than three seconds, until their next calls: others may get what they hold until then."""
    ledger = Ledger()
    a, b = Replica.of(ledger, "a"), Replica.of(ledger, "b")
    for _ in range(4):
        assert isinstance(a.ask(SLOT, 1_000.0), Granted)
    assert isinstance(b.ask(SLOT, 1_000.9), Denied)
    b.send(now=1_002.9)
    assert a.op("totals", ["slots"], [], now=1_002.9) == [4]
    assert b.send(now=1_010.0).status == "lost"
    b.register(1_010.0, {})
    assert isinstance(b.ask(SLOT, 1_010.0), Granted)
    assert a.send(now=1_010.5).status == "lost"
    a.register(1_010.5, {"slots": 4})
    assert b.op("totals", ["slots"], [], now=1_010.5) == [5]
    assert isinstance(b.ask(SLOT, 1_010.5), Denied)
