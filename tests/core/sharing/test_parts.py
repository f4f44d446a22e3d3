"""A replica's part of a limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.sharing.parts import budget_part, part


@given(st.integers(1, 10**6), st.integers(0, 10**4))
def test_parts_are_no_more_than_the_limit(limit: int, replicas: int) -> None:
    """Unless there are more replicas than the limit: each has 1."""
    assert part(limit, replicas) >= 1
    assert part(limit, replicas) * replicas <= max(limit, replicas)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**4))
def test_the_rest_of_a_budget_is_divided(tokens: int, spent: int, replicas: int) -> None:
    """An exhausted one has no parts."""
    assert 0 <= budget_part(tokens, spent, replicas) * max(1, replicas) <= max(0, tokens - spent)


def test_parts_by_example() -> None:
    """Ten replicas of 50 have 5 each; of 3, one each; without others, all of it."""
    assert [part(50, 10), part(3, 10), part(50, 1), part(50, 0)] == [5, 1, 50, 50]
    assert [budget_part(1000, 400, 3), budget_part(1000, 1200, 3)] == [200, 0]
