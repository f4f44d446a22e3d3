"""Asks: all or nothing."""

from __future__ import annotations

import pytest

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.needs import Ask, BudgetUse, Denied, Granted, Holding, Leave, Settled, Use
from tests.support.batches import Replica

NOW = 1_796_126_400.0


def replica() -> Replica:
    """Return one of a new ledger."""
    return Replica.of(Ledger(), now=NOW, ttl=600.0)


def test_an_ask_gets_all_or_nothing() -> None:
    """What is denied counts nowhere."""
    a = replica()
    ask = Ask((Holding("slots", 5), Holding("caller", 1)), (Use("rate", 10, 1.0),), BudgetUse("b", 100, "day", 10))
    assert a.ask(ask, NOW) == Granted(NOW, {"slots": 1, "caller": 1}, ((9, 1.0),), 0)
    assert a.ask(ask, NOW) == Denied("caller", 0.0, {"slots": 1, "caller": 1}, ((9, 1.0),), 0)
    a.leave(Leave((("slots", 1), ("caller", 1)), budget=("b", 10, 100)), NOW)
    assert a.ask(ask, NOW) == Denied("b", 0.0, {"slots": 0, "caller": 0}, ((9, 1.0),), 100)


def test_the_longest_wait_of_refusing_uses_is_told() -> None:
    """Its turn is remembered, the others have none."""
    a = replica()
    ask = Ask(uses=(Use("second", 1, 1.0), Use("minute", 1, 60.0)))
    a.ask(ask, NOW)
    assert a.ask(ask, NOW) == Denied("minute", 60.0, {}, ((0, 1.0), (0, 60.0)))
    assert a.ask(Ask(uses=(Use("second", 1, 1.0),)), NOW) == Denied("second", 1.0, {}, ((0, 1.0),))
    later = a.ask(Ask(uses=(Use("second", 1, 1.0),)), NOW)
    assert isinstance(later, Denied)
    assert later.wait == pytest.approx(2.05)


def test_soft_needs_refuse_nothing() -> None:
    """They are taken where they are free."""
    a = replica()
    ask = Ask((Holding("slots", 1, soft=True),), (Use("rate", 1, 1.0, soft=True),))
    assert a.ask(ask, NOW) == Granted(NOW, {"slots": 1}, ((0, 1.0),))
    assert a.ask(ask, NOW) == Granted(NOW, {"slots": 1}, ((0, 1.0),), 0, ("slots", "rate"))


def test_running_uses_count_until_they_are_settled() -> None:
    """Then what was used counts for a span; one goes alone, however large it is."""
    a = replica()
    ask = Ask(uses=(Use("tokens", 100, 60.0, 150, running=True),))
    small = Ask(uses=(Use("tokens", 100, 60.0, 50, running=True),))
    assert a.ask(ask, NOW) == Granted(NOW, {}, ((0, 0.0),))
    assert a.ask(small, NOW) == Denied("tokens", 60.0, {}, ((0, 0.0),))
    a.leave(Leave(settled=(Settled("tokens", 60.0, 150, 40),)), NOW + 1.0)
    assert a.ask(small, NOW + 1.0) == Granted(NOW + 1.0, {}, ((10, 60.0),))


def test_reserved_budgets_count_as_spent() -> None:
    """Until they are given back."""
    a = replica()
    ask = Ask(budget=BudgetUse("b", 100, "week", 60))
    assert isinstance(a.ask(ask, NOW), Granted)
    assert isinstance(a.ask(ask, NOW), Granted)
    assert a.ask(ask, NOW) == Denied("b", 0.0, {}, (), 0)
    a.leave(Leave(budget=("b", 60, 30)), NOW)
    assert a.ask(ask, NOW) == Granted(NOW, {}, (), 30)


def test_a_request_that_did_not_go_up_is_not_counted() -> None:
    """`Granted.at` says which."""
    a = replica()
    ask = Ask(uses=(Use("rate", 1, 10.0),))
    granted = a.ask(ask, NOW)
    assert isinstance(granted, Granted)
    a.leave(Leave(uncounted=(("rate", 10.0, granted.at),)), NOW + 1.0)
    assert isinstance(a.ask(ask, NOW + 1.0), Granted)
    a.leave(Leave(uncounted=(("rate", 10.0, NOW - 5.0), ("rate", 10.0, 0.0), ("no", 1.0, NOW))), NOW + 12.0)
    assert isinstance(a.ask(ask, NOW + 12.0), Granted)


def test_needs_of_one_key_add_up() -> None:
    """Twice in one ask."""
    a = replica()
    assert a.ask(Ask((Holding("slots", 1), Holding("slots", 1))), NOW) == Denied("slots", 0.0, {"slots": 0})
    twice = Ask(uses=(Use("rate", 1, 1.0), Use("rate", 1, 1.0)))
    assert isinstance(a.ask(twice, NOW), Denied)
    both = Ask(uses=(Use("rate", 2, 1.0), Use("rate", 2, 1.0)))
    assert isinstance(a.ask(both, NOW + 10.0), Granted)
    assert a.ask(Ask(uses=(Use("rate", 2, 1.0),)), NOW + 10.0) == Denied("rate", 1.0, {}, ((0, 1.0),))
