"""One connection, byte by byte, in memory and in virtual time."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server.asgi import Application, HandlerApplication, Message, Receive, Scope, Send
from aibridge_trio.server.server import Server
from tests.support.network import Network

GET = b"GET / HTTP/1.1\r\nhost: s\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
MIB = 1024 * 1024


def post(length: int, *headers: bytes) -> bytes:
    """Return the head of a request with a body."""
    lines = b"".join(b"%s\r\n" % header for header in headers)
    return b"POST / HTTP/1.1\r\nhost: s\r\ncontent-length: %d\r\n%s\r\n" % (length, lines)


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    """Return the beginning of an answer."""
    return {"type": "http.response.start", "status": status, "headers": headers}


def piece(body: bytes, *, more: bool = True) -> Message:
    """Return a piece of an answer."""
    return {"type": "http.response.body", "body": body, "more_body": more}


async def answer(send: Send, body: bytes = b"ok", status: int = 200) -> None:
    """Send a whole answer."""
    await send(start((b"content-length", b"%d" % len(body)), status=status))
    await send(piece(body, more=False))


async def whole_body(receive: Receive) -> bytes | None:
    """Read a request's body; None if the caller left before its end."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += bytes(message["body"])
        if not message["more_body"]:
            return body
    return None


async def until_left(receive: Receive) -> None:
    """Wait until the caller has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Site:
    """A server of one application; what was reported, and the requests that it saw."""

    def __init__(self, network: Network, app: Application, **options: Any) -> None:
        self.reports: list[BaseException] = []
        self.scopes: list[Scope] = []
        self.network = network

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.scopes.append(scope)
                await app(scope, receive, send)

        ours = isinstance(app, HandlerApplication)
        self.server = Server(app if ours else noted, report=self.reports.append, **options)
        network.attach("s", self.server)

    async def call(self, data: bytes = b"", address: str = "10.0.0.2") -> Caller:
        """Open a connection and say something."""
        stream = self.network.dial("s", address)
        caller = Caller(stream, self.network.listeners["s"].last)
        with suppress(trio.BrokenResourceError):  # it may have been turned away
            await caller.say(data)
        await wait_all_tasks_blocked()
        return caller


class Caller:
    """One end of a connection; `wire` is the other."""

    def __init__(self, stream: trio.abc.Stream, wire: Any) -> None:
        self.stream: Any = stream
        self.wire = wire

    async def say(self, data: bytes) -> None:
        """Send bytes."""
        await self.stream.send_all(data)

    def heard(self) -> bytes:
        """What has come and was not read, without waiting."""
        with suppress(trio.WouldBlock):
            return bytes(self.stream.receive_stream._incoming.get_nowait())
        return b""

    @property
    def closed(self) -> bool:
        """Whether the server has ended it."""
        return bool(self.stream.receive_stream._incoming._closed)

    def unread(self) -> int:
        """How many bytes the server has not taken."""
        return len(self.wire.stream.receive_stream._incoming._data)

    async def leave(self) -> None:
        """Close."""
        await self.stream.aclose()


Serve = Callable[..., Awaitable[Site]]


@pytest.fixture
async def serve(network: Network) -> Serve:
    """Return a function that serves an application."""

    async def serve(app: Application, **options: Any) -> Site:
        site = Site(network, app, **options)
        await network.nursery.start(site.server.run)
        return site

    return serve


async def ok(_: Scope, receive: Receive, send: Send) -> None:
    """Read all and say ok."""
    if await whole_body(receive) is not None:
        await answer(send)


# One after the other


def streaming(seen: list[str]) -> Application:
    """Return an application that streams for ever, and notes how it ended."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await until_left(receive)
                seen.append("left")
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            await send(start())
            while True:
                await send(piece(b"x" * 1000))
                await trio.sleep(0.01)

    return app


async def test_a_connection_is_kept(autojump_clock: MockClock, serve: Serve) -> None:
    """Request upon request over one connection, which closes after 120 idle seconds, and not before."""
    site = await serve(ok)
    caller = await site.call()
    for _ in range(3):
        await caller.say(GET)
        await trio.sleep(119)
        assert caller.heard() == OK
        assert not caller.closed
    await trio.sleep(2)
    assert caller.closed
    assert caller.heard() == b""
    assert site.server.statistics().connections == 0


async def test_who_never_says_anything_is_not_waited_for(autojump_clock: MockClock, serve: Serve) -> None:
    """A connection without a request is an idle one, empty lines or not."""
    caller = await (await serve(ok)).call(b"\r\n")
    await trio.sleep(80)
    await caller.say(b"\r\n")
    await trio.sleep(39)
    assert not caller.closed
    await trio.sleep(2)
    assert caller.closed


async def test_a_pipeline_is_answered_in_order_one_at_a_time(autojump_clock: MockClock, serve: Serve) -> None:
    """The next request begins when the answer before it has ended."""
    running: list[bytes] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        running.append(scope["raw_path"])
        assert len(running) == 1
        await trio.sleep(1)
        await answer(send, running.pop())

    site = await serve(app)
    caller = await site.call(b"".join(b"GET /%d HTTP/1.1\r\nhost: s\r\n\r\n" % n for n in range(5)))
    await trio.sleep(5.5)
    assert [part[:2] for part in caller.heard().split(b"\r\n\r\n")[1:]] == [b"/%d" % n for n in range(5)]
    assert site.reports == []


