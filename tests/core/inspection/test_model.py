"""Which of the names that are configured a model falls under."""

from __future__ import annotations

from aibridge_trio.core.inspection.model import ModelPatterns


def test_named_models() -> None:
    """An exact name comes before a prefix, a longer prefix before a shorter one, and other models match none."""
    named = ModelPatterns(["gpt-5", "gpt-*", "gpt-5-*", "o3"])
    assert [named.find(model) for model in ("gpt-5", "gpt-5-mini", "gpt-4", "o3", "o3-pro", None)] == [
        "gpt-5",
        "gpt-5-*",
        "gpt-*",
        "o3",
        None,
        None,
    ]
