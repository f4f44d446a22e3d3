"""The budget of requests that are sent again."""

from __future__ import annotations

from aibridge_trio.core.adaptive.resend_budget import ResendBudget


def test_a_tenth_of_the_requests_may_be_sent_again_over_ten_minutes() -> None:
    """Whatever is asked for."""
    budget, resends = ResendBudget(0.0), 0
    for number in range(12_000):
        budget.request(number / 20)
        resends += budget.take(number / 20)
    assert 1200 <= resends <= 1200 + 30


def test_where_requests_are_rare_one_in_two_seconds_may_be_sent_again() -> None:
    """Ten minutes without a request, and the credit at first."""
    budget = ResendBudget(0.0)
    resends = sum(budget.take(second / 10) for second in range(6000))
    assert 295 <= resends <= 300 + 30


def test_unused_credit_is_bounded() -> None:
    """An hour of quiet does not pay for a storm."""
    budget = ResendBudget(0.0)
    assert budget.credit(3600.0) == 100.0


def test_a_request_that_came_long_ago_adds_no_time_twice() -> None:
    """Its upload was slow, and it counts at the time when it came."""
    budget = ResendBudget(0.0)
    for second in range(60):
        assert budget.take(0.0) or second >= 30
    budget.request(1000.0)
    full = budget.credit(1000.0)
    while budget.take(1000.0):
        pass
    budget.request(500.0)
    assert budget.credit(1000.0) < 2.0 < full
