"""The real SDKs read what the mock says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from tests.support.mock_provider import Provider, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK: Any = [{"role": "user", "content": "hello"}]
ASK_FOR_TOOL: Any = [{"role": "user", "content": "Please use a tool."}]
SCHEMA: Any = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
RESPONSES_TOOLS: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
MESSAGES_TOOLS: Any = [{"name": "weather", "input_schema": SCHEMA}]
TEXT = "This is a mock: it says the same words, in the same order, to everyone who"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture(scope="module")
def gpt(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def claude(provider: Provider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.url, api_key="sk-ant-test", max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def fresh(provider: Provider) -> None:
    provider.clear()


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


def test_tokens_are_counted(claude: anthropic.Anthropic) -> None:
    """Counting tokens answers with a number that grows with the message."""
    few = claude.messages.count_tokens(model="m", messages=ASK)
    many: Any = [{"role": "user", "content": "hello " * 100}]
    assert 0 < few.input_tokens < claude.messages.count_tokens(model="m", messages=many).input_tokens


def test_models_are_listed_in_the_callers_dialect(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """Both SDKs can list models and get one by name."""
    assert [model.id for model in gpt.models.list()] == [model.id for model in claude.models.list()]
    assert gpt.models.retrieve("gpt-x").object == "model"
    assert claude.models.retrieve("claude-x").display_name == "claude-x"


def test_embeddings_come_as_floats(gpt: openai.OpenAI) -> None:
    """There is one vector per input, of the size asked for, whether sent as base64 or as floats."""
    packed = gpt.embeddings.create(model="m", input=["a", "b"], dimensions=4)
    plain = gpt.embeddings.create(model="m", input="a", dimensions=4, encoding_format="float")
    assert [len(each.embedding) for each in packed.data] == [4, 4]
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, openai.AuthenticationError, "invalid_api_key"),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, None),
        (503, openai.InternalServerError, "server_is_overloaded"),
    ],
)
def test_openais_errors_have_their_class_and_code(
    provider: Provider, gpt: openai.OpenAI, status: int, kind: type[openai.APIStatusError], code: str | None
) -> None:
    """An OpenAI error is of the SDK's class for its status and carries the provider's code."""
    provider.script({"status": status})
    with pytest.raises(kind) as caught:
        gpt.chat.completions.create(model="m", messages=ASK)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.request_id
    assert caught.value.response.headers.get("retry-after") == ("1" if status in (429, 503) else None)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, anthropic.AuthenticationError, "authentication_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_anthropics_errors_have_their_class_and_type(
    provider: Provider,
    claude: anthropic.Anthropic,
    status: int,
    kind: type[anthropic.APIStatusError],
    code: str,
) -> None:
    """An Anthropic error is of the SDK's class for its status and carries the provider's type."""
    provider.script({"status": status})
    with pytest.raises(kind) as caught:
        claude.messages.create(model="m", max_tokens=64, messages=ASK)
    body: Any = caught.value.body
    assert (caught.value.status_code, body["error"]["type"]) == (status, code)
    assert caught.value.request_id == body["request_id"]


def test_an_error_in_midstream_raises_in_both_sdks(
    provider: Provider, gpt: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    """The SDKs raise on the mock's error events: they are in the providers' shape."""
    provider.script({"fault": "error_event", "error_as": "nested", "after": 3, "times": 3})
    with pytest.raises(openai.APIError, match="overloaded"):
        list(gpt.chat.completions.create(model="m", messages=ASK, stream=True))
    with pytest.raises(openai.APIError, match="overloaded"):
        list(gpt.responses.create(model="m", input="hello", stream=True))
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        list(claude.messages.create(model="m", max_tokens=64, messages=ASK, stream=True))


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


def test_an_unclean_end_raises_in_the_sdks(provider: Provider, gpt: openai.OpenAI) -> None:
    """A truncated stream is not taken for a complete one."""
    provider.script({"fault": "truncate", "after": 3})
    with pytest.raises(Exception, match=r"peer closed|incomplete|onnection"):
        list(gpt.chat.completions.create(model="m", messages=ASK, stream=True))
