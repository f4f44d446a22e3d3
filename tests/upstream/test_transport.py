"""Our own way to providers: kept connections, early answers, cancellation, and what is told when it breaks."""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.net.deadline import Deadline
from aibridge_trio.upstream.call import Call, CallTimeouts, ConnectionLost
from aibridge_trio.upstream.pool import Origin, Pool
from aibridge_trio.upstream.transport import Transport
from tests.support.network import Network

Stream = trio.abc.Stream
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Host:
    """A host byte by byte: `spoken` keeps what each connection has heard, `ended` counts those that ended."""

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


async def test_side_by_side_nobody_waits(autojump_clock: MockClock, network: Network) -> None:
    """As many connections as there are requests in flight, and all of them are kept."""

    host = Host(network, slow)
    transport = network.way_out()
    for _ in range(2):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(asked, transport, get())
        assert trio.current_time() - began == pytest.approx(1)
    assert len(host.connections) == 100
    assert pool_of(transport).statistics() == (0, 100)
    await transport.aclose()


async def test_the_youngest_is_used_first_and_the_old_are_closed(
    autojump_clock: MockClock, network: Network
) -> None:
    """After a crowd, steady traffic keeps one connection, and the others go when they have idled for long."""

    host = Host(network, slow)
    transport = network.way_out()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(asked, transport, get())
    for _ in range(60):
        await asked(transport, get())
    await trio.testing.wait_all_tasks_blocked()
    assert (len(host.connections), host.ended) == (10, 9)
    assert pool_of(transport).statistics() == (0, 1)
    await transport.aclose()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"])
async def test_a_kept_connection_that_ended_is_replaced(
    autojump_clock: MockClock, network: Network, said: bytes
) -> None:
    """Found dead before a byte was written: no request has met it, so nobody is told; last words are a death."""

    async def once(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK)
        if said:
            await stream.send_all(said)
        else:
            await stream.aclose()
        await trio.sleep_forever()

    host = Host(network, once)
    transport = network.way_out()
    for _ in range(3):
        assert await asked(transport, get()) == (200, b"{}")
        await trio.testing.wait_all_tasks_blocked()
    assert len(host.connections) == 3
    await transport.aclose()


async def test_a_kept_connection_that_dies_under_a_request_is_told_apart(
    autojump_clock: MockClock, network: Network
) -> None:
    """Whether it was processed nobody knows: it is not sent again, and it is no word on the provider's health."""

    async def once(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK)
        await until(stream, b"\r\n\r\n")
        await stream.aclose()

    host = Host(network, once)
    transport = network.way_out()
    await asked(transport, get())
    with pytest.raises(ConnectionLost):
        await asked(transport, get())
    assert len(host.connections) == 1
    assert pool_of(transport).statistics() == (0, 0)


@pytest.mark.parametrize("first", [True, False])
async def test_half_an_answer_is_a_break(autojump_clock: MockClock, network: Network, first: bool) -> None:
    """Once a byte has come, a kept connection breaks like any other; a new one always does."""

    async def broken(stream: Stream) -> None:
        if not first:
            await until(stream, b"\r\n\r\n")
            await stream.send_all(OK)
        await until(stream, b"\r\n\r\n")
        await stream.send_all(b"" if first else b"HTTP/1.1 ")
        await stream.aclose()

    Host(network, broken)
    transport = network.way_out()
    if not first:
        await asked(transport, get())
    with pytest.raises(httpx.RemoteProtocolError):
        await asked(transport, get())


async def test_nobody_there(autojump_clock: MockClock, network: Network) -> None:
    """A refused connection is a connect error, and leaves nothing behind."""
    transport = network.way_out()
    with pytest.raises(httpx.ConnectError):
        await asked(transport, get())
    assert pool_of(transport).statistics() == (0, 0)


async def test_an_early_refusal_ends_the_upload(autojump_clock: MockClock, network: Network) -> None:
    """A 429 that comes before the body is through is the answer; the rest is not sent, the connection not kept."""

    async def refuse(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}")
        while await stream.receive_some():
            pass

    host = Host(network, refuse)
    transport = network.way_out()
    body = pieces(*[b"x" * 1000] * 100, pause=1.0)
    assert await asked(transport, post(body, **{"content-length": "100000"})) == (429, b"{}")
    assert trio.current_time() < 5
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1
    assert pool_of(transport).statistics() == (0, 0)
    await body.aclose()  # type: ignore[attr-defined]


async def test_an_early_success_lets_the_upload_finish(autojump_clock: MockClock, network: Network) -> None:
    """Who answers 200 while it reads gets the rest; the connection is kept."""

    async def welcome(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK)
        while await stream.receive_some():
            pass

    host = Host(network, welcome)
    transport = network.way_out()
    assert await asked(transport, post(pieces(b"be", b"gin", b"end", pause=1.0))) == (200, b"{}")
    await trio.testing.wait_all_tasks_blocked()
    assert host.connections[0].endswith(b"3\r\nend\r\n0\r\n\r\n")
    assert pool_of(transport).statistics() == (0, 1)
    await transport.aclose()


