"""Rejects of limits on tokens; what all rejects have in common is tested with the others."""

from __future__ import annotations

from aibridge_trio.errors import BudgetExhausted, TokenLimited


def test_turns_get_no_jitter() -> None:
    """They differ already: jitter in proportion to a long wait would bring some of them together."""
    assert (b"retry-after-ms", b"2500") in TokenLimited("caller", 2.5).headers(0.2)


def test_a_spent_budget_is_final() -> None:
    """No time to come back, and SDKs do not retry; days are not slept through."""
    names = dict(BudgetExhausted(1, "week", "2026-12-07").headers(0.2))
    assert names[b"x-should-retry"] == b"false"
    assert b"retry-after" not in names
