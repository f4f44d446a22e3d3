"""Budgets against the standard library's calendar, and a clock that is set."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.budgets import PERIODS, Budgets, date_of, period_number, period_start
from aibridge_trio.core.terms import Period, TokenBudget

TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()  # a Monday
DAY = 86_400.0


def start_of(per: Period, at: datetime) -> datetime:
    """Return the beginning of a period, as the standard library has it."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if per == "month" else day


@given(TIMES, st.sampled_from(PERIODS))
def test_periods_are_the_calendars(at: datetime, per: Period) -> None:
    """A period begins with its day, its Monday, its first of the month; the next one where it ends."""
    number = period_number(per, at.timestamp())
    assert period_start(per, number) == start_of(per, at).timestamp()
    ends = period_start(per, number + 1)
    assert period_number(per, ends) == number + 1
    assert period_number(per, ends - 0.001) == number
    assert date_of(at.timestamp()) == f"{at:%Y-%m-%d}"


@pytest.mark.parametrize(("per", "ends"), [("day", "2026-12-01"), ("week", "2026-12-07"), ("month", "2026-12-01")])
def test_a_budget_ends_with_its_period(per: Period, ends: str) -> None:
    """What was spent counts until then, and not a moment longer."""
    budgets, budget = Budgets(), TokenBudget(100, per)
    budgets.settle("a", 0, 100, NOON)
    state = budgets.state("a", budget, NOON)
    assert (state.spent, state.exhausted, date_of(state.ends_at)) == (100, True, ends)
    assert budgets.state("a", budget, state.ends_at - 0.001).exhausted
    assert budgets.left("a", budget, state.ends_at - 0.001) == 0
    assert budgets.left("a", budget, state.ends_at) == 100
    assert budgets.state("a", budget, state.ends_at).spent == 0
    assert not budgets.state("b", budget, NOON).exhausted


def test_running_requests_count() -> None:
    """Fifty at once cannot each spend what is left for one."""
    budgets, budget = Budgets(), TokenBudget(100, "day")
    admitted = 0
    for _ in range(50):
        assert (budgets.left("a", budget, NOON) <= 0) == budgets.state("a", budget, NOON).reserved
        if not budgets.state("a", budget, NOON).reserved:
            budgets.reserve("a", 40, NOON)
            admitted += 1
    assert admitted == 3
    state = budgets.state("a", budget, NOON)
    assert (state.exhausted, state.reserved) == (False, True)
    for _ in range(3):
        budgets.settle("a", 40, 10, NOON)
    state = budgets.state("a", budget, NOON)
    assert (state.spent, state.running, state.reserved) == (30, 0, False)


def test_a_request_over_midnight_is_spent_when_it_ends() -> None:
    """Its reservation goes with it into the new day."""
    budgets, budget = Budgets(), TokenBudget(100, "day")
    budgets.reserve("a", 50, NOON)
    assert budgets.state("a", budget, NOON + DAY).running == 50
    budgets.settle("a", 50, 60, NOON + DAY)
    assert budgets.state("a", budget, NOON + DAY)[1:3] == (60, 0)


def test_the_period_of_a_budget_may_change() -> None:
    """What was spent on other days of the month counts for a budget of the month at once."""
    budgets = Budgets()
    budgets.settle("a", 0, 70, NOON - DAY)
    budgets.settle("a", 0, 50, NOON)
    assert budgets.state("a", TokenBudget(100, "day"), NOON).spent == 50
    assert budgets.state("a", TokenBudget(100, "week"), NOON).spent == 50
    assert budgets.state("a", TokenBudget(100, "month"), NOON).spent == 120


