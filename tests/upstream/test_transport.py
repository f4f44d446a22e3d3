"""Our own transport: kept connections, early responses, cancellation, and errors."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.upstream.pool import Pool
from aibridge_trio.upstream.transport import Transport
from tests.support.network import Network

Stream = trio.abc.Stream
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Host:
    """A host: `connections` has the bytes that each has received, `ended` counts those that were closed."""

    def __init__(self, network: Network, speak: Callable[[Stream], Awaitable[None]], name: str = "host") -> None:
        self.connections: list[bytearray] = []
        self.closed: set[Stream] = set()
        self._speak = speak
        network.raw(name, self._serve)

    @property
    def ended(self) -> int:
        return len(self.closed)

    async def _serve(self, stream: Stream) -> None:
        with suppress(trio.BrokenResourceError):
            await self._speak(Noted(stream, self))


class Noted(trio.abc.Stream):
    """A stream whose host keeps what comes in."""

    def __init__(self, stream: Stream, host: Host) -> None:
        self._stream, self._host = stream, host
        host.connections.append(heard := bytearray())
        self.heard = heard

    async def send_all(self, data: Any) -> None:
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            self._host.closed.add(self)
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        self.heard += data
        if not data:
            self._host.closed.add(self)
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


async def until(stream: Stream, marker: bytes) -> bytes:
    """Read until this has come."""
    heard = b""
    while marker not in heard:
        piece = await stream.receive_some()
        if not piece:
            raise trio.BrokenResourceError
        heard += piece
    return heard


async def answers(stream: Stream) -> None:
    """Answer every request without a body, until the end."""
    while True:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK)


async def slow(stream: Stream) -> None:
    """Answer like that, a second later each time."""
    while True:
        await until(stream, b"\r\n\r\n")
        await trio.sleep(1)
        await stream.send_all(OK)


def get(path: str = "/", **more: Any) -> httpx.Request:
    return httpx.Request("GET", f"http://host{path}", **more)


def post(body: AsyncIterator[bytes], **headers: str) -> httpx.Request:
    return httpx.Request("POST", "http://host/", content=body, headers=headers)


async def pieces(*each: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    for piece in each:
        await trio.sleep(pause)
        yield piece


async def asked(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> tuple[int, bytes]:
    answer = await transport.handle_async_request(request)
    return answer.status_code, await answer.aread()


def pool_of(transport: httpx.AsyncBaseTransport) -> Pool:
    assert isinstance(transport, Transport)
    [pool] = transport._pools.values()
    return pool


async def test_a_connection_is_used_again(autojump_clock: MockClock, network: Network) -> None:
    """One after the other, requests share one; nothing is busy in between."""
    host = Host(network, answers)
    transport = network.way_out()
    for _ in range(5):
        assert await asked(transport, get()) == (200, b"{}")
        assert pool_of(transport).statistics() == (0, 1)
    assert len(host.connections) == 1
    await transport.aclose()


async def test_no_listener(autojump_clock: MockClock, network: Network) -> None:
    """A refused connection is a connect error, and leaves nothing behind."""
    transport = network.way_out()
    with pytest.raises(httpx.ConnectError):
        await asked(transport, get())
    assert pool_of(transport).statistics() == (0, 0)


async def test_what_the_body_raises_is_raised_as_it_is(autojump_clock: MockClock, network: Network) -> None:
    """Not wrapped in a group; and the connection, half-used, is closed."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"begin"
        await trio.sleep(1)
        raise KeyError

    async def silent(stream: Stream) -> None:
        while await stream.receive_some():
            pass

    host = Host(network, silent)
    transport = network.way_out()
    with pytest.raises(KeyError):
        await asked(transport, post(failing()))
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1
    assert pool_of(transport).statistics() == (0, 0)


PHASES = ["connect", "upload", "head", "body"]


@pytest.mark.parametrize("phase", PHASES)
async def test_who_cancels_leaves_nothing_behind(autojump_clock: MockClock, network: Network, phase: str) -> None:
    """In every phase the connection ends at once, and the provider sees it."""

    async def speak(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        if phase == "body":
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")
        while await stream.receive_some():
            pass

    host = Host(network, speak)
    if phase == "connect":
        network.blackholes.add("host")
    transport = network.way_out()

    async def coming() -> AsyncIterator[bytes]:
        yield b"x"
        await trio.sleep(100 if phase == "upload" else 0.0)
        yield b"y"

    body = coming()
    with trio.move_on_after(1) as scope:
        await asked(transport, post(body))
    assert scope.cancelled_caught
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == len(host.connections) == (0 if phase == "connect" else 1)
    assert pool_of(transport).statistics() == (0, 0)
    await body.aclose()  # type: ignore[attr-defined]


async def test_an_answer_that_is_left_closes_its_connection(autojump_clock: MockClock, network: Network) -> None:
    """Closing the response stops the provider."""

    async def endless(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await stream.send_all(b"1\r\nx\r\n")
            await trio.sleep(1)

    host = Host(network, endless)
    transport = network.way_out()
    answer = await transport.handle_async_request(get())
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    assert await anext(aiter(answer.stream)) == b"x"
    await answer.aclose()
    await trio.sleep(2)
    assert host.ended == 1
    assert pool_of(transport).statistics() == (0, 0)


async def test_origins_have_pools_of_their_own(autojump_clock: MockClock, network: Network) -> None:
    """A connection never carries a request to somewhere else."""
    Host(network, answers)
    Host(network, answers, "other")
    transport = network.way_out()
    await asked(transport, get())
    await asked(transport, httpx.Request("GET", "http://other/"))
    assert network.dialled == ["host", "other"]
    await transport.aclose()


def test_it_says_what_it_holds() -> None:
    """And no secret: neither target nor header."""
    assert repr(Transport(ssl.create_default_context())) == "<Transport []>"


# What survived mutations
