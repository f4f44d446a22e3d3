"""Messages, through Anthropic's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic

if TYPE_CHECKING:
    pass
from tests.mock.test_mock_sdks import ASK, ASK_FOR_TOOL, MESSAGES_TOOLS, TEXT, claude, fresh, provider

__all__ = ["claude", "fresh", "provider"]


def test_messages_answer_with_text_and_usage(claude: anthropic.Anthropic) -> None:
    """A message has the text, its reason to stop and usage with the cache's part."""
    answer = claude.messages.create(model="claude-x", max_tokens=64, messages=ASK)
    (block,) = answer.content
    assert block.type == "text"
    assert (block.text, answer.stop_reason, answer.model) == (TEXT, "end_turn", "claude-x")
    assert (answer.usage.output_tokens, answer.usage.cache_read_input_tokens) == (16, 0)
    assert answer._request_id


def test_messages_stream_in_their_order(claude: anthropic.Anthropic) -> None:
    """A streamed message keeps Anthropic's order of events, a ping among them."""
    stream = claude.messages.create(model="m", max_tokens=64, messages=ASK, stream=True)
    kinds = [event.type for event in stream]
    assert kinds == [
        *("message_start", "content_block_start"),
        *["content_block_delta"] * 16,
        *("content_block_stop", "message_delta", "message_stop"),
    ]  # the SDK keeps pings to itself


def test_messages_accumulate_through_the_sdks_own_helper(claude: anthropic.Anthropic) -> None:
    """The SDK's stream helper arrives at the unary answer, tool use included."""
    ask: Any = {"model": "m", "max_tokens": 64, "messages": ASK}
    with claude.messages.stream(**ask) as stream:
        assert stream.get_final_text() == TEXT
        assert stream.get_final_message().usage.output_tokens == 16
    ask |= {"tools": MESSAGES_TOOLS, "tool_choice": {"type": "tool", "name": "weather"}}
    with claude.messages.stream(**ask) as stream:
        streamed = stream.get_final_message()
    answers: Any = (streamed, claude.messages.create(**ask))
    for answer in answers:
        (block,) = answer.content
        assert block.type == "tool_use"
        assert (block.name, block.input, answer.stop_reason) == ("weather", {"city": "x"}, "tool_use")


def test_a_tools_result_does_not_ask_for_the_tool_again(claude: anthropic.Anthropic) -> None:
    """Only the last message can ask for a tool, so an agent's loop ends."""
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    used = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    history: Any = [
        *ASK_FOR_TOOL,
        {"role": "assistant", "content": [used]},
        {"role": "user", "content": [result]},
    ]
    answer = claude.messages.create(model="m", max_tokens=64, messages=history, tools=MESSAGES_TOOLS)
    assert answer.stop_reason == "end_turn"
