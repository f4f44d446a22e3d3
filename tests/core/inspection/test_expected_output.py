"""How many tokens an answer may have, before it comes."""

from __future__ import annotations

import pytest

from aibridge_trio.core.inspection.expected_output import ExpectedOutput


@pytest.mark.parametrize(
    ("found", "tokens"),
    [
        ({}, 1000),
        ({"max_tokens": 50}, 50),
        ({"max_tokens": 50, "max_output_tokens": 70}, 70),
        ({"max_tokens": 50, "n": 3}, 150),
        ({"max_tokens": 50, "n": 10**9}, 50 * 128),
        ({"max_tokens": 50, "n": 0}, 50),
        ({"max_tokens": "50", "n": "3"}, 1000),
        ({"max_tokens": True}, 1000),
    ],
)
def test_what_a_request_permits_comes_before_what_is_usual(found: dict[str, object], tokens: int) -> None:
    """The greatest maximum counts, for each of the answers that are asked for; other values do not."""
    assert ExpectedOutput().tokens("openai", found) == tokens


def test_what_is_usual_follows_the_answers_of_each_provider() -> None:
    """It comes near what answers have, and another provider's stays."""
    expected = ExpectedOutput()
    for _ in range(100):
        expected.learn("openai", 200)
    assert 200 <= expected.tokens("openai", {}) <= 205
    assert expected.tokens("azure", {}) == 1000
