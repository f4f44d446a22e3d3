"""Chat Completions, through OpenAI's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai

if TYPE_CHECKING:
    pass
from tests.mock.test_mock_sdks import ASK, ASK_FOR_TOOL, CHAT_TOOLS, TEXT, fresh, gpt, provider

__all__ = ["fresh", "gpt", "provider"]


def test_chat_answers_with_text_and_usage(gpt: openai.OpenAI) -> None:
    """A chat completion has the text, its reason to finish, and usage that adds up."""
    answer = gpt.chat.completions.create(model="gpt-x", messages=ASK)
    assert (answer.model, answer.choices[0].message.content) == ("gpt-x", TEXT)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.completion_tokens == 16
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 16
    assert answer._request_id


def test_chat_streams_a_word_a_chunk_and_usage_only_if_asked(gpt: openai.OpenAI) -> None:
    """Chat's last chunk carries usage exactly when `include_usage` asked for it."""
    plain = list(gpt.chat.completions.create(model="m", messages=ASK, stream=True))
    asked = list(
        gpt.chat.completions.create(model="m", messages=ASK, stream=True, stream_options={"include_usage": True})
    )
    for chunks in (plain, asked):
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
    assert [c.choices[0].finish_reason for c in plain][-1] == "stop"
    assert not any(c.usage for c in plain)
    assert asked[-1].choices == []
    assert asked[-1].usage
    assert asked[-1].usage.completion_tokens == 16


def test_chat_accumulates_through_the_sdks_own_helper(gpt: openai.OpenAI) -> None:
    """The SDK's stream helper puts the chunks together to the unary answer, tool calls included."""
    with gpt.chat.completions.stream(model="m", messages=ASK_FOR_TOOL, tools=CHAT_TOOLS) as stream:
        streamed = stream.get_final_completion().choices[0]
    unary = gpt.chat.completions.create(model="m", messages=ASK_FOR_TOOL, tools=CHAT_TOOLS).choices[0]
    choices: Any = (streamed, unary)
    for choice in choices:
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls
        assert call.type == "function"
        assert (call.function.name, call.function.arguments) == ("weather", '{"city": "x"}')
