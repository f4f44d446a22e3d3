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
from aibridge_trio.http.request_parser import Head
from aibridge_trio.server.asgi import Application, HandlerApplication, Message, Receive, Scope, Send
from aibridge_trio.server.exchange import Exchange
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


@pytest.mark.parametrize("seconds", [5, 620])
async def test_a_connection_may_idle_as_long_as_it_is_told(
    autojump_clock: MockClock, serve: Serve, seconds: int
) -> None:
    """Longer than a balancer in front keeps it, so that no request meets a closing connection."""
    caller = await (await serve(ok, keep_alive=seconds)).call(GET)
    await trio.sleep(seconds - 1)
    assert not caller.closed
    await trio.sleep(2)
    assert caller.closed


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


async def test_a_pipeline_is_not_read_far_ahead(autojump_clock: MockClock, serve: Serve) -> None:
    """What stands behind a running request stays where it is: in the kernel, not in memory."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await until_left(receive)

    site = await serve(app)
    caller = await site.call(GET * 100_000)
    await trio.sleep(10)
    assert len(GET) * 100_000 - caller.unread() <= 2 * 65_536
    assert len(site.scopes) == 1


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


async def test_a_scope_is_what_asgi_wants(autojump_clock: MockClock, serve: Serve) -> None:
    """Path unquoted and as it came, addresses, version, scheme."""
    site = await serve(ok)
    await site.call(b"GET /a%20b?c=%64 HTTP/1.1\r\nHost: s\r\nX-A: 1\r\n\r\n")
    [scope] = site.scopes
    assert (scope["method"], scope["http_version"], scope["scheme"]) == ("GET", "1.1", "http")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"c=%64")
    assert (scope["client"], scope["server"]) == (("10.0.0.2", 4242), ("s", 80))
    assert scope["headers"] == [(b"host", b"s"), (b"x-a", b"1")]


# Bodies


@pytest.mark.parametrize("framing", ["sized", "chunked"])
async def test_a_body_arrives_whole(autojump_clock: MockClock, serve: Serve, framing: str) -> None:
    """However it is framed and in whatever pieces it comes."""
    seen: list[bytes | None] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        seen.append(await whole_body(receive))
        await answer(send)

    body = bytes(range(256)) * 10
    if framing == "sized":
        data = post(len(body)) + body
    else:
        chunks = b"".join(b"%x\r\n%s\r\n" % (n, body[at : at + n]) for at, n in ((0, 1000), (1000, 1560)))
        data = b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    caller = await (await serve(app)).call()
    for at in range(0, len(data), 700):
        await caller.say(data[at : at + 700])
        await trio.sleep(1)
    assert caller.heard() == OK
    assert seen == [body]


async def test_a_body_that_nobody_reads_is_not_read_far(autojump_clock: MockClock, serve: Serve) -> None:
    """One read is taken, whatever its size; nobody is blamed for the pause, and then all of it comes."""
    seen: list[int] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep(1000)
        began = trio.current_time()
        seen.append(len(await whole_body(receive) or b""))
        assert trio.current_time() == began
        await answer(send)

    caller = await (await serve(app)).call(post(8 * MIB) + b"x" * 8 * MIB)
    await trio.sleep(999)
    assert caller.unread() >= 8 * MIB - 65_536
    await trio.sleep(2)
    assert (seen, caller.heard()) == ([8 * MIB], OK)


async def test_a_100_is_sent_when_the_body_is_wanted(autojump_clock: MockClock, serve: Serve) -> None:
    """Not before the application asks for it, and once."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep(10)
        assert await whole_body(receive) == b"abc"
        await answer(send)

    caller = await (await serve(app)).call(post(3, b"expect: 100-continue"))
    await trio.sleep(9)
    assert caller.heard() == b""
    await trio.sleep(2)
    assert caller.heard() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await caller.say(b"a")
    await trio.sleep(1)
    await caller.say(b"bc")
    await trio.sleep(1)
    assert caller.heard() == OK


