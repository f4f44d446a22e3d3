"""Responses, through OpenAI's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai

from tests.support.mock_provider import Provider

if TYPE_CHECKING:
    pass
from tests.mock.test_mock_sdks import RESPONSES_TOOLS, TEXT, fresh, gpt, provider

__all__ = ["fresh", "gpt", "provider"]


def test_responses_answer_with_text_and_usage(gpt: openai.OpenAI) -> None:
    """A response has the text and usage that adds up."""
    answer = gpt.responses.create(model="m", input="hello")
    assert (answer.status, answer.output_text) == ("completed", TEXT)
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_responses_stream_in_their_order(gpt: openai.OpenAI) -> None:
    """A streamed response numbers its events and ends with the whole of it."""
    events = list(gpt.responses.create(model="m", input="hello", stream=True))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *["output_text.delta"] * 16,
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == TEXT
    assert last.response.usage
    assert last.response.usage.output_tokens == 16


def test_responses_call_tools_unary_and_streamed(gpt: openai.OpenAI) -> None:
    """A forced tool is called with what its schema demands, either way."""
    ask: Any = {"model": "m", "input": "hello", "tools": RESPONSES_TOOLS, "tool_choice": "required"}
    unary = gpt.responses.create(**ask)
    with gpt.responses.stream(**ask) as stream:
        streamed = stream.get_final_response()
    answers: Any = (unary, streamed)
    for answer in answers:
        (call,) = answer.output
        assert call.type == "function_call"
        assert (call.name, call.arguments) == ("weather", '{"city": "x"}')


def test_a_response_in_midstream_says_its_error_as_documented(provider: Provider, gpt: openai.OpenAI) -> None:
    """The documented error event is flat, and openai-python hands it on as an event."""
    provider.script({"fault": "error_event", "after": 3})
    last = list(gpt.responses.create(model="m", input="hello", stream=True))[-1]
    assert last.type == "error"
    assert (last.code, last.sequence_number) == ("server_is_overloaded", 3)
    assert last.message


def test_a_failed_response_says_why(provider: Provider, gpt: openai.OpenAI) -> None:
    """With `error_as` the stream ends in a failed response instead of an error."""
    provider.script(
        {"fault": "error_event", "error": "rate_limit_exceeded", "error_as": "response.failed", "after": 2}
    )
    last = list(gpt.responses.create(model="m", input="hello", stream=True))[-1]
    assert last.type == "response.failed"
    assert last.response.status == "failed"
    assert last.response.error
    assert (last.response.error.code, last.sequence_number) == ("rate_limit_exceeded", 2)