async def test_a_close_that_was_asked_for_is_given(autojump_clock: MockClock, serve: Serve) -> None:
    """The answer says so, the connection ends at once, and what stands behind is no request."""
    site = await serve(ok)
    caller = await site.call(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    assert caller.heard() == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert caller.closed
    caller = await site.call(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + GET)
    await trio.sleep(6)
    assert caller.heard().count(b"HTTP/1.1") == 1
    assert caller.closed
    assert len(site.scopes) == 2


# Bodies


# Early answers


# Deadlines


# Leaving


async def test_who_leaves_in_any_phase_is_missed_at_once(autojump_clock: MockClock, serve: Serve) -> None:
    """When a caller leaves, in whatever phase, its connection ends and a running application gets a disconnect."""
    seen: list[str] = []

    async def waiting(_: Scope, receive: Receive, __: Send) -> None:
        await until_left(receive)
        seen.append("left")

    site = await serve(waiting)
    for data in (b"", b"GET / HT", post(10), post(10) + b"abc", GET):
        caller = await site.call(data)
        await trio.sleep(1)
        await caller.leave()
        await wait_all_tasks_blocked()
        assert site.server.statistics().connections == 0
    assert seen == ["left"] * 3
    site = await serve(streaming(seen))
    caller = await site.call(GET)
    await trio.sleep(1)
    await caller.leave()
    await trio.sleep(0.1)
    assert seen == ["left"] * 4
    assert site.server.statistics().connections == 0


@pytest.mark.parametrize("data", [GET * 10_000, post(8 * MIB) + b"x" * MIB], ids=["a pipeline", "an upload"])
async def test_who_leaves_behind_unread_bytes_is_missed_within_a_second(
    autojump_clock: MockClock, serve: Serve, data: bytes
) -> None:
    """The bytes stay unread, and the disconnect behind them is noticed all the same."""
    left: list[float] = []

    async def handler(_: Request, __: Reply) -> None:
        try:
            await trio.sleep_forever()
        finally:
            left.append(trio.current_time())

    site = await serve(HandlerApplication(handler))
    caller = await site.call(data)
    await trio.sleep(10)
    assert caller.unread()
    caller.wire.stream.receive_stream.put_eof()
    gone = trio.current_time()
    await trio.sleep(1)
    assert left[0] - gone <= 1
    assert site.server.statistics().connections == 0


async def test_who_has_left_before_it_was_let_in_is_not_served(autojump_clock: MockClock, serve: Serve) -> None:
    """The caller left before the connection was watched."""
    begun: list[bytes] = []

    async def handler(request: Request, _: Reply) -> None:
        begun.append(request.path)
        await trio.sleep_forever()

    site = await serve(HandlerApplication(handler))
    stream: Any = site.network.dial("s")
    stream.send_stream._outgoing.put(GET)
    stream.send_stream.close()  # before any other task has run
    stream.send_stream.close_hook()  # carries the end over, behind the bytes
    await trio.sleep(1)
    assert begun == []
    assert site.server.statistics().connections == 0


async def test_what_is_uploaded_behind_a_broken_answer_is_thrown_away(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """Up to the bound, and none of it is kept."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        await send(piece(b"some"))

    site = await serve(app)
    caller = await site.call()
    receive, taken = caller.wire.receive, 0

    async def counted() -> bytes:
        nonlocal taken
        data: bytes = await receive()
        taken += len(data)
        return data

    caller.wire.receive = counted
    await caller.say(post(64 * MIB) + b"x" * 50 * MIB)
    await trio.sleep(6)
    assert 32 * MIB < taken < 33 * MIB
    assert caller.heard().endswith(b"4\r\nsome\r\n")
    assert site.server.statistics().connections == 0


async def test_who_has_left_before_its_turn_is_not_waited_for(autojump_clock: MockClock, serve: Serve) -> None:
    """A handler is cancelled as soon as it begins, where the caller went while it stood in line."""
    begun: list[bytes] = []

    async def handler(request: Request, reply: Reply) -> None:
        begun.append(request.path)
        await trio.sleep(10)
        await reply.answer(200, [], b"")

    site = await serve(HandlerApplication(handler))
    caller = await site.call(GET + GET.replace(b"/", b"/second", 1))
    await trio.sleep(1)
    await caller.leave()
    await trio.sleep(1)
    assert begun == [b"/"]
    assert site.server.statistics().connections == 0
    assert site.reports == []


# What goes wrong


async def test_http_1_0_ends_with_the_connection(autojump_clock: MockClock, serve: Serve) -> None:
    """A whole answer is closed behind, a broken one is reset."""
    broken = False
    resets: list[bool] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        await send(piece(b"some", more=broken))

    site = await serve(app)
    for broken in (False, True):
        caller = await site.call()
        caller.wire.socket.setsockopt = lambda *_: resets.append(True)
        await caller.say(b"GET / HTTP/1.0\r\n\r\n")
        await wait_all_tasks_blocked()
        assert caller.heard() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome"
        assert caller.closed
        assert bool(resets) is broken


# Few writes


@pytest.mark.parametrize("data", [GET, GET * 3, b"GET", b"nonsense\r\n\r\n", post(9) + b"x"])
async def test_a_connection_leaves_no_cycle(autojump_clock: MockClock, serve: Serve, data: bytes) -> None:
    """However it ended, it is gone with its last task: the collector, which seldom looks, has nothing to find."""
    site = await serve(ok)
    gc.collect()
    gc.disable()
    try:
        caller = await site.call(data)
        [connection] = map(weakref.ref, site.server._connections)
        await caller.leave()
        await trio.sleep(10)
        await wait_all_tasks_blocked()
        assert site.server.statistics().connections == 0
        assert connection() is None
    finally:
        gc.enable()


# One exchange
