"""Anthropic's SDK through the real programs: what its user asked for, or the exception its user expects."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from tests.support.processes import ASK, MESSAGES, PATIENCE, TEXT, Bridge, Provider, a_bridge, exhaust, until

pytestmark = pytest.mark.real

SCHEMA: Any = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
TOOLS: Any = [{"name": "weather", "input_schema": SCHEMA}]
ASKED: Any = {"model": "m", "max_tokens": 64, "messages": ASK}
VERSION = {"anthropic-version": "2023-06-01"}
CENTRAL = "sk-ant-central-0123456789"


@pytest.fixture(scope="module")
def central(provider: Provider) -> Iterator[Bridge]:
    """A bridge with a key of its own."""
    with a_bridge(provider=provider, ANTHROPIC_API_KEY=CENTRAL) as bridge:
        yield bridge


@pytest.fixture
def claude(bridge: Bridge) -> Iterator[anthropic.Anthropic]:
    with bridge.claude() as claude:
        yield claude


def message(claude: anthropic.Anthropic) -> Any:
    return claude.messages.create(**ASKED)


def streamed(claude: anthropic.Anthropic) -> Any:
    return claude.messages.create(**ASKED, stream=True)


def heard(stream: Any) -> Iterator[str]:
    """The text of a stream, piece by piece."""
    return (event.delta.text for event in stream if event.type == "content_block_delta")


# What the SDK's user asked for


def test_messages_unary(claude: anthropic.Anthropic) -> None:
    """A message comes back whole, with usage and the provider's request id."""
    answer = message(claude)
    assert (answer.content[0].text, answer.usage.output_tokens) == (TEXT, 16)
    assert answer._request_id.startswith("req_mock")


def test_messages_streamed(claude: anthropic.Anthropic) -> None:
    """A streamed message has the unary one's text and usage."""
    with claude.messages.stream(**ASKED) as stream:
        assert stream.get_final_text() == TEXT
        assert stream.get_final_message().usage.output_tokens == 16


async def test_messages_streamed_by_the_async_client(bridge: Bridge) -> None:
    """The asynchronous SDK reads the same stream, under Trio."""
    http = anthropic.DefaultAsyncHttpxClient(trust_env=False)
    async with (
        anthropic.AsyncAnthropic(base_url=f"{bridge.url}/anthropic", api_key="k", http_client=http) as claude,
        claude.messages.stream(**ASKED) as stream,
    ):
        assert await stream.get_final_text() == TEXT


def test_messages_use_tools(claude: anthropic.Anthropic) -> None:
    """A tool use arrives with its input, unary and put together from a stream."""
    ask: Any = ASKED | {"tools": TOOLS, "tool_choice": {"type": "tool", "name": "weather"}}
    with claude.messages.stream(**ask) as stream:
        answers: list[Any] = [claude.messages.create(**ask), stream.get_final_message()]
    for answer in answers:
        (block,) = answer.content
        assert (block.name, block.input, answer.stop_reason) == ("weather", {"city": "x"}, "tool_use")


def test_tokens_are_counted_and_models_listed(claude: anthropic.Anthropic) -> None:
    """Counting tokens and the models pass through, in Anthropic's shapes."""
    assert claude.messages.count_tokens(model="m", messages=ASK).input_tokens > 0
    assert [model.id for model in claude.models.list()] == ["mock-large", "mock-small"]
    assert claude.models.retrieve("claude-x").display_name == "claude-x"


def test_beta_and_version_arrive_byte_for_byte(claude: anthropic.Anthropic, provider: Provider) -> None:
    """Anthropic's own headers and the query go up as they came; encodings are asked for only where unread."""
    betas = ["one-2026-01-01", "two-2026-02-02"]
    claude.beta.messages.create(**ASKED, betas=betas, extra_query={"beta": "true"}, extra_headers=VERSION)
    seen = dict(provider.last()["headers"])
    assert provider.last()["target"] == "/v1/messages?beta=true"
    assert (seen["anthropic-beta"], seen["anthropic-version"]) == (",".join(betas), "2023-06-01")
    assert seen["accept-encoding"] == "identity"
    claude.models.list()
    assert "gzip" in dict(provider.last()["headers"])["accept-encoding"]


# What the provider says


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.OverloadedError, "overloaded_error"),
    ],
)
def test_a_providers_error_arrives_as_it_was_said(
    claude: anthropic.Anthropic,
    provider: Provider,
    status: int,
    kind: type[anthropic.APIStatusError],
    code: str,
) -> None:
    """An upstream error is of the SDK's class for its status, with type, request id, wait and body intact."""
    body = {"type": "error", "error": {"type": code, "message": "thus"}, "request_id": "req_7"}
    headers = {"request-id": "req_7", "retry-after": "7"}
    provider.script({"status": status, "body": body, "headers": headers})
    with pytest.raises(kind) as caught:
        message(claude)
    error = caught.value
    assert (error.status_code, error.body, error.request_id) == (status, body, "req_7")
    assert error.response.headers["retry-after"] == "7"
    assert "x-aibridge-reject" not in error.response.headers


