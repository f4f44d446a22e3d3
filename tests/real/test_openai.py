"""OpenAI's SDK through the real programs: what its user asked for, or the exception its user expects."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import openai
import pytest

from tests.support.processes import ASK, CHAT, PATIENCE, TEXT, Bridge, Provider, a_bridge, exhaust, until

pytestmark = pytest.mark.real

ASK_FOR_TOOL: Any = [{"role": "user", "content": "Please use a tool."}]
SCHEMA: Any = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
RESPONSES_TOOLS: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
CENTRAL = "sk-central-0123456789"


@pytest.fixture(scope="module")
def central(provider: Provider) -> Iterator[Bridge]:
    """A bridge with a key of its own."""
    with a_bridge(provider=provider, OPENAI_API_KEY=CENTRAL) as bridge:
        yield bridge


@pytest.fixture
def gpt(bridge: Bridge) -> Iterator[openai.OpenAI]:
    with bridge.gpt() as gpt:
        yield gpt


def chat(gpt: openai.OpenAI) -> Any:
    return gpt.chat.completions.create(model="m", messages=ASK)


def streamed(gpt: openai.OpenAI) -> Any:
    return gpt.chat.completions.create(model="m", messages=ASK, stream=True)


# What the SDK's user asked for


def test_chat_unary(gpt: openai.OpenAI) -> None:
    """A chat completion comes back whole, with usage and the provider's request id."""
    answer = chat(gpt)
    assert (answer.choices[0].message.content, answer.usage.completion_tokens) == (TEXT, 16)
    assert answer._request_id.startswith("req_mock")


def test_chat_streamed(gpt: openai.OpenAI) -> None:
    """A streamed completion has the unary one's text, and usage if it was asked for."""
    ask: Any = {"model": "m", "messages": ASK, "stream_options": {"include_usage": True}}
    with gpt.chat.completions.stream(**ask) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == TEXT
    assert answer.usage
    assert answer.usage.completion_tokens == 16


async def test_responses_streamed_by_the_async_client(bridge: Bridge) -> None:
    """The asynchronous SDK reads the same stream, under Trio."""
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    async with openai.AsyncOpenAI(base_url=f"{bridge.url}/openai/v1", api_key="k", http_client=http) as gpt:
        stream = await gpt.responses.create(model="m", input="hello", stream=True)
        events: list[Any] = [event async for event in stream]
    assert events[-1].response.output_text == TEXT


def test_chat_calls_tools(gpt: openai.OpenAI) -> None:
    """A tool call arrives with its arguments, unary and put together from a stream."""
    ask: Any = {"model": "m", "messages": ASK_FOR_TOOL, "tools": CHAT_TOOLS}
    with gpt.chat.completions.stream(**ask) as stream:
        answers: list[Any] = [gpt.chat.completions.create(**ask), stream.get_final_completion()]
    for answer in answers:
        (call,) = answer.choices[0].message.tool_calls
        assert (call.function.name, call.function.arguments) == ("weather", '{"city": "x"}')


@pytest.mark.parametrize("prefix", ["/openai/v1", "/copilot"])
def test_responses_unary_and_streamed(bridge: Bridge, prefix: str) -> None:
    """A response has text and usage either way, from OpenAI and from Copilot."""
    with bridge.gpt(prefix=prefix) as gpt:
        unary = gpt.responses.create(model="m", input="hello")
        events = list(gpt.responses.create(model="m", input="hello", stream=True))
    last: Any = events[-1]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    answers: list[Any] = [unary, last.response]
    for answer in answers:
        assert (answer.output_text, answer.usage.output_tokens) == (TEXT, 16)


def test_responses_call_tools(gpt: openai.OpenAI) -> None:
    """A function call arrives with its arguments, unary and put together from a stream."""
    ask: Any = {"model": "m", "input": "hello", "tools": RESPONSES_TOOLS, "tool_choice": "required"}
    with gpt.responses.stream(**ask) as stream:
        answers: list[Any] = [gpt.responses.create(**ask), stream.get_final_response()]
    for answer in answers:
        (call,) = answer.output
        assert (call.name, call.arguments) == ("weather", '{"city": "x"}')


