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


@pytest.mark.parametrize("cause", ["requests", "tokens"])
def test_a_spent_quota_is_the_sdks_rate_limit_error(
    cause: str, provider: Provider, gpt: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    """With the provider's code, and headers that say how much is left."""
    provider.change(**{f"{cause}_per_minute": 1 if cause == "requests" else 60, "quota_burst": 1})
    gpt.chat.completions.create(model="m", messages=ASK)
    claude.messages.create(model="m", max_tokens=64, messages=ASK)
    with pytest.raises(openai.RateLimitError) as theirs:
        gpt.chat.completions.create(model="m", messages=ASK)
    assert (theirs.value.code, theirs.value.type) == ("rate_limit_exceeded", cause)
    assert theirs.value.response.headers[f"x-ratelimit-remaining-{cause}"] == "0"
    with pytest.raises(anthropic.RateLimitError) as others:
        claude.messages.create(model="m", max_tokens=64, messages=ASK)
    assert others.value.response.headers[f"anthropic-ratelimit-{cause}-remaining"] == "0"


def test_full_slots_are_the_sdks_overload(
    provider: Provider, gpt: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    """503 and 529, which the SDKs retry, until the stream that holds the slot is closed."""
    provider.change(slots=1)
    provider.script({"fault": "stall"})
    with gpt.chat.completions.create(model="m", messages=ASK, stream=True):
        with pytest.raises(openai.InternalServerError) as full:
            gpt.chat.completions.create(model="m", messages=ASK)
        assert (full.value.status_code, full.value.code) == (503, "server_is_overloaded")
        with pytest.raises(anthropic.APIStatusError, match="overloaded_error") as others:
            claude.messages.create(model="m", max_tokens=64, messages=ASK)
        assert others.value.status_code == 529
    patient = gpt.with_options(max_retries=5)
    assert patient.chat.completions.create(model="m", messages=ASK).choices[0].finish_reason == "stop"
