from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibridge_trio.core.inspection.usage import TYPES, Usage
from tests.core.breaker.test_verdict import json_values

ANTHROPIC = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 4000,
    "output_tokens": 1,
    "service_tier": "standard",
}
CHAT = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 10},
}
RESPONSES = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 10},
    "total_tokens": 150,
}


@pytest.mark.parametrize(
    ("document", "usage"),
    [
        ({"type": "message", "usage": ANTHROPIC}, Usage(20, 1, 4000, 300)),
        ({"type": "message_start", "message": {"usage": ANTHROPIC}}, Usage(20, 1, 4000, 300)),
        ({"object": "chat.completion", "usage": CHAT}, Usage(36, 50, 64, 0)),
        ({"object": "chat.completion.chunk", "choices": [], "usage": CHAT}, Usage(36, 50, 64, 0)),
        ({"object": "response", "usage": RESPONSES}, Usage(36, 50, 64, 0)),
        ({"type": "response.completed", "response": {"usage": RESPONSES}}, Usage(36, 50, 64, 0)),
    ],
    ids=["message", "message_start", "chat", "chunk", "response", "response.completed"],
)
def test_each_provider_s_shape(document: dict[str, Any], usage: Usage) -> None:
    """Every dialect's report, unary and streamed, is read where it stands."""
    assert Usage().updated(document) == usage


def test_counts_are_disjoint() -> None:
    """Cached tokens are counted apart from the input in every dialect, so that the counts add up."""
    usage = Usage().updated({"usage": CHAT})
    assert usage.input + usage.cache_read == CHAT["prompt_tokens"]
    usage = Usage().updated({"usage": ANTHROPIC})
    assert (usage.input, usage.cache_read, usage.cache_write) == (20, 4000, 300)


def test_message_delta_is_cumulative() -> None:
    """Later reports of a stream replace earlier ones, count by count, and never add to them."""
    usage = Usage().updated({"type": "message_start", "message": {"usage": ANTHROPIC}})
    for output in (10, 25):
        usage = usage.updated({"type": "message_delta", "usage": {"output_tokens": output}})
    assert usage == Usage(20, 25, 4000, 300)


def test_message_delta_may_report_all() -> None:
    """A `message_delta` that repeats input and cache (server tools do that) replaces them too."""
    usage = Usage().updated({"type": "message_start", "message": {"usage": ANTHROPIC}})
    delta = {"input_tokens": 21, "cache_read_input_tokens": 4001, "output_tokens": 2}
    assert usage.updated({"type": "message_delta", "usage": delta}) == Usage(21, 2, 4001, 300)


def test_without_a_cache_all_input_is_input() -> None:
    """A report without details counts its whole input, and no cache."""
    assert Usage().updated({"usage": {"prompt_tokens": 7, "completion_tokens": 3}}) == Usage(7, 3, 0, 0)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"usage": None},
        {"usage": []},
        {"usage": "many"},
        {"message": None, "response": 3},
        {"usage": {"input_tokens": "5", "output_tokens": 5.0}},
        {"usage": {"input_tokens": True, "output_tokens": -1}},
        {"usage": {"output_tokens": 10**9 + 1}},
        {"usage": {"output_tokens": 10**300}},
        {"usage": {"input_tokens": {"cached_tokens": 5}}},
        {"usage": {"prompt_tokens_details": None, "input_tokens_details": [1]}},
        {"usage": {"prompt_tokens_details": {"cached_tokens": "64"}}},
    ],
)
def test_garbage_changes_nothing(document: dict[str, Any]) -> None:
    """What is no plausible count is ignored, and what was known stays."""
    known = Usage(1, 2, 3, 4)
    assert known.updated(document) == known


def test_cached_beyond_the_input_is_not_negative() -> None:
    """A report that contradicts itself yields no negative count."""
    report = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 64}}
    assert Usage().updated({"usage": report}).input == 0


@given(
    st.dictionaries(
        st.sampled_from(["usage", "message", "response"]),
        st.dictionaries(st.sampled_from([*ANTHROPIC, *CHAT, *RESPONSES, "usage"]), json_values, max_size=6)
        | json_values,
    )
)
@example({"usage": {"input_tokens_details": {"cached_tokens": 10**400}}})
def test_any_document_yields_plausible_counts(document: dict[str, Any]) -> None:
    """No document makes it raise, and every count is from 0 to a milliard."""
    usage = Usage().updated(document)
    assert all(0 <= getattr(usage, name) <= 10**9 for name in TYPES)
