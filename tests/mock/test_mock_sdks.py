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


def test_an_unclean_end_raises_in_the_sdks(provider: Provider, gpt: openai.OpenAI) -> None:
    """A truncated stream is not taken for a complete one."""
    provider.script({"fault": "truncate", "after": 3})
    with pytest.raises(Exception, match=r"peer closed|incomplete|onnection"):
        list(gpt.chat.completions.create(model="m", messages=ASK, stream=True))
