"""One caller's slowness is no failure of its provider's; and an answer goes back when it comes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.verdict import Verdict
from aibridge_trio.errors import UpstreamFault
from aibridge_trio.events import Bug, Finished, ignore
from aibridge_trio.gateway.circuit import Circuit
from aibridge_trio.gateway.relay import relay
from aibridge_trio.gateway.request_events import Record
from aibridge_trio.http.response_head import ResponseHead
from tests.support.network import Network, Running

Stream = trio.abc.Stream
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
HEAD = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: bridge\r\n"
DROPS_AFTER = 3.0
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CONTENT = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def impatient(stream: Stream) -> None:
    """Answer what has ended; drop a connection on which nothing comes for some time, from its opening on."""
    received = bytearray()
    while not received.endswith(b"0\r\n\r\n"):
        with trio.move_on_after(DROPS_AFTER) as scope:
            piece = await stream.receive_some()
            received += piece
            if not piece:
                return
        if scope.cancelled_caught:
            await stream.aclose()
            return
    with suppress(trio.BrokenResourceError):
        await stream.send_all(OK)
    await impatient(stream)


async def slowly(network: Network, *pieces: bytes, pause: float) -> bytes:
    """Upload chunk by chunk with that pause before each, and return the answer as far as it came."""
    stream = network.dial("bridge")
    async with aclosing(stream):
        await stream.send_all(HEAD + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n")
        with suppress(trio.BrokenResourceError):  # the answer may have come, and the end
            for part in pieces:
                await trio.sleep(pause)
                await stream.send_all(chunk(part))
            await trio.sleep(pause)
            await stream.send_all(b"0\r\n\r\n")
        said = b""
        with trio.move_on_after(100), suppress(trio.BrokenResourceError):
            while piece := await stream.receive_some():
                said += piece
    return said


async def finished(bridge: Running) -> Finished:
    """Return the last request's `Finished`."""
    await trio.testing.wait_all_tasks_blocked()
    last: Finished = bridge.published(Finished)[-1]
    return last


async def breaker(bridge: Running) -> dict[str, Any]:
    document = await bridge.status()
    found: dict[str, Any] = document["providers"][0]["breaker"]
    return found


