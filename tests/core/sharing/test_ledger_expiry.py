"""What is forgotten by itself."""

from __future__ import annotations

from aibridge_trio.core.sharing.ledger_expiry import Expiring


def test_what_is_out_of_date_is_forgotten() -> None:
    """Not before, and what was put off not at its first time."""
    values: Expiring[int] = Expiring(100)
    values.put("a", 1, 10.0)
    values.put("b", 2, 10.0)
    values.put("b", 3, 20.0)
    values.expire(9.9)
    assert len(values) == 2
    values.expire(10.0)
    assert (values.get("a"), values.get("b")) == (None, 3)
    values.expire(20.0)
    assert not len(values)


def test_few_are_looked_at_at_once() -> None:
    """However many are out of date; and never more are remembered than allowed."""
    values: Expiring[int] = Expiring(100)
    for number in range(150):
        values.put(str(number), number, 10.0)
    assert len(values) == 100
    values.expire(11.0)
    assert 80 <= len(values) < 100
    for _ in range(20):
        values.expire(11.0)
    assert not len(values)


def test_what_gave_way_is_looked_at_once() -> None:
    """Looks do not pile up for names that come again and again."""
    values: Expiring[int] = Expiring(1)
    for number in range(1_000):
        values.put(str(number % 2), number, 10.0 + number)
        values.expire(number + 9.0)
    assert len(values._looks) <= 20
    values.expire(5_000.0)
    values.expire(5_000.0)
    assert not len(values)
