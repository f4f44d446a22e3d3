"""Requests that are held in place of a reject, and sent again: through the whole path, in virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.adaptive.limiter import LONGEST_HOLD
from aibridge_trio.events import Finished, Held, SentAgain
from aibridge_trio.gateway.replay import MOST_KEPT
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, JSON, MESSAGES, SSE, failing, ok
from tests.support.network import Handler, Network, Running

OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"hi"}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
START, CONTENT, STOP = (event + b"\n\n" for event in STREAM.split(b"\n\n")[:3])
ERROR = b"event: error\ndata: " + OVERLOADED + b"\n\n"
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


async def refused(request: Request, reply: Reply) -> None:
    """Refuse with Anthropic's overload."""
    await failing(529, OVERLOADED)(request, reply)


async def spent(request: Request, reply: Reply) -> None:
    """Ask for a pause that is longer than any hold."""
    async for _ in request.body:
        pass
    await reply.answer(429, [*JSON, (b"retry-after", b"1000")], b"{}")


def streaming(*pieces: bytes, pause: float = 0.0, headers: Any = SSE) -> Handler:
    """Stream these pieces."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(200, headers)
        for piece in pieces:
            await reply.send(piece)
            await trio.sleep(pause)
        await reply.end()

    return handler


class Script:
    """A provider that answers each request by the next handler, the last one for ever; keeps the bodies."""

    def __init__(self, *handlers: Handler) -> None:
        self.handlers = list(handlers)
        self.bodies: list[bytes] = []
        self.times: list[float] = []

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer."""
        body = b""
        handler = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        async for piece in request.body:
            body += piece
        self.bodies.append(body)
        self.times.append(trio.current_time())
        await handler(request, reply)


def kept(bridge: Running) -> int:
    """Return the memory for copies of bodies that is in use."""
    [memory] = {backend.adaptive.memory for backend in bridge.bridge.router if backend.adaptive}
    return memory.used


async def test_an_overload_is_held_and_sent_again(autojump_clock: MockClock, network: Network) -> None:
    """A complete 529 does not reach the caller: the same bytes go up again, and their answer is the caller's."""
    provider = Script(refused, refused, streaming(STREAM))
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        answer = await bridge.client.post(MESSAGES, content=b'{"model":"m"}')
        assert (answer.status_code, answer.content) == (200, STREAM)
        assert provider.bodies == [b'{"model":"m"}'] * 3
        assert [event.cause for event in bridge.published(SentAgain)] == ["529", "529"]
        [finished] = bridge.published(Finished)
        assert (finished.status, finished.sent_again, finished.reject) == (200, 2, None)
        assert finished.held == sum(event.seconds for event in bridge.published(Held)) > 0
        assert {event.outcome for event in bridge.published(Held)} == {"sent"}
        assert kept(bridge) == 0


async def test_a_refused_connection_is_tried_again(autojump_clock: MockClock, network: Network) -> None:
    """A provider that comes up after seconds answers the request that came before."""
    async with network.bridge(adaptive=True) as bridge, trio.open_nursery() as nursery:

        async def comes_up() -> None:
            await trio.sleep(3)
            await network.answer("anthropic", streaming(STREAM))

        nursery.start_soon(comes_up)
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (answer.status_code, answer.content) == (200, STREAM)
        assert {event.cause for event in bridge.published(SentAgain)} == {"refused"}
        assert kept(bridge) == 0


# What is a pushback, and what is none


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_each_overload_status_is_a_pushback(
    autojump_clock: MockClock, network: Network, status: int
) -> None:
    """Whatever its body says, unless waiting does not help."""
    provider = Script(failing(status, b"<html>busy"), ok)
    await network.answer("openai", provider)
    async with network.bridge(adaptive=True) as bridge:
        assert (await bridge.client.post(CHAT, content=b"{}")).status_code == 200
        assert [event.cause for event in bridge.published(SentAgain)] == [str(status)]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b'{"error":{"code":"insufficient_quota"}}'),
        (500, b'{"error":{}}'),
        (502, b""),
        (400, OVERLOADED),
        (404, b"{}"),
    ],
)
async def test_an_answer_that_waiting_does_not_mend_is_not_repeated(
    autojump_clock: MockClock, network: Network, status: int, body: bytes
) -> None:
    """An exhausted quota, and every status but the three: the caller gets it as it is."""
    provider = Script(failing(status, body))
    await network.answer("openai", provider)
    async with network.bridge(adaptive=True) as bridge:
        answer = await bridge.client.post(CHAT, content=b"{}")
        assert (answer.status_code, answer.content) == (status, body)
        assert len(provider.bodies) == 1
        assert not bridge.published(Held)
        assert kept(bridge) == 0