def test_an_error_in_midstream_raises(claude: anthropic.Anthropic, provider: Provider) -> None:
    """An error event in a 200 stream arrives as the SDK's exception, after the words before it."""
    provider.script({"fault": "error_event", "after": 5})
    words: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        exhaust(heard(streamed(claude)), words)
    assert words == ["This", " is"]


def test_a_truncated_stream_is_not_taken_for_a_complete_one(
    claude: anthropic.Anthropic, provider: Provider
) -> None:
    """A stream that breaks upstream ends uncleanly: the SDK raises, after the words before it."""
    provider.script({"fault": "truncate", "after": 5})
    words: list[str] = []
    with pytest.raises(Exception, match=r"[Cc]onnection|peer closed") as caught:
        exhaust(heard(streamed(claude)), words)
    assert words == ["This", " is"]
    assert type(caught.value).__name__ in ("RemoteProtocolError", "ReadError", "APIConnectionError")


# What the bridge says


def body(error: anthropic.APIStatusError) -> tuple[str, str]:
    """What the SDK shows of an error: its type and its message."""
    document: Any = error.body
    assert document["type"] == "error"
    assert document["message"] == document["error"]["message"]
    assert document["request_id"]
    return document["error"]["type"], document["message"]


def test_a_spent_budget_is_a_rate_limit_error(narrow: Bridge) -> None:
    """The rate limit's reject is the SDK's RateLimitError, with the message and when to come back."""
    with narrow.claude("sk-rate-reject") as claude, pytest.raises(anthropic.RateLimitError) as caught:
        exhaust((claude.models.list() for _ in range(10)), [])
    assert body(caught.value) == ("rate_limit_error", "You've been rate limited. Please try again later.")
    assert caught.value.response.headers["x-aibridge-reject"] == "rate_limit"
    assert caught.value.response.headers["retry-after"] in ("1", "2")


def test_full_is_a_service_unavailable_error(narrow: Bridge, provider: Provider) -> None:
    """The capacity reject is the SDK's class for 503 and of the type that means overloaded."""
    provider.script({"fault": "stall", "times": 2})
    with narrow.claude("sk-one") as one, narrow.claude("sk-two") as two, narrow.claude("sk-three") as three:
        with streamed(one), streamed(two), pytest.raises(anthropic.ServiceUnavailableError) as caught:
            message(three)
        until(lambda: narrow.in_flight() == 0, "slots back")
    assert body(caught.value) == (
        "overloaded_error",
        "AI Bridge is currently at capacity. Please try again later.",
    )


def test_an_open_breaker_is_a_service_unavailable_error(narrow: Bridge, provider: Provider) -> None:
    """The open breaker's reject says whose outage it is; the provider is not asked."""
    narrow.admin.post("/breakers/anthropic", json={"mode": "open"}).raise_for_status()
    with narrow.claude("sk-open") as claude, pytest.raises(anthropic.ServiceUnavailableError) as caught:
        message(claude)
    narrow.heal()
    said = "anthropic was taken out of service by its operator. Please try again later."
    assert body(caught.value) == ("overloaded_error", said)
    assert provider.stats()["requests"] == 0


def test_a_body_too_large_is_a_content_too_large_error(narrow: Bridge, provider: Provider) -> None:
    """A body over the limit is refused with the limit's number, before the provider is touched."""
    large: Any = [{"role": "user", "content": "x" * 200_000}]
    with narrow.claude("sk-large") as claude, pytest.raises(anthropic.ContentTooLargeError) as caught:
        claude.messages.create(**ASKED | {"messages": large})
    assert body(caught.value) == ("request_too_large", "request body larger than the limit of 102400 bytes")
    assert provider.stats()["requests"] == 0


def test_an_unlisted_route_is_not_found(narrow: Bridge, provider: Provider) -> None:
    """What is not on the allow-list is the SDK's NotFoundError, and never reaches the provider."""
    with narrow.claude("sk-batches") as claude, pytest.raises(anthropic.NotFoundError) as caught:
        claude.get("/v1/complete", cast_to=object)
    assert body(caught.value) == (
        "not_found_error",
        "route not supported: GET /anthropic/v1/complete",
    )
    assert provider.stats()["requests"] == 0


def test_silence_and_absence_are_internal_server_errors(narrow: Bridge, provider: Provider) -> None:
    """A provider without an answer in time is a 504, one that is not there a 502, each with the phase."""
    provider.script({"delay": 60})
    with narrow.claude("sk-silent") as claude, pytest.raises(anthropic.GatewayTimeoutError) as late:
        message(claude)
    until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")
    with (
        a_bridge("--anthropic-base-url", "http://127.0.0.1:1") as bridge,
        bridge.claude() as claude,
        pytest.raises(anthropic.InternalServerError) as gone,
    ):
        message(claude)
    assert body(late.value) == ("timeout_error", "anthropic did not begin to answer in time (phase: head)")
    assert body(gone.value) == ("api_error", "anthropic could not be reached (phase: connect)")
    assert gone.value.status_code == 502


