"""Which model an answer names, and which of the names that are configured it falls under."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.core.inspection.model import ModelPatterns, named_model, shown_model


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


@pytest.mark.parametrize(
    ("document", "model"),
    [
        ({"model": "gpt-x"}, "gpt-x"),
        ({"type": "message_start", "message": {"model": "claude-x"}}, "claude-x"),
        ({"type": "response.created", "response": {"model": "o3"}}, "o3"),
        ({"message": "text", "response": None}, None),
        ({"model": ["gpt-x"]}, None),
        ({}, None),
    ],
)
def test_an_answer_names_its_model(document: dict[str, Any], model: str | None) -> None:
    """In every dialect, whole or as the first event of a stream."""
    assert named_model(document) == model


def test_a_models_name_is_cut() -> None:
    """Callers and providers may send any text."""
    assert shown_model("x" * 1000) == "x" * 64
    assert shown_model("") is None
    assert shown_model(7) is None