async def activate(bridge: Running, provider: Script) -> None:
    """Let the limiter have seen a pushback, which has been mended by now."""
    provider.handlers.insert(0, refused)
    provider.handlers.insert(1, streaming(STREAM))
    assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 200
    provider.bodies.clear()
    bridge.events.clear()


async def test_an_overload_event_before_content_is_a_pushback(autojump_clock: MockClock, network: Network) -> None:
    """While there was a pushback of late, the beginning of a stream is held back, and its overload repeated."""
    provider = Script(streaming(START, ERROR), streaming(STREAM))
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        await activate(bridge, provider)
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (answer.status_code, answer.content) == (200, STREAM)
        assert [event.cause for event in bridge.published(SentAgain)] == ["overload"]


async def test_after_content_nothing_is_repeated(autojump_clock: MockClock, network: Network) -> None:
    """An overload behind the first content goes to the caller as it came."""
    provider = Script(streaming(START, CONTENT, ERROR))
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        await activate(bridge, provider)
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert answer.content == START + CONTENT + ERROR
        assert len(provider.bodies) == 1


async def test_on_a_quiet_day_a_stream_is_not_held_back(autojump_clock: MockClock, network: Network) -> None:
    """Without a pushback of late its beginning goes to the caller at once, and its overload, too."""
    provider = Script(streaming(START, ERROR, pause=5))
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        async with bridge.client.stream("POST", MESSAGES, content=b"{}") as answer:
            began = trio.current_time()
            came = [(piece, trio.current_time() - began) async for piece in answer.aiter_raw()]
        assert came == [(START, 0), (ERROR, 5)]
        [backend] = [each for each in bridge.bridge.router if each.name == "anthropic"]
        assert backend.adaptive is not None
        assert backend.adaptive.active  # it was a pushback all the same


@pytest.mark.parametrize("beat", [PING, b": ping\n\n"])
async def test_a_ping_releases_what_is_held_back(autojump_clock: MockClock, network: Network, beat: bytes) -> None:
    """A caller that is kept waiting by pings sees them, and its stream from the beginning."""
    provider = Script(streaming(START, beat, CONTENT, STOP, pause=3))
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        await activate(bridge, provider)
        async with bridge.client.stream("POST", MESSAGES, content=b"{}") as answer:
            began = trio.current_time()
            came = [(piece, trio.current_time() - began) async for piece in answer.aiter_raw()]
        assert came == [(START, 0), (beat, 0), (CONTENT, pytest.approx(3)), (STOP, pytest.approx(6))]


async def test_a_stream_is_held_back_for_a_bounded_time(autojump_clock: MockClock, network: Network) -> None:
    """After ten seconds its beginning goes to the caller, and the rest as it comes."""
    provider = Script(streaming(START, CONTENT, STOP, pause=25))
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        await activate(bridge, provider)
        began = trio.current_time()
        async with bridge.client.stream("POST", MESSAGES, content=b"{}") as answer:
            came = [(piece, trio.current_time() - began) async for piece in answer.aiter_raw()]
        assert came == [(START, 10), (CONTENT, pytest.approx(25)), (STOP, pytest.approx(50))]


# Waiting, and how it ends


async def test_a_request_is_held_no_longer_than_it_may_be(autojump_clock: MockClock, network: Network) -> None:
    """Then it is hold_timeout, with a wait; an SDK's stated timeout makes it shorter."""
    await network.answer("anthropic", spent)
    for headers, longest in (({}, LONGEST_HOLD), ({"x-stainless-timeout": "20"}, 10.0)):
        async with network.bridge(adaptive=True) as bridge:
            assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 429
            began = trio.current_time()
            answer = await bridge.client.post(MESSAGES, content=b"{}", headers=headers)
            assert trio.current_time() - began == pytest.approx(longest)
            assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "hold_timeout")
            assert answer.headers["retry-after-ms"]
            assert bridge.published(Held)[-1].outcome == "timed_out"
            assert kept(bridge) == 0