async def test_an_answer_is_read_although_nobody_takes_the_rest(
    autojump_clock: MockClock, network: Network
) -> None:
    """A provider that answers and closes while the body is on its way has answered."""

    async def shut(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        await stream.aclose()

    Host(network, shut)
    transport = network.way_out()
    assert await asked(transport, post(pieces(b"be", b"gin", pause=1.0))) == (413, b"{}")


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


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")  # httpx leaves its caller's unexhausted
@pytest.mark.parametrize("length", ["4", "9"])
async def test_a_body_of_another_length_is_never_a_whole_request(
    autojump_clock: MockClock, network: Network, length: str
) -> None:
    """More or less than announced: the connection is closed in the middle."""

    async def silent(stream: Stream) -> None:
        while await stream.receive_some():
            pass

    host = Host(network, silent)
    transport = network.way_out()
    with pytest.raises(httpx.LocalProtocolError):
        await asked(transport, post(pieces(b"be", b"gin"), **{"content-length": length}))
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1


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
    """Who does not want the rest stops the provider by it."""

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


async def test_a_write_has_a_deadline(autojump_clock: MockClock, network: Network) -> None:
    """Who takes nothing of an upload for so long gets no more of it."""

    async def silent(stream: Stream) -> None:
        await trio.sleep_forever()

    async def stuck(name: str, port: int) -> Any:
        made = await network._link(name, port)

        async def send(data: bytes) -> None:
            await made.receive()  # what will not come

        made.send = send  # type: ignore[method-assign]
        return made

    Host(network, silent)

    async def nothing() -> None:
        return None

    three, never = Deadline(3), Deadline(math.inf)
    network.nursery.start_soon(three.run)
    pool = Pool(Origin("host", 80, None), stuck)
    call = Call(pool, CallTimeouts(math.inf, three, never, never))
    with pytest.raises(httpx.WriteTimeout):
        await call.begin("GET", b"/", [(b"host", b"host")], nothing, lambda: None)
    assert trio.current_time() == pytest.approx(3, abs=0.1)
    assert pool.statistics() == (0, 0)


async def test_origins_have_pools_of_their_own(autojump_clock: MockClock, network: Network) -> None:
    """A connection never carries a request to somewhere else."""
    Host(network, answers)
    Host(network, answers, "other")
    transport = network.way_out()
    await asked(transport, get())
    await asked(transport, httpx.Request("GET", "http://other/"))
    assert network.dialled == ["host", "other"]
    await transport.aclose()


async def test_closing_ends_the_kept_and_the_busy(autojump_clock: MockClock, network: Network) -> None:
    """Nothing stays open behind a transport that was closed."""
    host = Host(network, answers)
    transport = network.way_out()
    await asked(transport, get())
    assert isinstance(transport, Transport)
    await transport.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1


def test_it_says_what_it_holds() -> None:
    """And no secret: neither target nor header."""
    assert repr(Transport(ssl.create_default_context())) == "<Transport []>"


# What survived mutations


async def test_a_connection_given_to_a_closed_pool_is_closed(autojump_clock: MockClock, network: Network) -> None:
    """It is neither kept nor forgotten: nothing is open behind a pool that was closed."""
    host = Host(network, slow)
    transport = network.way_out()
    answer = await transport.handle_async_request(get())
    pool = pool_of(transport)
    assert pool.statistics() == (1, 0)
    await transport.aclose()
    with suppress(httpx.TransportError):
        await answer.aread()
    assert pool.statistics() == (0, 0)
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1


async def test_a_connection_that_a_closed_pool_opens_is_closed(
    autojump_clock: MockClock, network: Network
) -> None:
    """The pool was closed while it was dialled."""
    host = Host(network, answers)
    made = network._link

    async def late(name: str, port: int) -> Any:
        link = await made(name, port)
        await trio.sleep(5)
        return link

    pool = Pool(Origin("host", 80, None), late)
    async with trio.open_nursery() as nursery:

        async def opened() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await pool.open()

        nursery.start_soon(opened)
        await trio.sleep(1)
        pool.close()
    assert pool.statistics() == (0, 0)
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1


@pytest.mark.parametrize("kept", [1, 2])
async def test_a_kept_connection_that_dies_while_the_body_is_awaited_is_not_used(
    autojump_clock: MockClock, network: Network, kept: int
) -> None:
    """It is looked at when there is something to send, not before: no request is written on a dead one."""
    gate = trio.Event()

    async def drops(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await gate.wait()
        await stream.send_all(OK)
        with trio.move_on_after(5):
            await until(stream, b"0\r\n\r\n")
            await stream.send_all(OK)
        await stream.aclose()

    host = Host(network, drops)
    transport = network.way_out()
    async with trio.open_nursery() as nursery:
        for _ in range(kept):
            nursery.start_soon(asked, transport, get())
        await trio.sleep(1)
        gate.set()
    assert pool_of(transport).statistics() == (0, kept)
    began = len(host.connections)
    assert await asked(transport, post(pieces(b"late", pause=10))) == (200, b"{}")
    assert len(host.connections) == began + 1
    assert not any(b"late" in heard for heard in host.connections[:began])
    await transport.aclose()


@pytest.mark.parametrize("end", ["cancelled", "answered", "broken", "upload broken"])
async def test_no_deadline_waits_for_a_call_that_is_over(
    autojump_clock: MockClock, network: Network, end: str
) -> None:
    """However it ended: what is left in a deadline would hold the call for as long as that lasts."""

    async def speak(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        if end == "answered":
            await stream.send_all(OK)
        if "broken" in end:
            await stream.aclose()
        await trio.sleep_forever()

    Host(network, speak)
    patience = CallTimeouts(math.inf, Deadline(10), Deadline(10), Deadline(10))
    call = Call(Pool(Origin("host", 80, None), network._link), patience, overlapping=True)
    body = iter([b"x", b"y"] if end == "upload broken" else [])

    async def source() -> bytes | None:
        return next(body, None)

    headers = [(b"transfer-encoding", b"chunked")] if end == "upload broken" else []
    with trio.move_on_after(1), suppress(httpx.TransportError):
        await call.begin("POST", b"/", headers, source, lambda: None)
        while await call.read():
            pass
    await call.aclose()
    assert [deadline.statistics() for deadline in patience[1:]] == [0, 0, 0]


async def test_the_head_is_not_waited_for_once_it_has_come(autojump_clock: MockClock, network: Network) -> None:
    """An answer may last longer than its head might."""

    async def speak(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK[:-1])
        await trio.sleep(15)
        await stream.send_all(OK[-1:])
        await trio.sleep_forever()

    Host(network, speak)
    patience = CallTimeouts(math.inf, Deadline(100), Deadline(10), Deadline(100))
    network.nursery.start_soon(patience.head.run)
    call = Call(Pool(Origin("host", 80, None), network._link), patience)

    async def source() -> None:
        return None

    await call.begin("GET", b"/", [], source, lambda: None)
    assert await call.read() + await call.read() == b"{}"


@pytest.mark.parametrize(
    ("size", "late", "error", "lost"),
    [
        (100_000, 0.0, ConnectionResetError(104, "reset"), True),
        (100_000, 0.5, ConnectionResetError(104, "reset"), True),
        (100_000, 1.5, ConnectionResetError(104, "reset"), False),
        (10_000, 0.0, ConnectionResetError(104, "reset"), False),
        (100_000, 0.0, None, False),
    ],
)
async def test_a_reset_behind_a_long_request_may_have_come_before_its_end(
    autojump_clock: MockClock, network: Network, size: int, late: float, error: OSError | None, lost: bool
) -> None:
    """That the kernel took the last byte does not say that it arrived: an edge may have cut it off before."""

    async def speak(stream: Stream) -> None:
        await until(stream, b"0\r\n\r\n")

    async def broken(name: str, port: int) -> Any:
        made = await network._link(name, port)

        async def receive() -> bytes:
            while not host.connections or not host.connections[0].endswith(b"0\r\n\r\n"):
                await trio.sleep(0.001)
            await trio.sleep(late)
            if error:
                raise error
            return b""

        made.receive = receive  # type: ignore[method-assign]
        return made

    host = Host(network, speak)
    call = Call(
        Pool(Origin("host", 80, None), broken), CallTimeouts(math.inf, *(Deadline(math.inf) for _ in range(3)))
    )
    body = iter([b"x" * 10_000] * (size // 10_000))

    async def source() -> bytes | None:
        return next(body, None)

    with pytest.raises(httpx.TransportError) as caught:
        await call.begin("POST", b"/", [(b"transfer-encoding", b"chunked")], source, lambda: None)
    assert isinstance(caught.value, ConnectionLost) is lost


async def test_a_silence_of_the_machine_is_a_silence(autojump_clock: MockClock, network: Network) -> None:
    """What the kernel gives up on (ETIMEDOUT) is no loss that its caller could be to blame for."""

    async def dead(name: str, port: int) -> Any:
        made = await network._link(name, port)

        async def receive() -> bytes:
            await trio.sleep(1)
            raise TimeoutError(110, "timed out")

        made.receive = receive  # type: ignore[method-assign]
        return made

    Host(network, answers)
    call = Call(
        Pool(Origin("host", 80, None), dead), CallTimeouts(math.inf, *(Deadline(math.inf) for _ in range(3)))
    )

    async def source() -> None:
        return None

    with pytest.raises(httpx.ReadTimeout):
        await call.begin("GET", b"/", [], source, lambda: None)
