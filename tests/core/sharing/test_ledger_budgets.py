"""Budgets by the calendar."""

from __future__ import annotations

from aibridge_trio.core.sharing.ledger_budgets import LedgerBudgets

DAY = 86_400.0
# A Tuesday, noon.
NOON = 1_796_126_400.0


def test_a_period_ends() -> None:
    """What was spent counts in the day, the week and the month."""
    budgets = LedgerBudgets()
    assert budgets.spent("a", "day", NOON) == 0
    budgets.spend("a", 100, NOON)
    budgets.spend("a", 50, NOON + DAY)
    assert [budgets.spent("a", per, NOON + DAY) for per in ("day", "week", "month")] == [50, 150, 150]
    assert [budgets.spent("a", per, NOON + 7 * DAY) for per in ("day", "week", "month")] == [0, 0, 150]
    assert budgets.spent("a", "month", NOON + 31 * DAY) == 0


def test_a_period_does_not_begin_twice() -> None:
    """The clock may go back, a little or far: see core/budgets.py."""
    budgets = LedgerBudgets()
    budgets.spend("a", 100, NOON)
    assert budgets.spent("a", "day", NOON - DAY) == 100
    assert budgets.spent("a", "day", NOON - 5 * DAY) == 100
    budgets.spend("a", 1, NOON - 5 * DAY)
    assert budgets.spent("a", "day", NOON - 5 * DAY) == 101
    assert budgets.spent("a", "day", NOON) == 0


def test_old_budgets_are_forgotten() -> None:
    """Later than the longest period ends."""
    budgets = LedgerBudgets()
    budgets.spend("a", 100, NOON)
    budgets.expire(NOON + 41 * DAY)
    assert repr(budgets) == "<LedgerBudgets of 0 keys>"