async def test_a_late_first_piece_is_served(autojump_clock: MockClock, network: Network) -> None:
    """A late first piece is served on a new connection as on a kept one, which may have died meanwhile."""
    network.raw("openai", impatient)
    async with network.bridge(circuit_breaker=True, circuit_breaker_window=1000.0) as bridge:
        for _ in range(6):
            stream = network.dial("bridge")
            await stream.send_all(HEAD + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n")
            await trio.sleep(10)
            await stream.send_all(chunk(b"x") + b"0\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")
            await stream.aclose()
        verdicts = (await breaker(bridge))["verdicts"]
        assert (verdicts["failure"], verdicts["success"]) == (0, 6)


async def test_an_upload_that_pauses_is_no_failure(autojump_clock: MockClock, network: Network) -> None:
    """A provider that drops slow uploads, five times and more, gets neutral verdicts."""
    network.raw("openai", impatient)
    async with network.bridge(circuit_breaker=True, circuit_breaker_window=1000.0) as bridge:
        for _ in range(6):
            assert (await slowly(network, b"x", b"y", pause=10)).startswith(b"HTTP/1.1 502 ")
            last = await finished(bridge)
            assert (last.verdict, last.reject) == (Verdict.NEUTRAL, "upstream_unreachable")
        assert (await breaker(bridge))["state"] == "closed"


async def test_what_is_lost_when_all_is_sent_is_a_failure(autojump_clock: MockClock, network: Network) -> None:
    """A provider that hangs up on whole requests is down, however slowly they came."""

    async def hang_up(stream: Stream) -> None:
        received = b""
        while b"0\r\n\r\n" not in received:
            received += await stream.receive_some()
        await stream.aclose()

    network.raw("openai", hang_up)
    async with network.bridge(circuit_breaker=True, circuit_breaker_window=100.0) as bridge:
        for _ in range(5):
            assert (await slowly(network, b"x", b"y", pause=1)).startswith(b"HTTP/1.1 502 ")
        assert (await breaker(bridge))["state"] == "open"


@pytest.mark.parametrize("answers", [True, False])
async def test_an_upload_that_is_cut_is_no_failure_and_its_answer_is_delivered(
    autojump_clock: MockClock, network: Network, answers: bool
) -> None:
    """A provider may cut an upload with or without an answer: an answer is relayed, and the verdict is neutral."""

    async def edge(stream: Stream) -> None:
        size = 0
        while size < 1 << 20:
            size += len(await stream.receive_some())
        if answers:
            await stream.send_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await stream.aclose()

    network.raw("openai", edge)
    async with network.bridge(circuit_breaker=True) as bridge:
        for _ in range(6):
            answer = await bridge.client.post("/openai/v1/responses", content=b"x" * (3 << 20))
            assert answer.status_code == (413 if answers else 502)
            assert (await finished(bridge)).verdict is Verdict.NEUTRAL
        assert (await breaker(bridge))["state"] == "closed"


class Answer:
    """An answer that breaks off."""

    head = ResponseHead(200, [(b"content-type", b"text/event-stream")])
    buffered = complete = False

    def __init__(self) -> None:
        self.pieces = [CONTENT]

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.pieces:
            return self.pieces.pop()
        raise UpstreamFault("stream", "reset by peer")


class Silent:
    """A reply that goes nowhere, and whose longest write has waited for so long."""

    def __init__(self, longest_write: float, during: Callable[[], Awaitable[None]] | None = None) -> None:
        self.longest_write = longest_write
        self.sent = 0
        self._during = during

    async def start(self, *_: object, **__: object) -> None:
        pass

    async def send(self, piece: bytes) -> None:
        if self._during:
            await self._during()
        self.sent += len(piece)


INTERCEPTED: Any = type("Route", (), {"intercepted": True})
NOTES: Any = type("Notes", (Record,), {"__init__": lambda self: None, "first_byte": lambda self: None})


@pytest.mark.parametrize(
    ("longest_write", "verdicts"),
    [(0.0, ["success", "failure"]), (0.4, ["success", "failure"]), (7.0, ["success"])],
)
async def test_a_provider_that_was_kept_waiting_may_break_off(
    autojump_clock: MockClock, longest_write: float, verdicts: list[str]
) -> None:
    """A reader that stops makes us stop reading: a provider that drops us for that is not down."""
    told: list[Any] = []
    circuit = Circuit("openai", BreakerPolicy(), trio.current_time, told.append)

    async def ask() -> None:
        with circuit.admit() as attempt:
            await relay(Answer(), Silent(longest_write), attempt, INTERCEPTED, NOTES())  # type: ignore[arg-type]

    with pytest.raises(UpstreamFault):
        await ask()
    received = [event.verdict for event in told if hasattr(event, "verdict")]
    assert received == [*verdicts, "neutral"][: len(received)]
    assert ("failure" in received) is ("failure" in verdicts)


async def test_evidence_is_received_before_the_bytes_go_out(autojump_clock: MockClock) -> None:
    """The breaker gets the evidence before its bytes are sent, because the caller may leave meanwhile."""
    circuit = Circuit("openai", BreakerPolicy(), trio.current_time, ignore)
    answer = Answer()
    answer.pieces = [b'data: {"error":{"code":"server_is_overloaded"}}\n\n']
    with trio.CancelScope() as scope, circuit.admit() as attempt:

        async def leave() -> None:
            assert attempt.verdict is Verdict.FAILURE
            scope.cancel()
            await trio.lowlevel.checkpoint()

        await relay(answer, Silent(0.0, leave), attempt, INTERCEPTED, NOTES())  # type: ignore[arg-type]
    assert scope.cancelled_caught
    assert circuit.statistics().failures_in_window == 1


# Early answers


async def test_an_answer_goes_back_while_the_upload_goes_on(autojump_clock: MockClock, network: Network) -> None:
    """Request and answer are relayed at the same time, piece by piece."""
    received = bytearray()

    async def duplex(stream: Stream) -> None:
        while b"\r\n\r\n" not in received:
            received.extend(await stream.receive_some())
        await stream.send_all(CHUNKED + chunk(CONTENT))
        while not received.endswith(b"0\r\n\r\n"):
            received.extend(await stream.receive_some())
        await stream.send_all(chunk(CONTENT) + b"0\r\n\r\n")
        await trio.sleep_forever()

    network.raw("openai", duplex)
    async with network.bridge() as bridge:
        stream = network.dial("bridge")
        await stream.send_all(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"one"))
        said = b""
        with trio.fail_after(1):
            while CONTENT not in said:
                said += await stream.receive_some()
        await trio.sleep(10)
        await stream.send_all(chunk(b"two"))
        await trio.sleep(10)
        await stream.send_all(b"0\r\n\r\n")
        while not said.endswith(b"0\r\n\r\n"):
            said += await stream.receive_some()
        assert b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n" in received
        assert said.count(CONTENT) == 2
        last = await finished(bridge)
        assert (last.broken, last.verdict) == (False, Verdict.SUCCESS)
        await stream.aclose()