@given(st.lists(st.tuples(st.floats(-40 * DAY, 40 * DAY), st.integers(0, 1000)), max_size=20))
def test_a_clock_that_goes_back_gives_nothing_anew(steps: list[tuple[float, int]]) -> None:
    """Within the real month what is spent never becomes less by going back, nor more than what was used."""
    budgets, budget = Budgets(), TokenBudget(10**9, "month")
    wall, total = NOON, 0
    for step, used in steps:
        before = budgets.state("a", budget, wall).spent
        wall += step
        after = budgets.state("a", budget, wall).spent
        assert after == before if step <= 0 else after in (before, 0)
        budgets.settle("a", 0, used, wall)
        total += used
        assert budgets.state("a", budget, wall).spent == after + used <= total


def test_a_clock_that_is_corrected_across_midnight() -> None:
    """A second forth and back: the new day goes on, and does not begin twice."""
    budgets, budget = Budgets(), TokenBudget(100, "day")
    midnight = period_start("day", period_number("day", NOON) + 1)
    budgets.settle("a", 0, 80, midnight - 10)
    budgets.settle("a", 0, 30, midnight + 1)
    assert budgets.state("a", budget, midnight - 1).spent == 30
    assert budgets.state("a", budget, midnight + 2).spent == 30


def test_a_clock_that_was_far_ahead() -> None:
    """What was spent then counts for the real day, which ends as it should."""
    budgets, budget = Budgets(), TokenBudget(100, "day")
    budgets.settle("a", 0, 80, NOON + 3000 * DAY)
    assert budgets.state("a", budget, NOON).spent == 80
    assert budgets.state("a", budget, NOON + DAY).spent == 0


@given(
    st.dictionaries(
        st.text(max_size=5), st.lists(st.tuples(st.floats(0, 40 * DAY), st.integers(0, 10**9)), max_size=5)
    ),
    st.floats(0, 40 * DAY),
)
def test_a_snapshot_is_the_budgets(spending: dict[str, list[tuple[float, int]]], later: float) -> None:
    """Restored from its JSON, each budget has spent what it had, at any later time."""
    budgets = Budgets()
    for name, each in spending.items():
        for after, used in sorted(each):
            budgets.settle(name, 0, used, NOON + after)
    wall = NOON + 40 * DAY
    restored = Budgets()
    restored.restore(json.loads(json.dumps(budgets.snapshot())))
    for name in spending:
        for per in PERIODS:
            budget = TokenBudget(1, per)
            assert restored.state(name, budget, wall + later) == budgets.state(name, budget, wall + later)


@pytest.mark.parametrize(
    "saved",
    [
        {"a": 1},
        {"a": {}},
        {"a": {"day": [1], "week": [1, 2], "month": [1, 2]}},
        {"a": {"day": [1, -2]}},
        {"a": {"day": [-1, 2]}},
        {"a": {"day": [10**6, 2]}},
        {"a": {"day": [1, 10**400]}},
    ],
)
def test_what_is_no_snapshot_is_refused(saved: Any) -> None:
    """It changes nothing."""
    budgets = Budgets()
    with pytest.raises(ValueError, match=r"of a day|a day or tokens"):
        budgets.restore(saved)
    assert len(budgets) == 0


def test_two_processes_that_overlap_count_together() -> None:
    """The new one reads what the old one had spent; and later what it has spent since, in the same period."""
    old, new = Budgets(), Budgets()
    old.settle("a", 0, 70, NOON - DAY)
    old.settle("a", 0, 10, NOON)
    before = new.restore(old.snapshot())
    old.settle("a", 0, 5, NOON)
    old.settle("b", 0, 3, NOON)
    new.settle("a", 0, 200, NOON)
    new.restore(old.snapshot(), before)
    assert [new.state("a", TokenBudget(1, per), NOON).spent for per in PERIODS] == [215, 215, 285]
    assert new.state("b", TokenBudget(1, "day"), NOON).spent == 3


def test_callers_are_bounded() -> None:
    """Whatever names come, memory is bounded."""
    budgets = Budgets(max_callers=10)
    for number in range(100):
        budgets.reserve(str(number), 1, NOON)
    assert len(budgets) == 10