async def test_a_pushback_that_cannot_be_sent_again_in_time_is_the_answer(
    autojump_clock: MockClock, network: Network
) -> None:
    """At once: its caller knows more than after a wait in vain."""
    provider = Script(spent)
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        began = trio.current_time()
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (answer.status_code, answer.headers["retry-after"], answer.content) == (429, "1000", b"{}")
        assert (trio.current_time(), len(provider.bodies)) == (began, 1)


async def test_a_held_request_whose_caller_leaves_is_never_sent(
    autojump_clock: MockClock, network: Network
) -> None:
    """It leaves the line at once, with its memory and without a slot."""
    provider = Script(refused)
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True, max_concurrency=1) as bridge:
        with trio.move_on_after(0.1):
            await bridge.client.post(MESSAGES, content=b"{}")
        sent = len(provider.bodies)
        await trio.sleep(300)
        assert len(provider.bodies) == sent
        assert bridge.published(Held)[-1].outcome == "left"
        assert kept(bridge) == 0
        assert bridge.bridge.admission.statistics().in_flight == 0


async def test_a_drain_rejects_held_requests_at_once(autojump_clock: MockClock, network: Network) -> None:
    """They are shutting_down, and the bridge ends long before the grace period does."""
    await network.answer("anthropic", refused)
    async with network.bridge(adaptive=True, graceful_timeout=600) as bridge, trio.open_nursery() as nursery:
        answers: list[httpx.Response] = []

        async def call() -> None:
            answers.append(await bridge.client.post(MESSAGES, content=b"{}"))

        nursery.start_soon(call)
        await trio.sleep(1)
        began = trio.current_time()
        bridge.signals.send_nowait(15)
        await bridge.ended.wait()
        assert trio.current_time() - began < 10
        assert (answers[0].status_code, answers[0].headers["x-aibridge-reject"]) == (503, "shutting_down")
        assert bridge.published(Held)[-1].outcome == "stopped"


# Slots and shares


async def test_a_held_request_gives_its_slot_to_others(autojump_clock: MockClock, network: Network) -> None:
    """One ill provider's held requests starve no other provider, and take a slot again at their turn."""
    ill = Script(refused)
    await network.answer("anthropic", ill)
    await network.answer("openai", ok)
    options = {"adaptive": True, "max_concurrency": 2, "max_concurrency_per_caller": 2}
    async with network.bridge(**options) as bridge, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(bridge.client.post, MESSAGES)
        await trio.sleep(1)
        for _ in range(20):
            assert (await bridge.client.post(CHAT, content=b"{}")).status_code == 200
        ill.handlers = [streaming(STREAM)]
        await trio.sleep(20)
        assert [finished.status for finished in bridge.published(Finished)][-2:] == [200, 200]
        assert bridge.bridge.admission.statistics().in_flight == 0


async def test_a_held_request_takes_no_slot_beyond_the_limit(autojump_clock: MockClock, network: Network) -> None:
    """At its turn it waits for a slot."""
    ill = Script(refused, streaming(STREAM))
    await network.answer("anthropic", ill)
    await network.answer("openai", streaming(b"data: {}\n\n", pause=30))
    async with network.bridge(adaptive=True, max_concurrency=1) as bridge, trio.open_nursery() as nursery:
        nursery.start_soon(bridge.client.post, MESSAGES)
        await trio.sleep(0.1)
        assert bridge.bridge.admission.statistics().in_flight == 0
        began = trio.current_time()
        assert (await bridge.client.post(CHAT, content=b"{}")).status_code == 200
        assert len(ill.bodies) == 1
        await trio.sleep(1)
        assert ill.times[1] - began == pytest.approx(30, abs=0.01)


