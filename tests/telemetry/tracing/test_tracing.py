"""Traces of the whole path, as a collector gets them."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.telemetry.tracing.exporter import INTERVAL
from tests.support.collector import ENDPOINT, Collector, values
from tests.support.handlers import endless, failing, ok, recording
from tests.support.network import Network, Running
from tests.support.streamed_answers import CHAT, SSE
from tests.telemetry.tracing.test_context import GOOD, PARENT, TRACE

CHATS = "/openai/v1/chat/completions"
OWN_KEY = {"authorization": "Bearer sk-caller-secret"}
BODY = {"model": "gpt-5", "messages": [{"role": "user", "content": "confidential words"}]}
_ERROR, _UNSET = Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET


@asynccontextmanager
async def traced(network: Network, **options: Any) -> AsyncIterator[tuple[Running, Collector]]:
    """Run a bridge that exports to a collector."""
    collector = Collector()
    await network.answer("collector", collector.handle)
    async with network.bridge(otel_endpoint=ENDPOINT, **options) as running:
        yield running, collector


async def ask(running: Running, request_id: str, **headers: str) -> int:
    """Send a chat; return the status."""
    given = {"x-request-id": request_id, **OWN_KEY, **headers}
    return (await running.client.post(CHATS, json=BODY, headers=given)).status_code


def named(spans: list[Span], name: str) -> list[Span]:
    """Return the spans of one name."""
    return [each for each in spans if each.name == name]


async def test_a_request_is_a_span_with_its_attempt(autojump_clock: MockClock, network: Network) -> None:
    """The caller's span is its parent, its attributes are those of GenAI, and nothing confidential is in it."""

    async def chat(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await trio.sleep(2)
        await reply.write(200, SSE, CHAT)
        await reply.end()

    await network.answer("openai", chat)
    async with traced(network, openai_api_key=Secret("sk-central-secret")) as (running, collector):
        await ask(running, "one", traceparent=GOOD.decode(), tracestate="vendor=1")
        await trio.sleep(2 * INTERVAL)
    own, others = collector.of_request("one")
    assert (own.trace_id.hex(), own.parent_span_id.hex(), own.trace_state) == (TRACE, PARENT, "vendor=1")
    assert (own.name, own.kind, own.status.code) == ("POST /chat/completions", Span.SPAN_KIND_SERVER, _UNSET)
    assert own.flags & 0x301 == 0x301
    found = values(own.attributes)
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == found["aibridge.provider"] == "openai"
    assert (found["gen_ai.response.model"], found["http.response.status_code"]) == ("m", 200)
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (100, 7)
    assert found["gen_ai.usage.cache_read.input_tokens"] == 40
    assert "error.type" not in found
    assert [each.name for each in own.events] == ["admitted"]
    attempt, stream = others
    assert (attempt.parent_span_id, attempt.kind) == (own.span_id, Span.SPAN_KIND_CLIENT)
    assert (stream.name, stream.parent_span_id) == ("stream", attempt.span_id)
    at_provider = values(attempt.attributes)
    assert (at_provider["server.address"], at_provider["server.port"]) == ("openai", 80)
    assert at_provider["http.response.status_code"] == 200
    assert "gen_ai.usage.input_tokens" not in at_provider
    assert [each.name for each in attempt.events] == ["connected", "response.head", "first_byte"]
    assert math.isclose((attempt.end_time_unix_nano - attempt.start_time_unix_nano) / 1e9, 2, abs_tol=0.1)
    assert own.start_time_unix_nano <= attempt.start_time_unix_nano <= attempt.end_time_unix_nano
    assert collector.resource["service.name"] == "aibridge"
    said = b"".join(batch.SerializeToString() for batch in collector.batches)
    for secret in (b"sk-caller-secret", b"sk-central-secret", b"confidential"):
        assert secret not in said


async def test_a_model_that_was_read_is_the_one_that_was_asked_for(
    autojump_clock: MockClock, network: Network
) -> None:
    """Beside the one that the answer names."""

    async def chat(_: Request, reply: Reply) -> None:
        await reply.write(200, SSE, CHAT)
        await reply.end()

    await network.answer("openai", chat)
    scope = {"circuit_breaker": True, "circuit_breaker_scope": "model", "circuit_breaker_models": ("gpt-5",)}
    async with traced(network, **scope) as (running, collector):
        await ask(running, "one")
        await trio.sleep(2 * INTERVAL)
    own, others = collector.of_request("one")
    found = values(own.attributes)
    assert (found["gen_ai.request.model"], found["gen_ai.response.model"]) == ("gpt-5", "m")
    assert named(others, "chat gpt-5")


@pytest.mark.parametrize("given", [{}, {"traceparent": GOOD.decode()}], ids=["begun here", "continued"])
async def test_the_provider_gets_the_bridges_span_as_parent(
    autojump_clock: MockClock, network: Network, given: dict[str, str]
) -> None:
    """Each request its own, also if heads are the same on one connection."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with traced(network, openai_api_key=Secret("sk-central")) as (running, collector):
        for _ in range(3):
            await running.client.post(CHATS, json=BODY, headers={**given, "tracestate": "a=1"})
        await trio.sleep(2 * INTERVAL)
    up = [request.header_values(b"traceparent") for request in seen]
    spans = [each for each in collector.spans if each.kind == Span.SPAN_KIND_SERVER]
    flags = "01" if given else "03"
    assert [[f"00-{each.trace_id.hex()}-{each.span_id.hex()}-{flags}".encode()] for each in spans] == up
    assert len({each[0] for each in up}) == 3
    assert len({each.trace_id for each in spans}) == (1 if given else 3)
    assert {request.header(b"tracestate") for request in seen} == {b"a=1" if given else None}


async def test_without_an_endpoint_the_callers_headers_go_through(
    autojump_clock: MockClock, network: Network
) -> None:
    """Byte for byte, whatever they are."""
    seen: list[Request] = []
    await network.answer("openai", recording(seen))
    async with network.bridge() as running:
        await ask(running, "one", traceparent="nonsense", tracestate="a=1")
        await ask(running, "two")
        assert await running.metric("otel_spans_total", outcome="exported") == 0
    assert [request.header(b"traceparent") for request in seen] == [b"nonsense", None]
    assert seen[0].header(b"tracestate") == b"a=1"


async def test_a_refused_request_is_a_span_without_attempts(autojump_clock: MockClock, network: Network) -> None:
    """With the reason; a caller's own fault is no error of the bridge."""
    await network.answer("openai", ok)
    async with traced(network, rate_limit=1) as (running, collector):
        assert await ask(running, "served") == 200
        assert await ask(running, "refused") == 429
        await trio.sleep(2 * INTERVAL)
    own, others = collector.of_request("refused")
    found = values(own.attributes)
    assert (found["error.type"], found["aibridge.reject"]) == ("rate_limit", "rate_limit")
    assert (found["http.response.status_code"], found["aibridge.attempts"]) == (429, 0)
    assert own.status.code == _UNSET
    assert not others


async def test_a_provider_that_cannot_be_reached_is_an_error(autojump_clock: MockClock, network: Network) -> None:
    """Of the attempt, with where it failed, and of the request."""
    async with traced(network) as (running, collector):
        assert await ask(running, "one") == 502
        await trio.sleep(2 * INTERVAL)
    own, (attempt,) = collector.of_request("one")
    assert (own.status.code, values(own.attributes)["error.type"]) == (_ERROR, "upstream_unreachable")
    assert (attempt.status.code, values(attempt.attributes)["error.type"]) == (_ERROR, "connect_error")


async def test_what_a_provider_refuses_is_an_error_of_the_attempt(
    autojump_clock: MockClock, network: Network
) -> None:
    """And its status the error's type."""
    await network.answer("openai", failing(429))
    async with traced(network) as (running, collector):
        assert await ask(running, "one") == 429
        await trio.sleep(2 * INTERVAL)
    own, others = collector.of_request("one")
    attempt = others[0]
    assert (own.status.code, values(own.attributes)["error.type"]) == (_UNSET, "429")
    assert (attempt.status.code, values(attempt.attributes)["error.type"]) == (_ERROR, "429")


async def test_each_attempt_is_a_span(autojump_clock: MockClock, network: Network) -> None:
    """And each wait between them."""
    answers = iter((503, 503, 200))

    async def recovers(request: Request, reply: Reply) -> None:
        await failing(next(answers))(request, reply)

    await network.answer("openai", recovers)
    async with traced(network, adaptive=True) as (running, collector):
        assert await ask(running, "one") == 200
        await trio.sleep(2 * INTERVAL)
    own, others = collector.of_request("one")
    attempts = [each for each in others if each.kind == Span.SPAN_KIND_CLIENT]
    found = [values(each.attributes) for each in attempts]
    assert [each["http.response.status_code"] for each in found] == [503, 503, 200]
    assert [each.get("http.request.resend_count") for each in found] == [None, 1, 2]
    assert values(own.attributes)["aibridge.attempts"] == 3
    ends = [each.end_time_unix_nano for each in attempts]
    assert all(end <= after.start_time_unix_nano for end, after in zip(ends, attempts[1:], strict=False))
    assert named(others, "hold")


async def test_a_wait_in_the_queue_is_a_span(autojump_clock: MockClock, network: Network) -> None:
    """As long as it was."""

    async def slow(request: Request, reply: Reply) -> None:
        await trio.sleep(3)
        await ok(request, reply)

    await network.answer("openai", slow)
    async with traced(network, max_concurrency=1, queue_size=5) as (running, collector):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, running, "first")
            await trio.sleep(1)
            nursery.start_soon(ask, running, "second")
        await trio.sleep(2 * INTERVAL)
    own, others = collector.of_request("second")
    (queue,) = named(others, "queue")
    assert queue.parent_span_id == own.span_id
    assert math.isclose((queue.end_time_unix_nano - queue.start_time_unix_nano) / 1e9, 2, abs_tol=0.2)


