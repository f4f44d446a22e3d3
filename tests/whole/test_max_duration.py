"""A bound on a request's whole time at its provider, whatever it spends it on."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.events import Bug, Finished
from tests.support.network import Network, Running

Stream = trio.abc.Stream
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CONTENT = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
HEAD = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Dripping:
    """Streams an event a second for ever, with a head or without, and notes when its connection ends."""

    def __init__(self, network: Network, *, answers: bool = True, events: bool = True) -> None:
        self.ended: list[float] = []
        self._answers, self._events = answers, events
        network.raw("openai", self._serve)

    async def _serve(self, stream: Stream) -> None:
        async with trio.open_nursery() as nursery:

            async def drip() -> None:
                with suppress(trio.BrokenResourceError):
                    if self._answers:
                        await stream.send_all(CHUNKED)
                    while True:
                        if self._answers:
                            await stream.send_all(chunk(CONTENT if self._events else b": x\n\n"))
                        await trio.sleep(1)

            await stream.receive_some()
            nursery.start_soon(drip)
            while await stream.receive_some():
                pass
            self.ended.append(trio.current_time())
            nursery.cancel_scope.cancel()


async def received(stream: Stream) -> bytes:
    """Read to the end, however it comes."""
    said = b""
    with suppress(trio.BrokenResourceError):
        while piece := await stream.receive_some():
            said += piece
    return said


async def last(bridge: Running) -> Finished:
    await trio.testing.wait_all_tasks_blocked()
    found: Finished = bridge.published(Finished)[-1]
    assert not bridge.published(Bug)
    return found


@pytest.mark.parametrize(("events", "verdict"), [(True, Verdict.SUCCESS), (False, Verdict.NEUTRAL)])
@pytest.mark.parametrize("body", [b"", b"one"])
async def test_a_dripping_answer_is_broken_off(
    autojump_clock: MockClock, network: Network, events: bool, verdict: Verdict, body: bytes
) -> None:
    """At the bound both sides see the answer break, also during an upload, and it is no failure."""
    provider = Dripping(network, events=events)
    async with network.bridge(max_duration=30.0, circuit_breaker=True, max_concurrency=1) as bridge:
        stream = network.dial("bridge")
        await stream.send_all(HEAD + (chunk(body) if body else b"0\r\n\r\n"))
        said = await received(stream)
        assert said.startswith(b"HTTP/1.1 200 ")
        assert not said.endswith(b"0\r\n\r\n")
        assert said.count(b'x"}}]}' if events else b": x") in (30, 31)
        finished = await last(bridge)
        assert (finished.verdict, finished.broken, finished.left) == (verdict, True, False)
        assert finished.cause == "answer silent: --max-duration"
        assert provider.ended == [pytest.approx(trio.current_time(), abs=0.1)]
        assert (await bridge.client.get("/")).status_code == 200  # its slot is free
        await stream.aclose()


@pytest.mark.parametrize(("wholly", "verdict"), [(True, Verdict.FAILURE), (False, Verdict.NEUTRAL)])
async def test_without_a_head_it_is_504(
    autojump_clock: MockClock, network: Network, wholly: bool, verdict: Verdict
) -> None:
    """The 504 names the bound, and is neutral if the request was not yet whole."""
    provider = Dripping(network, answers=False)
    async with network.bridge(max_duration=30.0) as bridge:
        stream = network.dial("bridge")
        await trio.sleep(5)
        await stream.send_all(HEAD)
        await trio.sleep(20)  # before the first piece nothing counts
        began = trio.current_time()
        await stream.send_all(chunk(b"one") + (b"0\r\n\r\n" if wholly else b""))
        said = b""
        while not said.endswith(b"}") or b"\r\n\r\n" not in said:
            said += await stream.receive_some()
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)
        assert said.startswith(b"HTTP/1.1 504 ")
        message = json.loads(said.partition(b"\r\n\r\n")[2])["error"]["message"]
        assert message.endswith("(phase: head); this request may take 30 s (--max-duration)")
        finished = await last(bridge)
        assert (finished.verdict, finished.reject) == (verdict, "upstream_timeout")
        assert len(provider.ended) == 1
        await stream.aclose()


async def test_a_connection_that_does_not_come_about_is_within_it(
    autojump_clock: MockClock, network: Network
) -> None:
    """A connection attempt ends at the shorter of --connect-timeout and --max-duration."""
    network.blackholes.add("openai")
    async with network.bridge(max_duration=3.0) as bridge:
        answer = await bridge.client.post("/openai/v1/responses", json={})
        assert answer.status_code == 504
        assert trio.current_time() == pytest.approx(3, abs=0.1)
        assert (await last(bridge)).verdict is Verdict.FAILURE


async def test_off_it_bounds_nothing(autojump_clock: MockClock, network: Network) -> None:
    """Without the option an answer may take an hour."""
    Dripping(network)
    async with network.bridge():
        with trio.move_on_after(3600) as scope:
            stream = network.dial("bridge")
            await stream.send_all(HEAD + b"0\r\n\r\n")
            await received(stream)
        assert scope.cancelled_caught
        await stream.aclose()


async def test_what_ends_in_time_is_left_alone(autojump_clock: MockClock, network: Network) -> None:
    """An answer in time keeps its connection, and the next request has all of its time."""

    async def quick(stream: Stream) -> None:
        while await stream.receive_some():
            await trio.sleep(20)
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    network.raw("openai", quick)
    async with network.bridge(max_duration=30.0) as bridge:
        for _ in range(3):
            answer = await bridge.client.get("/openai/v1/models")
            assert (answer.status_code, answer.content) == (200, b"{}")
        assert network.dialled.count("openai") == 1


# A caller that hangs up at the end

ENDS = {
    "chat": ("/openai/v1/chat/completions", b"data: [DONE]\n\n"),
    "copilot": ("/copilot/chat/completions", b"data: [DONE]\n\n"),
    "messages": ("/anthropic/v1/messages", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    "unnamed": ("/anthropic/v1/messages", b'data: {"type": "message_stop"}\n\n'),
    "responses": (
        "/openai/v1/responses",
        b'event: response.completed\ndata: {"type":"response.completed","response":{"usage":{}}}\n\n',
    ),
    "incomplete": ("/openai/v1/responses", b'data: {"type":"response.incomplete","response":{}}\n\n'),
    "failed": ("/openai/v1/responses", b'data: {"type":"response.failed","response":{"error":{"code":"x"}}}\n\n'),
    "error": ("/anthropic/v1/messages", b'event: error\ndata: {"type":"error","error":{"type":"api_error"}}\n\n'),
    "chat error": ("/openai/v1/chat/completions", b'data: {"error":{"code":400,"message":"m"}}\n\n'),
}
# What looks like an end, and is text.
TEXT = b'data: {"choices":[{"delta":{"content":"\\"message_stop\\" [DONE] response.completed"}}]}\n\n'


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("has_it", [True, False])
async def test_who_hangs_up_at_the_end_has_had_its_answer(
    autojump_clock: MockClock, network: Network, end: str, has_it: bool
) -> None:
    """A caller that hangs up after the last event is not counted as broken or left; before it, as both."""
    path, event = ENDS[end]

    async def staying(stream: Stream) -> None:
        await stream.receive_some()
        await stream.send_all(CHUNKED + chunk(CONTENT) + chunk(TEXT) + (chunk(event) if has_it else b""))
        await stream.receive_some()

    for host in ("openai", "anthropic", "copilot"):
        network.raw(host, staying)
    async with network.bridge() as bridge:
        stream = network.dial("bridge")
        await stream.send_all(b"POST %s HTTP/1.1\r\nhost: bridge\r\ncontent-length: 0\r\n\r\n" % path.encode())
        said = b""
        while (event if has_it else TEXT) not in said:
            said += await stream.receive_some()
        await stream.aclose()
        finished = await last(bridge)
        assert (finished.broken, finished.left) == (not has_it, not has_it)
        assert finished.verdict is Verdict.SUCCESS


async def test_what_breaks_off_behind_the_end_is_no_failure(autojump_clock: MockClock, network: Network) -> None:
    """A break after the last event is no failure, and the log says that the framing was incomplete."""

    async def careless(stream: Stream) -> None:
        await stream.receive_some()
        await stream.send_all(CHUNKED + chunk(CONTENT) + chunk(b"data: [DONE]\n\n"))
        await stream.aclose()

    network.raw("openai", careless)
    async with network.bridge() as bridge:
        stream = network.dial("bridge")
        await stream.send_all(HEAD + b"0\r\n\r\n")
        assert not (await received(stream)).endswith(b"0\r\n\r\n")
        finished = await last(bridge)
        assert (finished.verdict, finished.broken, finished.left) == (Verdict.SUCCESS, True, False)
        assert (await bridge.status())["providers"][0]["breaker"]["verdicts"]["failure"] == 0
        await stream.aclose()
