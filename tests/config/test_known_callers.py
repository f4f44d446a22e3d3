"""Callers with names."""

from __future__ import annotations

from datetime import date

from aibridge_trio.config.known_callers import KnownCaller, KnownCallers


def test_a_caller_is_valid_through_its_last_day() -> None:
    """`expires` names the last day, not the first one after it."""
    caller = KnownCaller(name="dev-07", expires=date(2027, 3, 31))
    assert caller.valid_on(date(2027, 3, 31))
    assert not caller.valid_on(date(2027, 4, 1))
    assert KnownCaller(name="dev-08").valid_on(date.max)


def test_without_callers_none_is_known() -> None:
    """An empty list is none, however it came about."""
    assert not KnownCallers()
    assert KnownCallers(callers=(KnownCaller(name="dev-07"),))