async def test_a_whole_answer_ends_the_upload(autojump_clock: MockClock, network: Network) -> None:
    """The caller gets a whole answer at once, and the provider's connection is closed, not used again."""
    ended = trio.Event()

    async def hasty(stream: Stream) -> None:
        await stream.receive_some()
        await stream.send_all(OK)
        while await stream.receive_some():
            pass
        ended.set()

    network.raw("openai", hasty)
    async with network.bridge() as bridge:
        stream = network.dial("bridge")
        await stream.send_all(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"one"))
        with trio.fail_after(1):
            said = b""
            while not said.endswith(b"{}"):
                said += await stream.receive_some()
            await ended.wait()
        assert said.startswith(b"HTTP/1.1 200 ")
        assert (await finished(bridge)).broken is False
        await stream.aclose()


@pytest.mark.parametrize("end", ["too long", "stalls", "leaves"])
async def test_an_upload_that_fails_beside_the_answer_breaks_it(
    autojump_clock: MockClock, network: Network, end: str
) -> None:
    """An upload that fails breaks its answer for both sides, and is no failure of the provider."""
    ended: list[float] = []

    async def early(stream: Stream) -> None:
        await stream.receive_some()
        await stream.send_all(CHUNKED + chunk(CONTENT))
        with suppress(trio.BrokenResourceError):
            while await stream.receive_some():
                pass
        ended.append(trio.current_time())

    network.raw("openai", early)
    async with network.bridge(max_body=10) as bridge:
        stream = network.dial("bridge")
        await stream.send_all(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"one"))
        said = b""
        while CONTENT not in said:
            said += await stream.receive_some()
        if end == "too long":
            await stream.send_all(chunk(b"x" * 20))
        elif end == "leaves":
            await stream.aclose()
        if end != "leaves":
            with trio.fail_after(100), suppress(trio.BrokenResourceError):
                while piece := await stream.receive_some():
                    said += piece
            assert not said.endswith(b"0\r\n\r\n")
            await stream.aclose()
        await trio.sleep(0.1)
        assert len(ended) == 1
        last = await finished(bridge)
        assert (last.broken, last.left, last.verdict) == (True, end == "leaves", Verdict.SUCCESS)
        assert not bridge.published(Bug)


async def test_a_first_byte_that_came_is_never_late(autojump_clock: MockClock, network: Network) -> None:
    """A first byte that came in time stays so, also where the request ends after its answer has begun."""

    async def early(stream: Stream) -> None:
        await stream.receive_some()
        await stream.send_all(CHUNKED + chunk(CONTENT))
        await trio.sleep(60)
        await stream.send_all(b"0\r\n\r\n")

    network.raw("openai", early)
    slow = {"circuit_breaker": True, "circuit_breaker_slow_first_byte": 5.0}
    async with network.bridge(**slow) as bridge:
        await slowly(network, b"x", b"y", pause=2)
        verdicts = (await breaker(bridge))["verdicts"]
        assert (verdicts["failure"], verdicts["success"]) == (0, 1)


@pytest.mark.parametrize("kept", [False, True])
async def test_what_was_said_before_the_request_is_no_answer(
    autojump_clock: MockClock, network: Network, kept: bool
) -> None:
    """A 408 that waits on a new connection, or on one that idled, ends that connection, and another is dialled."""
    dialled = 0

    async def early(stream: Stream) -> None:
        nonlocal dialled
        dialled += 1
        if dialled == 1 and not kept:
            await stream.send_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        while await stream.receive_some():
            await stream.send_all(OK)
            if dialled == 1 and kept:
                await trio.sleep(1)
                await stream.send_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")

    network.raw("openai", early)
    link = network._link

    async def late(host: str, port: int) -> Any:
        made = await link(host, port)
        await trio.sleep(0.1)  # what the provider says at once is there when the connection is
        return made

    network._link = late  # type: ignore[method-assign]
    async with network.bridge() as bridge:
        for _ in range(1 + kept):
            answer = await bridge.client.get("/openai/v1/models")
            assert (answer.status_code, answer.content) == (200, b"{}")
            await trio.sleep(2)
        assert dialled == 2


async def test_a_provider_that_always_speaks_first_is_none(autojump_clock: MockClock, network: Network) -> None:
    """A provider that sends first is dialled twice; then the request fails, and the log says why."""
    dialled = 0

    async def greet(stream: Stream) -> None:
        nonlocal dialled
        dialled += 1
        await stream.send_all(b"220 smtp.example ready\r\n")
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()

    network.raw("openai", greet)
    link = network._link

    async def late(host: str, port: int) -> Any:
        made = await link(host, port)
        await trio.sleep(0.1)
        return made

    network._link = late  # type: ignore[method-assign]
    async with network.bridge() as bridge:
        answer = await bridge.client.post("/openai/v1/responses", json={})
        assert (answer.status_code, dialled) == (502, 2)
        assert json.loads(answer.content)["error"]["message"].endswith("(phase: connect)")
        assert (await finished(bridge)).verdict is Verdict.FAILURE