async def test_held_requests_of_one_caller_do_not_keep_all_slots_from_another(
    autojump_clock: MockClock, network: Network
) -> None:
    """Every other slot goes to the queue, however many requests are held."""
    recovers = trio.current_time() + 5

    async def provider(request: Request, reply: Reply) -> None:
        await trio.sleep(1)
        await (refused if trio.current_time() < recovers else ok)(request, reply)

    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True, max_concurrency=4, queue_size=50) as bridge:
        async with trio.open_nursery() as nursery:
            call = partial(bridge.client.post, MESSAGES, content=b"{}", timeout=1000)
            for _ in range(100):
                nursery.start_soon(partial(call, headers={"x-api-key": "greedy"}))
                await trio.sleep(0.05)
            await trio.sleep(10)
            assert bridge.bridge.admission.statistics().in_flight == 4
            began = trio.current_time()
            assert (await call(headers={"x-api-key": "modest"})).status_code == 200
            assert trio.current_time() - began < 5
        assert [finished.status for finished in bridge.published(Finished)] == [200] * 101


# Comments in a long wait

STREAMED = b'{"stream": true}'


async def test_comments_keep_the_connection_of_a_held_stream_alive(
    autojump_clock: MockClock, network: Network
) -> None:
    """One an interval while the request is held; then the stream, from its first byte."""
    provider = Script(refused)
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True, hold_keepalive=5.0) as bridge, trio.open_nursery() as nursery:

        async def heals() -> None:
            await trio.sleep(21)
            provider.handlers = [streaming(STREAM)]

        nursery.start_soon(heals)
        async with bridge.client.stream("POST", MESSAGES, content=STREAMED) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/event-stream"
            body = b"".join([piece async for piece in answer.aiter_raw()])
        comments, _, rest = body.partition(b"event: ")
        assert comments.count(b": held\n\n") >= 2
        assert b"event: " + rest == STREAM
        assert bridge.published(Finished)[-1].status == 200


@pytest.mark.parametrize(("path", "host"), [(MESSAGES, "anthropic"), (CHAT, "openai")])
async def test_a_reject_behind_comments_is_an_error_event(
    autojump_clock: MockClock, network: Network, path: str, host: str
) -> None:
    """Once a comment has been sent: in the dialect of the caller, and the stream ends cleanly."""
    await network.answer(host, spent)
    async with network.bridge(adaptive=True, hold_keepalive=30.0) as bridge:
        assert (await bridge.client.post(path, content=STREAMED)).status_code == 429
        bridge.events.clear()
        answer = await bridge.client.post(path, content=STREAMED)
        assert answer.status_code == 200
        comments, _, event = answer.text.partition("event: error\ndata: ")
        assert set(comments.split("\n\n")) == {": held", ""}
        document = json.loads(event)
        assert (document["type"], "did not take" in document["error"]["message"]) == ("error", True)
        if host == "openai":
            assert document["code"] == document["error"]["code"] == "hold_timeout"
        [finished] = bridge.published(Finished)
        assert (finished.status, finished.reject, finished.broken) == (200, "hold_timeout", False)


@pytest.mark.parametrize("body", [b"{}", b'{"stream": false}', b"not JSON"])
async def test_only_a_stream_gets_comments(autojump_clock: MockClock, network: Network, body: bytes) -> None:
    """A request that is not for a stream keeps its status."""
    await network.answer("anthropic", spent)
    async with network.bridge(adaptive=True, hold_keepalive=5.0) as bridge:
        assert (await bridge.client.post(MESSAGES, content=body)).status_code == 429
        answer = await bridge.client.post(MESSAGES, content=body)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "hold_timeout")


# The breaker beside it


async def test_an_open_breaker_decides_first(autojump_clock: MockClock, network: Network) -> None:
    """It judges every attempt, and while it is open held requests that would go up get its reject."""
    provider = Script(refused)
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True, circuit_breaker=True) as bridge:
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "circuit_open")
        assert len(provider.bodies) == 5
        began = trio.current_time()
        answer = await bridge.client.post(MESSAGES, content=b"{}")
        assert (trio.current_time(), answer.headers["x-aibridge-reject"]) == (began, "circuit_open")
        assert len(provider.bodies) == 5


# Bodies