def test_models_and_embeddings_pass_through(gpt: openai.OpenAI) -> None:
    """Models are listed and found by name, embeddings come as vectors."""
    assert [model.id for model in gpt.models.list()] == ["mock-large", "mock-small"]
    assert gpt.models.retrieve("ft:gpt:x").id == "ft:gpt:x"
    assert len(gpt.embeddings.create(model="m", input=["a", "b"]).data) == 2


def test_stored_data_is_the_callers_own(gpt: openai.OpenAI, provider: Provider) -> None:
    """Without a central key the routes to stored data lead to the provider."""
    gpt.responses.retrieve("resp_1")
    assert (provider.last()["method"], provider.last()["target"]) == ("GET", "/v1/responses/resp_1")


# What the provider says


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, openai.BadRequestError, None),
        (401, openai.AuthenticationError, "invalid_api_key"),
        (404, openai.NotFoundError, None),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, None),
        (503, openai.InternalServerError, "server_is_overloaded"),
    ],
)
def test_a_providers_error_arrives_as_it_was_said(
    gpt: openai.OpenAI, provider: Provider, status: int, kind: type[openai.APIStatusError], code: str | None
) -> None:
    """An upstream error is of the SDK's class for its status, with code, request id, wait and body intact."""
    provider.script({"status": status}, {"status": status})
    with pytest.raises(kind) as caught:
        chat(gpt)
    error, direct = caught.value, httpx.post(f"{provider.url}/v1/chat/completions", json={}, trust_env=False)
    assert (error.status_code, error.code) == (status, code)
    assert error.response.content == direct.content
    assert error.request_id
    assert error.request_id.startswith("req_mock")
    assert error.response.headers.get("retry-after") == direct.headers.get("retry-after")
    assert "x-aibridge-reject" not in error.response.headers


def test_an_error_in_midstream_raises(gpt: openai.OpenAI, provider: Provider) -> None:
    """An error event in a 200 stream arrives as the SDK's exception, with the provider's words."""
    provider.script({"fault": "error_event", "error_as": "nested", "after": 3, "times": 2})
    with pytest.raises(openai.APIError, match="overloaded"):
        list(streamed(gpt))
    with pytest.raises(openai.APIError, match="overloaded"):
        list(gpt.responses.create(model="m", input="hello", stream=True))


@pytest.mark.parametrize("after", [1, 3])
def test_a_truncated_stream_is_not_taken_for_a_complete_one(
    gpt: openai.OpenAI, provider: Provider, after: int
) -> None:
    """A stream that breaks upstream ends uncleanly: the SDK raises."""
    provider.script({"fault": "truncate", "after": after})
    heard: list[Any] = []
    with pytest.raises(openai.APIConnectionError) as caught:
        exhaust(streamed(gpt), heard)
    assert [chunk.choices[0].delta.content for chunk in heard] == ["", "This", " is"][:after]
    assert type(caught.value.__cause__).__name__ in ("RemoteProtocolError", "ReadError")


@pytest.mark.parametrize("fault", ["truncate", "reset"])
def test_a_broken_answer_is_a_broken_answer(gpt: openai.OpenAI, provider: Provider, fault: str) -> None:
    """A unary answer that breaks upstream raises; if it broke before its head, with 502."""
    provider.script({"fault": fault, "after": 1})
    with pytest.raises(openai.APIError) as caught:
        chat(gpt)
    assert getattr(caught.value, "status_code", None) == (502 if fault == "reset" else None)


# What the bridge says


def test_a_spent_budget_is_a_rate_limit_error(narrow: Bridge) -> None:
    """The rate limit's reject is the SDK's RateLimitError, with the message and when to come back."""
    with narrow.gpt("sk-rate-reject") as gpt, pytest.raises(openai.RateLimitError) as caught:
        exhaust((gpt.models.list() for _ in range(10)), [])
    error = caught.value
    assert "You've been rate limited. Please try again later." in error.message
    assert (error.code, error.type) == ("rate_limit", "rate_limit_error")
    headers = error.response.headers
    assert (headers["x-aibridge-reject"], headers["x-ratelimit-limit"]) == ("rate_limit", "1")
    assert 1 <= int(headers["retry-after"]) <= 2
    assert 0 < int(headers["retry-after-ms"]) <= 1200