async def test_a_stream_whose_caller_leaves_is_cancelled(autojump_clock: MockClock, network: Network) -> None:
    """That is no error of the bridge or of the provider."""
    await network.answer("openai", endless)
    async with traced(network) as (running, collector):
        with trio.move_on_after(3):
            await ask(running, "one")
        await trio.sleep(2 * INTERVAL)
    own, others = collector.of_request("one")
    found = values(own.attributes)
    assert (found["error.type"], found["aibridge.left"], own.status.code) == ("cancelled", True, _UNSET)
    assert values(others[0].attributes)["error.type"] == "cancelled"
    assert others[0].status.code == _UNSET
    assert named(others, "stream")


@pytest.mark.parametrize("share", [0.0, 1.0])
async def test_a_callers_flag_comes_before_the_share(
    autojump_clock: MockClock, network: Network, share: float
) -> None:
    """Sampled or not: the caller's word; the share decides about traces that begin here."""
    await network.answer("openai", ok)
    async with traced(network, otel_sample=share) as (running, collector):
        await ask(running, "yes", traceparent=GOOD.decode())
        await ask(running, "no", traceparent=GOOD.decode()[:-1] + "0")
        await ask(running, "here")
        await trio.sleep(2 * INTERVAL)
        await running.reload(otel_sample=1 - share)
        await ask(running, "reloaded")
        await trio.sleep(2 * INTERVAL)
    found = {values(each.attributes).get("aibridge.request_id") for each in collector.spans} - {None}
    assert found == {"yes", "here" if share else "reloaded"}
