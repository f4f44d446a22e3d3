"""Totals, and each replica's part."""

from __future__ import annotations

from aibridge_trio.core.sharing.ledger_holdings import Holdings


def test_totals_are_sums() -> None:
    """A replica gives back what it holds, not more."""
    holdings = Holdings(lambda _key: None)
    holdings.replace("a", {"slots": 2})
    holdings.replace("b", {"slots": 1, "x": 5})
    assert holdings.totals == {"slots": 3, "x": 5}
    assert holdings.take("a", "slots", 5) == 2
    assert holdings.take("a", "x", 1) == 0
    holdings.replace("b", {"slots": 4})
    assert holdings.totals == {"slots": 4}


def test_a_watched_key_is_reported_once() -> None:
    """When its total becomes less; nothing can be freed of a key that no replica holds."""
    freed: list[str] = []
    holdings = Holdings(freed.append)
    assert holdings.watch("slots") == 0
    holdings.replace("a", {"slots": 3})
    assert holdings.watch("slots") == 3
    holdings.add("a", "slots", 1)
    assert not freed
    holdings.take("a", "slots", 1)
    holdings.take("a", "slots", 1)
    assert freed == ["slots"]
