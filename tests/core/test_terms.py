"""What a caller may use."""

from __future__ import annotations

from aibridge_trio.core.terms import ClassTotals, Rate, Terms


def test_terms_limit_nothing_by_default() -> None:
    """A caller of whom nothing is written may use every model, as much as it likes."""
    terms = Terms()
    assert (terms.max_concurrency, terms.rate, terms.token_rate, terms.models, terms.budget) == (0, *[None] * 4)
    assert terms.priority == "normal"
    assert ClassTotals() == ClassTotals(max_concurrency=0, rate=None, token_rate=None)


def test_a_rate_is_by_the_second_by_default() -> None:
    """A number alone is a rate of a second."""
    assert Rate(10) == Rate(10, 1.0)
