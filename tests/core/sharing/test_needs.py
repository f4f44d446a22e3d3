"""What a request asks for, and gives back."""

from __future__ import annotations

from aibridge_trio.core.sharing.needs import Ask, BudgetUse, Granted, Holding, Leave, Settled, Use


def test_nothing_need_be_asked() -> None:
    """A request without limits asks for nothing, and gives nothing back."""
    assert not Ask()
    assert not Leave()
    assert Ask((Holding("slots", 1),))
    assert Ask(uses=(Use("rate:a", 1, 1.0),))
    assert Leave((("slots", 1),))
    assert Leave(settled=(Settled("tokens:a", 60.0, 1, 1),))


def test_what_is_not_used_is_given_back_whole() -> None:
    """But for soft needs that were not granted."""
    ask = Ask(
        (Holding("slots", 5), Holding("class:a", 5, soft=True)),
        (Use("rate:a", 1, 1.0), Use("tokens:a", 99, 60.0, 40, running=True), Use("rate:b", 1, 1.0, soft=True)),
        BudgetUse("a", 100, "day", 40),
    )
    left = Leave.unused(ask, Granted(7.0, short=("class:a", "rate:b")))
    assert left == Leave(
        (("slots", 1),), (Settled("tokens:a", 60.0, 40, 0),), ("a", 40, 0), (("rate:a", 1.0, 7.0),)
    )