async def test_a_body_that_is_too_long_is_not_sent_again(autojump_clock: MockClock, network: Network) -> None:
    """Its caller gets the provider's own answer; while the provider takes none, it is cannot_hold."""
    provider = Script(refused)
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        body = b"x" * (MOST_KEPT + 1)
        answer = await bridge.client.post(MESSAGES, content=body)
        assert (answer.status_code, answer.content) == (529, OVERLOADED)
        assert provider.bodies == [body]
        answer = await bridge.client.post(MESSAGES, content=body)
        assert (answer.status_code, answer.headers["x-aibridge-reject"]) == (503, "cannot_hold")
        assert len(provider.bodies) == 1
        assert kept(bridge) == 0


@pytest.mark.parametrize("size", [0, 1, 100_000, 1_000_000, MOST_KEPT])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_sent_again_byte_for_byte(
    autojump_clock: MockClock, network: Network, size: int, chunked: bool
) -> None:
    """Of any length up to the bound, with either framing."""
    body = random.Random(size).randbytes(size)
    provider = Script(refused, refused, streaming(STREAM))
    await network.answer("anthropic", provider)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, size, 50_000):
            yield body[at : at + 50_000]

    async with network.bridge(adaptive=True) as bridge:
        content = pieces() if chunked else body
        answer = await bridge.client.post(MESSAGES, content=content)
        assert (answer.status_code, answer.content) == (200, STREAM)
        assert provider.bodies == [body] * 3
        assert kept(bridge) == 0


async def test_an_early_refusal_is_sent_again_in_full(autojump_clock: MockClock, network: Network) -> None:
    """A provider that refuses before it has read the body gets all of it the next time."""
    heads = 0

    async def provider(stream: trio.abc.Stream) -> None:
        nonlocal heads
        async with stream:
            heads += 1
            body = bytes(await stream.receive_some())
            if heads < 3:
                said = b"HTTP/1.1 529 Overloaded\r\ncontent-length: %d\r\n\r\n%s"
                await stream.send_all(said % (len(OVERLOADED), OVERLOADED))
                await trio.sleep(60)
                return
            while not body.endswith(b"\r\n0\r\n\r\n"):
                body += bytes(await stream.receive_some())
            await stream.send_all(
                b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n%06d" % body.partition(b"\r\n\r\n")[2].count(b"x")
            )

    network.raw("anthropic", provider)

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 10_000
            await trio.sleep(0.1)

    async with network.bridge(adaptive=True) as bridge:
        answer = await bridge.client.post(MESSAGES, content=slowly())
        assert (answer.status_code, answer.content) == (200, b"300000")
        assert kept(bridge) == 0


async def test_an_unfinished_upload_holds_no_start(autojump_clock: MockClock, network: Network) -> None:
    """While the provider takes one at a time, a slow upload keeps no other request from going up."""
    provider = Script(refused)
    await network.answer("anthropic", provider)

    async def never_ending() -> AsyncIterator[bytes]:
        yield b"{"
        await trio.sleep(50)
        yield b"}"

    async with network.bridge(adaptive=True) as bridge, trio.open_nursery() as nursery:
        await activate(bridge, provider)
        provider.handlers = [streaming(STREAM)]
        nursery.start_soon(partial(bridge.client.post, MESSAGES, content=never_ending()))
        await trio.sleep(1)
        began = trio.current_time()
        for _ in range(5):
            assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 200
        assert trio.current_time() - began < 5


async def test_passed_through_requests_are_as_without_it(autojump_clock: MockClock, network: Network) -> None:
    """They are not held, and teach nothing."""
    provider = Script(failing(503))
    await network.answer("openai", provider)
    async with network.bridge(adaptive=True) as bridge:
        for _ in range(10):
            assert (await bridge.client.get("/openai/v1/models")).status_code == 503
        assert not any(backend.adaptive.active for backend in bridge.bridge.router if backend.adaptive)


async def test_without_it_nothing_is_held(autojump_clock: MockClock, network: Network) -> None:
    """Off by default: a provider's 529 is the caller's."""
    provider = Script(refused)
    await network.answer("anthropic", provider)
    async with network.bridge() as bridge:
        assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 529
        assert len(provider.bodies) == 1
        assert all(backend.adaptive is None for backend in bridge.bridge.router)