def test_a_rate_reject_is_retried_and_succeeds(narrow: Bridge, provider: Provider) -> None:
    """Of two quick calls the second waits as long as Retry-After says, and both are answered, once each."""
    before = narrow.rejects("rate_limit")
    with narrow.claude("sk-retry", retries=2) as claude:
        assert [message(claude).content[0].text for _ in range(2)] == [TEXT, TEXT]
    assert provider.stats()["requests"] == 2
    assert narrow.rejects("rate_limit") == before + 1


def test_a_capacity_reject_is_retried_and_succeeds(narrow: Bridge, provider: Provider) -> None:
    """A call that met a full bridge is answered once a slot is free; the SDK's user sees nothing of it."""
    before, answers = narrow.rejects("capacity"), list[Any]()
    provider.script({"fault": "stall", "times": 2})
    with (
        narrow.claude("sk-a") as one,
        narrow.claude("sk-b") as two,
        narrow.claude("sk-c", retries=2) as three,
    ):
        caller = threading.Thread(target=lambda: answers.append(message(three)))
        with streamed(one), streamed(two):
            caller.start()
            until(lambda: narrow.rejects("capacity") > before, "a reject")
        caller.join(PATIENCE)
    assert [answer.content[0].text for answer in answers] == [TEXT]
    assert provider.stats()["requests"] == 3


# Callers that leave


def test_a_stream_abandoned_frees_the_provider_and_the_slot(bridge: Bridge, provider: Provider) -> None:
    """A stream that is closed half-way is cancelled at the provider, and holds nothing any more."""
    provider.script({"fault": "stall", "after": 5})
    with bridge.claude() as claude:
        with streamed(claude) as stream:
            assert next(heard(stream)) == "This"
            assert bridge.in_flight() == 1
        until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")
        until(lambda: bridge.in_flight() == 0, "the slot back")
    assert provider.stats()["in_flight"] == 0


def test_a_call_given_up_frees_the_provider_and_the_slot(bridge: Bridge, provider: Provider) -> None:
    """A caller that stops waiting for a silent provider cancels the request there, and holds nothing any more."""
    provider.script({"delay": 60})
    with bridge.claude(timeout=0.2) as claude, pytest.raises(anthropic.APITimeoutError):
        message(claude)
    until(lambda: provider.stats()["aborted"] == 1, "cancelled upstream")
    until(lambda: bridge.in_flight() == 0, "the slot back")


# Whose key goes up


def test_without_a_central_key_the_callers_goes_up(bridge: Bridge, provider: Provider) -> None:
    """The caller's credential arrives as it came: as the SDK sends it, as a key, as a bearer's token, as both."""
    with bridge.claude("sk-ant-of-the-caller") as claude:
        message(claude)
        seen = provider.credentials()
        message(claude.with_options(base_url=provider.url))
    assert seen == provider.credentials()
    assert "sk-ant-of-the-caller" in "".join(seen.values())
    both = {"x-api-key": "sk-ant-api", "authorization": "Bearer sk-ant-oat"}
    for sent in (both, *({name: value} for name, value in both.items())):
        bridge.caller.post(MESSAGES, headers=sent, json=ASKED)
        assert provider.credentials() == sent


def test_a_central_key_replaces_the_callers(central: Bridge, provider: Provider) -> None:
    """With a central key the provider sees that one and never the caller's, wherever that one stood."""
    with central.claude("sk-ant-of-the-caller") as claude:
        claude.with_options(default_headers={"authorization": "Bearer sk-another"}).models.list()
        assert provider.credentials() == {"x-api-key": CENTRAL}
        assert "".join(heard(streamed(claude))) == TEXT
    seen = json.dumps(provider.stats())
    assert "sk-ant-of-the-caller" not in seen
    assert "sk-another" not in seen


def test_callers_keys_can_be_let_through(provider: Provider) -> None:
    """With --forward-caller-keys a caller's own key goes up; without one, the central."""
    with a_bridge("--forward-caller-keys", provider=provider, ANTHROPIC_API_KEY=CENTRAL) as bridge:
        with bridge.claude("sk-ant-of-the-caller") as claude:
            message(claude)
        assert "sk-ant-of-the-caller" in "".join(provider.credentials().values())
        assert CENTRAL not in json.dumps(provider.last())
        answer: httpx.Response = bridge.caller.post(MESSAGES, json=ASKED)
        assert (answer.status_code, provider.credentials()) == (200, {"x-api-key": CENTRAL})