def test_full_is_an_internal_server_error(narrow: Bridge, provider: Provider) -> None:
    """The capacity reject is the SDK's class for 503, told apart by code and message."""
    provider.script({"fault": "stall", "times": 2})
    with narrow.gpt("sk-one") as one, narrow.gpt("sk-two") as two, narrow.gpt("sk-three") as three:
        with streamed(one), streamed(two), pytest.raises(openai.InternalServerError) as caught:
            chat(three)
        until(lambda: narrow.in_flight() == 0, "slots back")
    error = caught.value
    assert "AI Bridge is currently at capacity. Please try again later." in error.message
    assert (error.status_code, error.code) == (503, "capacity")
    assert error.response.headers["retry-after"] in ("1", "2")


def test_an_open_breaker_is_an_internal_server_error(narrow: Bridge, provider: Provider) -> None:
    """The open breaker's reject says whose outage it is; the provider is not asked."""
    narrow.admin.post("/breakers/openai", json={"mode": "open"}).raise_for_status()
    with narrow.gpt("sk-open") as gpt, pytest.raises(openai.InternalServerError) as caught:
        chat(gpt)
    narrow.heal()
    assert "openai was taken out of service by its operator. Please try again later." in caught.value.message
    assert (caught.value.status_code, caught.value.code) == (503, "circuit_open")
    assert provider.stats()["requests"] == 0


def test_a_body_too_large_is_a_413(narrow: Bridge, provider: Provider) -> None:
    """A body over the limit is refused with the limit's number, before the provider is touched."""
    with narrow.gpt("sk-large") as gpt, pytest.raises(openai.APIStatusError) as caught:
        gpt.embeddings.create(model="m", input="x" * 200_000)
    assert caught.value.status_code == 413
    assert "102400 bytes" in caught.value.message
    assert provider.stats()["requests"] == 0


def test_an_unlisted_route_is_not_found(narrow: Bridge, provider: Provider) -> None:
    """What is not on the allow-list is the SDK's NotFoundError, and never reaches the provider."""
    with narrow.gpt("sk-files") as gpt, pytest.raises(openai.NotFoundError) as caught:
        gpt.fine_tuning.jobs.list()
    assert "route not supported: GET /openai/v1/fine_tuning/jobs" in caught.value.message
    assert provider.stats()["requests"] == 0


def test_silence_and_absence_are_internal_server_errors(narrow: Bridge, provider: Provider) -> None:
    """A provider without an answer in time is a 504, one that is not there a 502, each with the phase."""
    provider.script({"delay": 60})
    with narrow.gpt("sk-silent") as gpt, pytest.raises(openai.InternalServerError, match="phase: head") as late:
        chat(gpt)
    until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")
    absent = ("--openai-base-url", "http://127.0.0.1:1/v1")
    with (
        a_bridge(*absent) as bridge,
        bridge.gpt() as gpt,
        pytest.raises(openai.InternalServerError, match="phase: connect") as gone,
    ):
        chat(gpt)
    assert (late.value.status_code, gone.value.status_code) == (504, 502)
    assert gone.value.type == "server_error"


def test_what_could_mislead_is_a_bad_request(bridge: Bridge, provider: Provider) -> None:
    """An empty credential, or a slash hidden in a path, is the SDK's BadRequestError and goes no further."""
    with bridge.gpt() as gpt, pytest.raises(openai.BadRequestError, match="empty credential header"):
        gpt.with_options(default_headers={"x-api-key": ""}).models.list()
    with bridge.gpt() as gpt, pytest.raises(openai.BadRequestError, match="path with a dot segment"):
        gpt.models.retrieve("../files")
    assert provider.stats()["requests"] == 0


def test_a_slash_in_a_model_s_name_goes_up(bridge: Bridge, provider: Provider) -> None:
    """The SDK encodes it, and it arrives as it was sent."""
    with bridge.gpt() as gpt, suppress(openai.NotFoundError):
        gpt.models.retrieve("meta-llama/Llama-3")
    assert provider.last()["target"] == "/v1/models/meta-llama%2FLlama-3"


def test_a_rate_reject_is_retried_and_succeeds(narrow: Bridge, provider: Provider) -> None:
    """Of two quick calls the second waits as long as Retry-After says, and both are answered, once each."""
    before = narrow.rejects("rate_limit")
    with narrow.gpt("sk-retry", retries=2) as gpt:
        assert [chat(gpt).choices[0].message.content for _ in range(2)] == [TEXT, TEXT]
    assert provider.stats()["requests"] == 2
    assert narrow.rejects("rate_limit") == before + 1