# Whatever ends it, and whenever


@pytest.mark.parametrize("steps", range(0, 60, 5))
@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.3, 1.0, 3.0])
async def test_a_caller_may_leave_at_any_switch_of_tasks(
    autojump_clock: MockClock, network: Network, steps: int, seconds: float
) -> None:
    """After any number of scheduler turns, a request that ends leaves no slot, memory or place behind."""
    provider = Script(refused, refused, streaming(START, ERROR), streaming(START, CONTENT, STOP, pause=1))
    await network.answer("anthropic", provider)
    body = b"x" * 100_000
    async with network.bridge(adaptive=True, max_concurrency=1, max_concurrency_per_caller=1) as bridge:
        async with network.dial("bridge") as caller:
            head = b"POST %s HTTP/1.1\r\nhost: b\r\ncontent-length: %d\r\n\r\n" % (MESSAGES.encode(), len(body))
            await caller.send_all(head + body)
            await trio.sleep(seconds)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
        await trio.sleep(0.1)
        assert kept(bridge) == 0
        assert bridge.bridge.admission.statistics().in_flight == 0
        [line] = [each.adaptive for each in bridge.bridge.router if each.adaptive and each.name == "anthropic"]
        assert (line.waiting, line.limiter.governor.statistics(trio.current_time()).level) == (0, 0)
        provider.handlers = [streaming(STREAM)]
        assert (await bridge.client.post(MESSAGES, content=b"{}")).content == STREAM


@pytest.mark.parametrize("kind", ["stream", "answer", "error"])
async def test_on_a_quiet_day_bytes_are_as_without_it(
    autojump_clock: MockClock, network: Network, kind: str
) -> None:
    """Head, body and times of the pieces are the same with and without, but for the request id and the date."""
    handler = {"stream": streaming(START, CONTENT, STOP, pause=2), "answer": ok, "error": failing(400)}[kind]
    provider = Script(handler)
    await network.answer("anthropic", provider)
    seen = []
    for adaptive in (False, True):
        async with network.bridge(adaptive=adaptive) as bridge:
            began = trio.current_time()
            async with bridge.client.stream("POST", MESSAGES, content=b"x" * 200_000) as answer:
                pieces = [(piece, round(trio.current_time() - began, 6)) async for piece in answer.aiter_raw()]
            headers = {
                name: answer.headers[name] for name in answer.headers if name not in {"date", "x-request-id"}
            }
            seen.append((answer.status_code, headers, pieces, provider.bodies.pop()))
            bridge.signals.send_nowait(15)
            await bridge.ended.wait()
    assert seen[0] == seen[1]


async def test_a_copy_is_dropped_at_the_first_content(autojump_clock: MockClock, network: Network) -> None:
    """Until then it is kept, and a long stream keeps none."""
    await network.answer("anthropic", streaming(START, CONTENT, STOP, pause=5))
    async with (
        network.bridge(adaptive=True) as bridge,
        bridge.client.stream("POST", MESSAGES, content=b"x" * 1000) as answer,
    ):
        await trio.sleep(1)
        before = kept(bridge)
        await trio.sleep(5)
        assert before >= 1000 > kept(bridge) == 0
        await answer.aread()


async def test_a_quota_that_is_nearly_spent_holds_requests_before_the_first_429(
    autojump_clock: MockClock, network: Network
) -> None:
    """An answer tells that one of sixty requests a minute is left: the third request waits for a second."""
    left = [
        (b"content-type", b"application/json"),
        (b"anthropic-ratelimit-requests-limit", b"60"),
        (b"anthropic-ratelimit-requests-remaining", b"1"),
        (b"anthropic-ratelimit-requests-reset", b"2099-01-01T00:00:00Z"),
    ]
    provider = Script(streaming(b"{}", headers=left), ok)
    await network.answer("anthropic", provider)
    async with network.bridge(adaptive=True) as bridge:
        for _ in range(3):
            assert (await bridge.client.post(MESSAGES, content=b"{}")).status_code == 200
    first, second, third = provider.times
    assert second - first < 0.1
    assert third - second == pytest.approx(1.0, abs=0.1)
