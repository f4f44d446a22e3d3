"""What callers have spent at all workers."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.core.budgets import PERIODS, Budgets, period_number
from aibridge_trio.core.limits.store_keys import SPENT, of_caller
from aibridge_trio.core.sharing.ledger_budgets import LedgerBudgets
from aibridge_trio.core.terms import TokenBudget
from aibridge_trio.workers.budgets import CountedBudgets, SummedBudgets

NOW = 1_800_000_000.0
DAY = 86_400.0


def key_of_name(name: str) -> bytes:
    """As workers name a caller."""
    return name[::-1].encode()


def spent(**tokens: int) -> dict[str, Any]:
    """A snapshot of today."""
    number = {per: period_number(per, NOW) for per in PERIODS}
    return {name: {per: [number[per], each] for per in number} for name, each in tokens.items()}


class Counted:
    """The arbiter's count, and what is saved of it."""

    def __init__(self) -> None:
        self.ledger, self.now = LedgerBudgets(), NOW
        self.budgets = CountedBudgets(self.ledger, key_of_name, lambda: self.now)

    def spend(self, name: str, tokens: int) -> None:
        """As the arbiter counts it."""
        self.ledger.spend(SPENT + of_caller(key_of_name(name)), tokens, self.now)

    def today(self, name: str) -> int:
        """What the arbiter says."""
        return self.ledger.spent(SPENT + of_caller(key_of_name(name)), "day", self.now)


def test_what_the_arbiter_counts_is_saved_by_name() -> None:
    """Of callers that are known, and of no others."""
    counted = Counted()
    counted.budgets.know(["ada"])
    counted.spend("ada", 30)
    counted.spend("a stranger", 5)
    assert counted.budgets.snapshot() == spent(ada=30)


def test_what_was_saved_is_counted_on() -> None:
    """Also of callers that are configured later, and on top of what was spent meanwhile."""
    counted = Counted()
    counted.budgets.know(["ada"])
    counted.spend("ada", 1)
    counted.budgets.take(spent(ada=30, bob=7))
    assert (counted.today("ada"), counted.today("bob")) == (31, 7)
    counted.spend("bob", 2)
    assert counted.budgets.snapshot() == spent(ada=31, bob=9)
    # The file of a process that has run on meanwhile: what it has more.
    counted.budgets.take(spent(ada=35, bob=7))
    assert counted.budgets.snapshot() == spent(ada=36, bob=9)


def test_a_new_day_begins_anew() -> None:
    """As in a single process."""
    counted = Counted()
    counted.now += DAY
    counted.budgets.take(spent(ada=30))
    assert counted.today("ada") == 0
    counted.spend("ada", 3)
    assert counted.budgets.snapshot()["ada"]["day"][1] == 3


@pytest.mark.parametrize("wrong", [None, {"a": 3}, {"a": {"day": [1, -1]}}])
def test_what_is_damaged_changes_nothing(wrong: object) -> None:
    """It is a mistake, in both."""
    counted, summed = Counted(), SummedBudgets()
    counted.budgets.take(spent(ada=30))
    summed.take(spent(ada=30))
    for each in (counted.budgets, summed):
        with pytest.raises(ValueError, match=r"budgets|number|that cannot be"):
            each.take(wrong)
        assert each.snapshot() == spent(ada=30)


def test_what_workers_have_counted_themselves_is_added_once() -> None:
    """However often each reports, and whatever its processes have taken over."""
    summed = SummedBudgets()
    summed.take(spent(ada=30))
    workers = {number: Budgets() for number in (1, 2)}
    for number, each in workers.items():
        each.restore(summed.begins(number))
    for number, each in workers.items():
        each.reserve("ada", 0, NOW)
        each.settle("ada", 0, 10 * number, NOW)
        summed.heard(number, each.snapshot())
        summed.heard(number, each.snapshot())
    assert summed.snapshot() == spent(ada=60)
    # The process of one is replaced.
    workers[1] = Budgets()
    workers[1].restore(summed.begins(1))
    assert workers[1].state("ada", TokenBudget(100, "day"), NOW).spent == 60
    workers[1].settle("ada", 0, 5, NOW)
    for number, each in workers.items():
        summed.heard(number, each.snapshot())
    assert summed.snapshot() == spent(ada=65)