async def test_a_100_is_not_sent_for_a_body_that_is_there(autojump_clock: MockClock, serve: Serve) -> None:
    """Who did not wait need not be told to go on."""
    caller = await (await serve(ok)).call(post(3, b"expect: 100-continue") + b"abc")
    assert caller.heard() == OK


async def test_a_100_is_not_sent_behind_a_head(autojump_clock: MockClock, serve: Serve) -> None:
    """Once an answer has begun, it is too late to ask for anything."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        assert await whole_body(receive) == b"abc"
        await send(piece(b"", more=False))

    caller = await (await serve(app)).call(post(3, b"expect: 100-continue"))
    await caller.say(b"abc")
    await wait_all_tasks_blocked()
    said = caller.heard()
    assert b" 100 " not in said
    assert said.endswith(b"0\r\n\r\n")


async def test_a_body_that_is_refused_is_not_asked_for(autojump_clock: MockClock, serve: Serve) -> None:
    """The answer says that the connection ends, because nobody knows whether the body will come."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, b"no", 413)

    caller = await (await serve(app)).call(post(3, b"expect: 100-continue"))
    said = caller.heard()
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in said
    assert b"100 Continue" not in said


# Early answers


async def refuse(_: Scope, __: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    await answer(send, b"no", 429)


@pytest.mark.parametrize("seconds", [0, 4])
async def test_a_small_rest_behind_an_early_answer_costs_no_connection(
    autojump_clock: MockClock, serve: Serve, seconds: float
) -> None:
    """The answer is there at once, the rest is thrown away, and the next request is served."""
    site = await serve(refuse)
    caller = await site.call(post(100_000) + b"x" * 1000)
    said = caller.heard()
    assert said.startswith(b"HTTP/1.1 429 ")
    assert b"close" not in said
    await trio.sleep(seconds)
    await caller.say(b"x" * 99_000)
    await trio.sleep(60)
    await caller.say(GET)
    await wait_all_tasks_blocked()
    assert caller.heard().startswith(b"HTTP/1.1 429 ")
    assert not caller.closed


async def test_small_rests_do_not_add_up(autojump_clock: MockClock, serve: Serve) -> None:
    """A connection is no worse for what was thrown away on it; stopped when idle, it ends at once."""
    site = await serve(refuse)
    caller = await site.call()
    for _ in range(350):
        await caller.say(post(100_000))
        await wait_all_tasks_blocked()
        assert caller.heard().startswith(b"HTTP/1.1 429 ")
        await caller.say(b"x" * 100_000)
    await wait_all_tasks_blocked()
    site.server.stop(60)
    await wait_all_tasks_blocked()
    assert caller.wire.closed


async def test_a_large_rest_is_thrown_away_until_the_caller_is_done(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """The answer says that the connection ends; what still comes is read, so that TCP does not take it back."""
    site = await serve(refuse)
    caller = await site.call(post(20 * MIB))
    said = caller.heard()
    assert said.startswith(b"HTTP/1.1 429 ")
    assert b"Connection: close" in said
    for _ in range(20):
        await caller.say(b"x" * MIB)
        await trio.sleep(0.1)
    assert caller.unread() == 0
    await caller.leave()
    await wait_all_tasks_blocked()
    assert site.server.statistics().connections == 0


async def test_a_rest_that_does_not_come_is_waited_for_five_seconds(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """However slowly it drips."""
    site = await serve(refuse)
    caller = await site.call(post(1000))
    for second in range(6):
        assert caller.wire.closed is (second > 5)
        await trio.sleep(0.99)
        with suppress(trio.BrokenResourceError):
            await caller.say(b"x")
    assert site.server.statistics().connections == 0


async def test_a_rest_without_an_end_is_read_no_further_than_32_mib(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """And no more is taken."""
    site = await serve(refuse)
    chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
    caller = await site.call(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 40)
    assert caller.heard().startswith(b"HTTP/1.1 429 ")
    assert site.server.statistics().connections == 0


async def test_requests_behind_an_unread_body_are_dropped_and_not_kept(
    autojump_clock: MockClock, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection ends with the early answer: what is pipelined behind it costs neither memory nor parsing."""
    made: list[Exchange] = []

    class Noted(Exchange):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr("aibridge_trio.server.connection.Exchange", Noted)
    site = await serve(refuse)
    caller = await site.call(post(MIB))
    await caller.say(b"x" * MIB + GET * 100_000)
    await wait_all_tasks_blocked()
    assert caller.unread() == 0
    assert len(made) <= 12
    assert len(site.scopes) == 1
    assert caller.heard().count(b"HTTP/1.1") == 1
    await caller.leave()


async def test_a_malformed_rest_is_not_answered_again(autojump_clock: MockClock, serve: Serve) -> None:
    """One request, one answer."""
    caller = await (await serve(refuse)).call(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n")
    assert caller.heard().startswith(b"HTTP/1.1 429 ")
    await caller.say(b"zz\r\n" + GET)
    await trio.sleep(6)
    assert caller.heard() == b""
    assert caller.closed


async def test_what_stands_behind_the_last_request_is_not_read(autojump_clock: MockClock, serve: Serve) -> None:
    """As long as its answer is waited for, it stays in the kernel."""

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await until_left(receive)

    caller = await (await serve(app)).call(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    await caller.say(b"x" * 40 * MIB)
    await trio.sleep(1)
    assert caller.unread() == 40 * MIB


# Deadlines


async def test_a_head_that_trickles_is_408(autojump_clock: MockClock, serve: Serve) -> None:
    """Thirty seconds from its first byte, on a connection that has served before as on a new one."""
    site = await serve(ok)
    for data in (b"", GET):
        caller = await site.call(data)
        caller.heard()
        await trio.sleep(20)
        began = trio.current_time()
        for byte in b"GET / HTTP/1.1\r\nhost: s\r\nx: 0123456789":
            with suppress(trio.BrokenResourceError):
                await caller.say(bytes([byte]))
            if trio.current_time() - began < 30:
                assert caller.heard() == b""
            await trio.sleep(1)
        said = caller.heard()
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"Connection: close" in said
        await trio.sleep(6)
        assert caller.closed
    assert len(site.scopes) == 1


async def test_a_body_that_trickles_is_408(autojump_clock: MockClock, serve: Serve) -> None:
    """Bytes now and then do not keep a request alive; the application hears that its caller has gone."""
    left: list[float] = []

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await until_left(receive)
        left.append(trio.current_time())

    site = await serve(app)
    began = trio.current_time()
    caller = await site.call(post(1000))
    while not left:
        await trio.sleep(5)
        await caller.say(b"x")
    assert left[0] - began == pytest.approx(75, abs=5)
    assert caller.heard().startswith(b"HTTP/1.1 408 ")
    await trio.sleep(6)
    assert caller.closed


async def test_who_was_given_up_is_given_up_once(autojump_clock: MockClock, serve: Serve) -> None:
    """An application that takes its time to hear of it keeps nobody busy; then the caller hears it too."""

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await until_left(receive)
        await trio.sleep(100)

    caller = await (await serve(app)).call(post(10))
    await trio.sleep(170)
    assert caller.heard() == b""
    await trio.sleep(10)
    assert caller.heard().startswith(b"HTTP/1.1 408 ")


async def test_each_body_has_patience_of_its_own(autojump_clock: MockClock, serve: Serve) -> None:
    """What one request used up is not the next one's loss."""
    caller = await (await serve(ok)).call()
    for _ in range(3):
        await caller.say(post(2))
        await trio.sleep(50)
        await caller.say(b"xx")
        await wait_all_tasks_blocked()
        assert caller.heard() == OK


async def test_a_slow_body_is_waited_for(autojump_clock: MockClock, serve: Serve) -> None:
    """A thousand bytes a second are slow and enough, for as long as it takes."""
    caller = await (await serve(ok)).call(post(600_000))
    for _ in range(600):
        await trio.sleep(1)
        await caller.say(b"x" * 1000)
    await wait_all_tasks_blocked()
    assert caller.heard() == OK


class Narrow:
    """Makes a wire take no more than so many bytes until somebody reads."""

    def __init__(self, wire: Any, capacity: int) -> None:
        self.wire, self.capacity, self.taken = wire, capacity, 0
        self._room = trio.Event()
        self._push = wire.push
        wire.push, wire.send = self.push, self.send

    def push(self, data: bytes | bytearray) -> int:
        size = min(len(data), self.capacity - self.taken)
        self.taken += size
        return int(self._push(bytes(data[:size]))) if size else 0

    async def send(self, data: bytes) -> None:
        at = self.push(data)
        while at < len(data):
            await self._room.wait()
            at += self.push(data[at:])

    def read(self, size: int) -> None:
        self.taken -= min(size, self.taken)
        self._room.set()
        self._room = trio.Event()


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


async def test_who_stops_reading_is_dropped(autojump_clock: MockClock, serve: Serve) -> None:
    """After a minute without a byte taken the connection is reset, and the application hears it."""
    seen: list[str] = []
    site = await serve(streaming(seen))
    caller = await site.call()
    Narrow(caller.wire, 10_000)
    await caller.say(GET)
    await trio.sleep(59)
    assert seen == []
    resets: list[bool] = []
    caller.wire.socket.setsockopt = lambda *_: resets.append(True)
    await trio.sleep(2)
    assert seen == ["left"]
    assert resets == [True]
    assert site.server.statistics().connections == 0


async def test_who_reads_slowly_is_served(autojump_clock: MockClock, serve: Serve) -> None:
    """A kilobyte every 50 seconds is enough for pieces of a kilobyte."""
    seen: list[str] = []
    caller = await (await serve(streaming(seen))).call()
    narrow = Narrow(caller.wire, 10_000)
    await caller.say(GET)
    for _ in range(20):
        await trio.sleep(50)
        narrow.read(1100)
    assert seen == []
    assert len(caller.heard()) > 30_000


async def test_a_stalled_reader_is_dropped_in_the_last_piece_too(autojump_clock: MockClock, serve: Serve) -> None:
    """No write is without its deadline."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, b"x" * 100_000)

    site = await serve(app)
    caller = await site.call()
    Narrow(caller.wire, 10_000)
    await caller.say(GET)
    await trio.sleep(61)
    assert site.server.statistics().connections == 0
    assert site.reports == []


# Leaving


async def test_who_leaves_in_any_phase_is_missed_at_once(autojump_clock: MockClock, serve: Serve) -> None:
    """In a head, a body, a wait, a stream: the application hears it, and the connection is gone."""
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
    """Nobody reads them, and the leaving behind them is seen all the same."""
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
    """Nobody listened yet when it went."""
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


async def test_sending_to_who_has_left_is_no_error(autojump_clock: MockClock, serve: Serve) -> None:
    """As with other ASGI servers; and it lets other tasks run."""
    sent: list[int] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        for n in range(10_000):
            await send(piece(b"x"))
            sent.append(n)
            if n == 10:
                await trio.sleep(1)

    site = await serve(app)
    caller = await site.call(GET)
    await caller.leave()
    await trio.sleep(2)
    assert len(sent) == 10_000
    assert site.reports == []
    assert site.server.statistics().connections == 0


# What goes wrong


async def test_an_application_that_fails_fails_alone(autojump_clock: MockClock, serve: Serve) -> None:
    """500 where nothing was said, a break where something was; it is told, and others are served."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await send(start())
            await send(piece(b"some"))
        if scope["path"] != "/":
            raise KeyError
        await ok(scope, receive, send)

    site = await serve(app)
    other = await site.call()
    early = await site.call(b"GET /early HTTP/1.1\r\nhost: s\r\n\r\n" + GET)
    late = await site.call(b"GET /late HTTP/1.1\r\nhost: s\r\n\r\n" + GET)
    await trio.sleep(6)
    said = early.heard()
    assert said.startswith(b"HTTP/1.1 500 ")
    assert b"Connection: close" in said
    assert said.count(b"HTTP/1.1") == 1
    assert late.heard().endswith(b"4\r\nsome\r\n")
    assert early.closed
    assert late.closed
    assert [type(report) for report in site.reports] == [KeyError, KeyError]
    await other.say(GET)
    await wait_all_tasks_blocked()
    assert other.heard() == OK


async def test_an_application_that_says_nothing_is_answered_for(autojump_clock: MockClock, serve: Serve) -> None:
    """A caller is never left without an answer."""

    async def silent(_: Scope, __: Receive, ___: Send) -> None:
        pass

    caller = await (await serve(silent)).call(GET)
    assert caller.heard().startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize(
    ("messages", "complete"),
    [
        ([start(), piece(b"abc")], b"0\r\n\r\n"),
        ([start((b"content-length", b"3")), piece(b"abc")], b"abc"),
        ([start((b"content-length", b"3")), piece(b"abcd", more=False)], b"abc"),
        ([start((b"content-length", b"3")), piece(b"ab", more=False)], b"abc"),
        ([start((b"content-length", b"0"))], b"\r\n\r\n"),
        ([start(status=204)], b"\r\n\r\n"),
        ([start(), start()], b"0\r\n\r\n"),
    ],
)
async def test_an_answer_that_broke_does_not_look_whole(
    autojump_clock: MockClock, serve: Serve, messages: list[Message], complete: bytes
) -> None:
    """Whatever is missing or too much, what completes an answer goes out with its end, and with nothing else."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
            await trio.sleep(0.1)

    caller = await (await serve(app)).call(GET)
    await trio.sleep(1)
    assert not caller.heard().endswith(complete)
    assert caller.closed


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


async def test_a_head_is_answered_without_a_body(autojump_clock: MockClock, serve: Serve) -> None:
    """And the next request stands on its own."""
    caller = await (await serve(ok)).call(GET.replace(b"GET", b"HEAD") + GET)
    assert caller.heard() == OK.removesuffix(b"ok") + OK


async def test_malformed_bytes_are_answered_behind_what_was_well_formed(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """The request before is served, then comes the 400, then the end; the reason quotes nothing."""
    site = await serve(ok)
    caller = await site.call(GET + b"GET / HTTP/1.1\r\nhost: s\r\nhost: secret\r\n\r\n" + GET)
    said = caller.heard()
    assert caller.closed  # on our side: what still comes is read
    assert not caller.wire.closed
    assert said.startswith(OK + b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1") == 2
    assert b"secret" not in said
    await trio.sleep(6)
    assert caller.wire.closed
    assert len(site.scopes) == 1


async def test_a_body_that_is_malformed_from_its_beginning_is_nobodys(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """The application is not called for what was refused before it came to it."""
    site = await serve(ok)
    caller = await site.call(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
    assert caller.heard().startswith(b"HTTP/1.1 400 ")
    assert site.scopes == []


async def test_a_body_that_turns_out_malformed_is_400(autojump_clock: MockClock, serve: Serve) -> None:
    """The application hears that its caller has gone; the caller hears why."""
    left: list[bool] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        left.append(await whole_body(receive) is None)

    site = await serve(app)
    caller = await site.call(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
    await caller.say(b"zz\r\n")
    await wait_all_tasks_blocked()
    assert left == [True]
    assert caller.heard().startswith(b"HTTP/1.1 400 ")


# Few writes


async def test_an_answer_that_is_there_is_one_write(autojump_clock: MockClock, serve: Serve) -> None:
    """Head, piece and end, which are sent without a wait between, go out together."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        await send(piece(b"abc"))
        await send(piece(b"", more=False))

    caller = await (await serve(app)).call()
    writes: list[bytes] = []
    push = caller.wire.push

    def noted(data: bytes) -> int:
        writes.append(bytes(data))
        return int(push(data))

    caller.wire.push = noted
    await caller.say(GET)
    await wait_all_tasks_blocked()
    assert len(writes) == 1
    assert writes[0].endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


async def test_a_head_that_does_not_go_at_once_goes_by_itself(autojump_clock: MockClock, serve: Serve) -> None:
    """The application need not send more for what it has sent to arrive."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await until_left(receive)

    caller = await (await serve(app)).call()
    narrow = Narrow(caller.wire, 10)
    await caller.say(GET)
    await trio.sleep(1)
    assert caller.heard() == b"HTTP/1.1 2"
    for _ in range(10):
        narrow.read(10)
        await trio.sleep(1)
    assert caller.heard().endswith(b"\r\n\r\n")


async def test_what_waits_to_go_out_keeps_its_order(autojump_clock: MockClock, serve: Serve) -> None:
    """Whoever writes it out, and however little of it goes at a time."""
    body = bytes(range(256)) * 3

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start((b"content-length", b"%d" % len(body))))
        await trio.sleep(0.01)
        narrow.read(10)  # there is room again, and the task that writes has not noticed
        for at in range(0, len(body), 100):
            await send(piece(body[at : at + 100]))
        await send(piece(b"", more=False))

    caller = await (await serve(app)).call()
    narrow = Narrow(caller.wire, 10)
    await caller.say(GET)
    for _ in range(100):
        await trio.sleep(0.1)
        narrow.read(10)
    assert caller.heard().endswith(b"\r\n\r\n" + body)


async def test_who_sends_much_lets_others_run(autojump_clock: MockClock, serve: Serve) -> None:
    """A caller that takes all there is does not take the whole loop."""
    turns: list[int] = []

    async def count() -> None:
        while True:
            turns.append(1)
            await trio.lowlevel.checkpoint()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            for each in range(1000):
                await send(piece(b"x", more=each < 999))
            nursery.cancel_scope.cancel()

    caller = await (await serve(app)).call(GET)
    assert len(turns) > 50
    assert caller.heard().endswith(b"0\r\n\r\n")


async def test_a_head_does_not_wait_for_its_body(autojump_clock: MockClock, serve: Serve) -> None:
    """Where an application waits behind its head, or behind a piece, the caller has what was sent."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        await trio.sleep(10)
        await send(piece(b"abc"))
        await trio.sleep(10)
        await send(piece(b"def"))
        await send(piece(b"", more=False))

    caller = await (await serve(app)).call(GET)
    assert caller.heard().endswith(b"Transfer-Encoding: chunked\r\n\r\n")
    await trio.sleep(10.5)
    assert caller.heard() == b"3\r\nabc\r\n"
    await trio.sleep(10)
    assert caller.heard() == b"3\r\ndef\r\n0\r\n\r\n"


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


async def test_who_leaves_in_the_middle_of_the_last_write_ends_nothing(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """The handler has said all; what it does behind its answer is done."""
    ended: list[str] = []

    async def handler(_: Request, reply: Reply) -> None:
        try:
            await reply.write(200, [], b"x" * 200_000)
            await reply.end()
            ended.append("whole")
        except BaseException:
            ended.append("cut")
            raise

    site = await serve(HandlerApplication(handler))
    caller = await site.call()
    taken = trio.Event()

    async def send(_: bytes) -> None:
        await taken.wait()
        raise trio.BrokenResourceError

    caller.wire.push = lambda _: 0
    caller.wire.send = send
    await caller.say(GET)
    await wait_all_tasks_blocked()
    assert ended == []
    caller.wire.stream.receive_stream.put_eof()
    await wait_all_tasks_blocked()
    taken.set()
    await wait_all_tasks_blocked()
    assert ended == ["whole"]


async def test_what_comes_behind_the_answer_is_counted_and_not_kept(autojump_clock: MockClock) -> None:
    """Nobody takes it any more."""

    async def nothing() -> None:
        await trio.lowlevel.checkpoint()

    class Sink:
        def begin(self) -> None:
            pass

        def keep(self, _: bytes) -> None:
            pass

        async def send(self, _: bytes, *, last: bool) -> None:
            assert last

    head = Head("POST", b"/", "1.1", [], 100, expects_continue=False, closes=False)
    exchange = Exchange(head, Sink(), read=nothing, stopping=lambda: False, cancel=print)  # type: ignore[arg-type]
    exchange.add_data(b"before")
    exchange.start(204, [])
    await exchange.finish()
    exchange.add_data(b"behind")
    assert exchange.received == 12
    assert exchange.pop_data() is None
    assert not exchange._pieces