def test_a_capacity_reject_is_retried_and_succeeds(narrow: Bridge, provider: Provider) -> None:
    """A call that met a full bridge is answered once a slot is free; the SDK's user sees nothing of it."""
    before, answers = narrow.rejects("capacity"), list[Any]()
    provider.script({"fault": "stall", "times": 2})
    with (
        narrow.gpt("sk-a") as one,
        narrow.gpt("sk-b") as two,
        narrow.gpt("sk-c", retries=2) as three,
    ):
        caller = threading.Thread(target=lambda: answers.append(chat(three)))
        with streamed(one), streamed(two):
            caller.start()
            until(lambda: narrow.rejects("capacity") > before, "a reject")
        caller.join(PATIENCE)
    assert [answer.choices[0].message.content for answer in answers] == [TEXT]
    assert provider.stats()["requests"] == 3


# Callers that leave


def test_a_stream_abandoned_frees_the_provider_and_the_slot(bridge: Bridge, provider: Provider) -> None:
    """A stream that is closed half-way is cancelled at the provider, and holds nothing any more."""
    provider.script({"fault": "stall", "after": 4})
    with bridge.gpt() as gpt:
        stream = streamed(gpt)
        assert next(iter(stream)).choices
        assert bridge.in_flight() == 1
        stream.close()
        until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")
        until(lambda: bridge.in_flight() == 0, "the slot back")
    assert provider.stats()["in_flight"] == 0


def test_a_call_given_up_frees_the_provider_and_the_slot(bridge: Bridge, provider: Provider) -> None:
    """A caller that stops waiting for a silent provider cancels the request there, and holds nothing any more."""
    provider.script({"delay": 60})
    with bridge.gpt(timeout=0.2) as gpt, pytest.raises(openai.APITimeoutError):
        chat(gpt)
    until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")
    until(lambda: bridge.in_flight() == 0, "the slot back")
    until(lambda: bridge.requests()[-1]["status"] == 499, "a line in the log")


# Whose key goes up


def test_without_a_central_key_the_callers_goes_up(bridge: Bridge, provider: Provider) -> None:
    """The caller's credential arrives as it came, the scheme's case included."""
    with bridge.gpt("sk-of-the-caller") as gpt:
        chat(gpt)
    assert provider.credentials() == {"authorization": "Bearer sk-of-the-caller"}
    bridge.caller.post(CHAT, headers={"authorization": "bEARER  x"}, json={})
    assert provider.credentials() == {"authorization": "bEARER  x"}


def test_a_central_key_replaces_the_callers(central: Bridge, provider: Provider) -> None:
    """With a central key the provider sees that one and never the caller's, wherever that one stood."""
    with central.gpt("sk-of-the-caller") as gpt:
        gpt.with_options(default_headers={"x-api-key": "sk-another"}).models.list()
        assert provider.credentials() == {"authorization": f"Bearer {CENTRAL}"}
        assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed(gpt)) == TEXT
    assert "sk-of-the-caller" not in json.dumps(provider.stats())
    with central.gpt("sk-of-the-caller", prefix="/copilot") as copilot:
        chat(copilot)
    assert provider.credentials() == {"authorization": "Bearer sk-of-the-caller"}


def test_a_central_key_does_not_show_stored_data(central: Bridge, provider: Provider) -> None:
    """The routes to an account's stored data do not exist for callers of a central key."""
    with central.gpt() as gpt, pytest.raises(openai.NotFoundError, match="route not supported"):
        gpt.responses.retrieve("resp_1")
    with central.gpt() as gpt, pytest.raises(openai.NotFoundError, match="route not supported"):
        gpt.conversations.create()
    assert provider.stats()["requests"] == 0


def test_callers_keys_can_be_let_through(provider: Provider) -> None:
    """With --forward-caller-keys a caller's own key goes up and opens its stored data."""
    with a_bridge("--forward-caller-keys", provider=provider, OPENAI_API_KEY=CENTRAL) as bridge:
        with bridge.gpt("sk-of-the-caller") as gpt:
            gpt.responses.delete("resp_1")
            assert provider.credentials() == {"authorization": "Bearer sk-of-the-caller"}
        bridge.caller.post(CHAT, json={})
        assert provider.credentials() == {"authorization": f"Bearer {CENTRAL}"}
        assert bridge.caller.get("/openai/v1/responses/resp_1").status_code == 404
