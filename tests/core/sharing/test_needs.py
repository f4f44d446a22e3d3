"""What a request asks for, and gives back."""

from __future__ import annotations

from aibridge_trio.core.sharing.needs import Ask, Holding, Leave, Settled, Use


def test_nothing_need_be_asked() -> None:
    """A request without limits asks for nothing, and gives nothing back."""
    assert not Ask()
    assert not Leave()
    assert Ask((Holding("slots", 1),))
    assert Ask(uses=(Use("rate:a", 1, 1.0),))
    assert Leave((("slots", 1),))
    assert Leave(settled=(Settled("tokens:a", 60.0, 1, 1),))
