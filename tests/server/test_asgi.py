"""One exchange over ASGI, with a server that is made by hand; and the application as any server runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.http.message import BodyStalled, Handler, Reply, Request
from aibridge_trio.server.asgi import Application, HandlerApplication, Message, Scope, exchange
from tests.support.network import Network

MIB = 1024 * 1024


def http(**more: Any) -> Scope:
    """Return the scope of a request."""
    return {
        "type": "http",
        "method": "POST",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c=%64",
        "headers": [(b"host", b"h"), (b"x", b"1"), (b"x", b"2")],
        "client": ("10.0.0.2", 4242),
        "server": ("10.0.0.1", 80),
        **more,
    }


def piece(body: bytes, *, more: bool = True) -> Message:
    """Return a piece of a request's body."""
    return {"type": "http.request", "body": body, "more_body": more}


GONE: Message = {"type": "http.disconnect"}
WHOLE = piece(b"", more=False)


class Server:
    """An ASGI server's side of one exchange: what it tells is put in, what it was sent is kept."""

    def __init__(self, *messages: Message) -> None:
        self._inlet, self._outlet = trio.open_memory_channel[Message](100_000)
        self.sent: list[Message] = []
        self.received = 0
        self.tell(*messages)

    def tell(self, *messages: Message) -> None:
        """Let the application receive these."""
        for message in messages:
            self._inlet.send_nowait(message)

    async def receive(self) -> Message:
        """Return the next message."""
        message = await self._outlet.receive()
        self.received += 1
        return message

    async def send(self, message: Message) -> None:
        """Take a message."""
        await trio.lowlevel.checkpoint()
        self.sent.append(message)

    async def run(self, handler: Handler, scope: Scope | None = None) -> None:
        """Run an exchange."""
        await exchange(scope or http(), self.receive, self.send, handler)

    @property
    def body(self) -> bytes:
        """What the answer's body is."""
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def ended(self) -> bool:
        """Whether the answer has its end."""
        return bool(self.sent) and self.sent[-1].get("more_body") is False


async def forever(_request: Request, _reply: Reply) -> None:
    """Never answer."""
    await trio.sleep_forever()


# The request


async def test_a_request_is_what_the_scope_says(autojump_clock: MockClock) -> None:
    """Path and query as the bytes that came, headers in order, both addresses."""
    seen: list[Request] = []

    async def handler(request: Request, _reply: Reply) -> None:
        seen.append(request)

    await Server().run(handler)
    await Server().run(handler, http(client=None, server=None, raw_path=None))
    first, second = seen
    assert (first.method, first.path, first.query) == ("POST", b"/a%20b", b"c=%64")
    assert (first.client, first.server) == ("10.0.0.2", "10.0.0.1")
    assert (first.header(b"x"), first.header_values(b"x"), first.header(b"y")) == (b"1", [b"1", b"2"], None)
    assert (second.path, second.client, second.server) == (b"/a%20b", None, None)


async def test_a_body_comes_piece_by_piece_and_ends(autojump_clock: MockClock) -> None:
    """Empty messages are no pieces; what came is counted."""
    server = Server(piece(b"one"), piece(b""), piece(b"two"), WHOLE)
    seen: list[bytes] = []

    async def handler(request: Request, _reply: Reply) -> None:
        seen.extend([each async for each in request.body])
        assert request.body.received == 6
        with pytest.raises(StopAsyncIteration):
            await anext(request.body)

    await server.run(handler)
    assert seen == [b"one", b"two"]


async def test_a_body_that_stalls_says_so_after_a_minute(autojump_clock: MockClock) -> None:
    """The clock starts anew with each piece."""
    server = Server(piece(b"one"))

    async def handler(request: Request, _reply: Reply) -> None:
        assert await anext(request.body) == b"one"
        for _ in range(3):
            nursery.start_soon(later, 50)
            assert await anext(request.body) == b"more"
        began = trio.current_time()
        with pytest.raises(BodyStalled):
            await anext(request.body)
        assert trio.current_time() - began == 60

    async def later(seconds: float) -> None:
        await trio.sleep(seconds)
        server.tell(piece(b"more"))

    async with trio.open_nursery() as nursery:
        await server.run(handler)


async def test_the_read_ahead_is_bounded(autojump_clock: MockClock) -> None:
    """A handler that does not read makes the server wait: a quarter of a MiB is taken, not a gigabyte."""
    server = Server(*(piece(b"x" * 65_536) for _ in range(1000)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, forever)
        await trio.sleep(10)
        assert server.received == 5
        nursery.cancel_scope.cancel()


async def test_behind_a_small_body_the_callers_leaving_is_seen(autojump_clock: MockClock) -> None:
    """A task waits in receive() even while the body is unread."""
    server = Server(piece(b"x" * 100_000), WHOLE, GONE)
    with trio.fail_after(1):
        await server.run(forever)
    assert server.sent == []


# The caller's leaving


async def test_a_disconnect_cancels_the_handler(autojump_clock: MockClock) -> None:
    """At once, wherever it waits; what it has to clean up is cleaned up; the exchange ends without an error."""
    cleaned = trio.Event()

    async def handler(_request: Request, reply: Reply) -> None:
        try:
            await reply.start(200, [])
            await trio.sleep_forever()
        finally:
            cleaned.set()

    server = Server(WHOLE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, handler)
        await trio.sleep(5)
        assert not cleaned.is_set()
        server.tell(GONE)
        await wait_all_tasks_blocked()
        assert cleaned.is_set()
    assert [message["type"] for message in server.sent] == ["http.response.start"]


async def test_a_finished_exchange_is_not_cancelled_by_a_late_disconnect(autojump_clock: MockClock) -> None:
    """A server may tell of the end from within the last send(), and must be able to finish that send()."""
    finished: list[str] = []

    class Recycling(Server):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if message.get("more_body") is False:
                self.tell(GONE)
                await trio.sleep(1)
                finished.append("send")

    async def handler(_request: Request, reply: Reply) -> None:
        await reply.answer(200, [], b"ok")
        finished.append("handler")

    server = Recycling(WHOLE)
    await server.run(handler)
    assert finished == ["send", "handler"]
    assert server.ended


async def test_a_handlers_end_is_the_exchanges_end(autojump_clock: MockClock) -> None:
    """No task stays in receive() after the exchange."""

    async def handler(_request: Request, reply: Reply) -> None:
        await reply.start(200, [])

    server = Server(WHOLE)
    with trio.fail_after(1):
        await server.run(handler)
    assert not server.ended  # and so the caller sees a break


async def test_a_handlers_exception_reaches_the_server(autojump_clock: MockClock) -> None:
    """It is the server that has to end the connection."""

    async def handler(_request: Request, _reply: Reply) -> None:
        raise KeyError

    with pytest.RaisesGroup(KeyError):
        await Server(WHOLE).run(handler)


# The reply


async def test_a_reply_goes_out_in_order(autojump_clock: MockClock) -> None:
    """Head, pieces, end; what was sent is counted."""

    async def handler(_request: Request, reply: Reply) -> None:
        assert (reply.started, reply.status, reply.ended) == (False, None, False)
        await reply.start(201, [(b"a", b"1")])
        assert (reply.started, reply.status) == (True, 201)
        await reply.send(b"one")
        await reply.send(b"two")
        assert (reply.sent, reply.ended) == (6, False)
        await reply.end()
        assert reply.ended

    server = Server(WHOLE)
    await server.run(handler)
    assert server.sent == [
        {"type": "http.response.start", "status": 201, "headers": [(b"a", b"1")]},
        {"type": "http.response.body", "body": b"one", "more_body": True},
        {"type": "http.response.body", "body": b"two", "more_body": True},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]


# The rest of an upload


async def answering(_request: Request, reply: Reply) -> None:
    """Answer without a look at the body."""
    await reply.answer(413, [], b"no")


async def test_the_end_waits_for_an_upload_that_is_on_its_way(autojump_clock: MockClock) -> None:
    """The answer is out at once, its end after the rest: a server that closed before would reset it."""
    server = Server(piece(b"x" * 1000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, answering)
        await trio.sleep(3)
        assert (server.body, server.ended) == (b"no", False)
        server.tell(*(piece(b"x" * MIB) for _ in range(20)), WHOLE)
        await wait_all_tasks_blocked()
        assert server.ended
    assert server.received == 22


async def test_an_upload_that_does_not_end_is_waited_for_no_longer_than_its_time(
    autojump_clock: MockClock,
) -> None:
    """Five seconds, however slowly it drips."""
    server = Server(piece(b"x"))

    async def drip() -> None:
        while True:
            await trio.sleep(1)
            server.tell(piece(b"x"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        began = trio.current_time()
        await server.run(answering)
        assert trio.current_time() - began == pytest.approx(5)
        assert server.ended
        nursery.cancel_scope.cancel()


async def test_an_upload_is_read_no_further_than_its_size(autojump_clock: MockClock) -> None:
    """At most 32 MiB of an unread body are discarded; the response is sent by then."""
    server = Server(*(piece(bytes(MIB)) for _ in range(100)))
    with trio.fail_after(1):
        await server.run(answering)
    assert server.body == b"no"
    assert 32 <= server.received <= 40


async def test_what_was_read_ahead_is_thrown_away_with_the_rest(autojump_clock: MockClock) -> None:
    """A handler that stops in the middle of a body ends like one that never began."""
    server = Server(*(piece(b"x" * 10) for _ in range(20)), WHOLE)

    async def handler(request: Request, reply: Reply) -> None:
        await anext(request.body)
        await reply.answer(200, [], b"ok")

    with trio.fail_after(1):
        await server.run(handler)
    assert server.ended
    assert server.received == 21


async def test_who_leaves_while_its_upload_is_thrown_away_ends_the_exchange(autojump_clock: MockClock) -> None:
    """A caller that leaves ends the discarding."""
    server = Server(piece(b"x"), GONE)
    began = trio.current_time()
    await server.run(answering)
    assert trio.current_time() == began


# WebSockets


async def test_a_websockets_opening_is_a_get_that_is_answered_with_http(autojump_clock: MockClock) -> None:
    """It is read as a request without a body, denied as ASGI wants it, and never accepted."""
    seen: list[Request] = []

    async def handler(request: Request, reply: Reply) -> None:
        seen.append(request)
        async for _ in request.body:
            raise AssertionError
        await reply.answer(501, [], b"no")

    scope = http(type="websocket")
    del scope["method"]
    server = Server({"type": "websocket.connect"})
    await server.run(handler, scope)
    assert seen[0].method == "GET"
    assert [message["type"] for message in server.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
        "websocket.http.response.body",
    ]
    server = Server({"type": "websocket.connect"}, {"type": "websocket.disconnect"})
    with trio.fail_after(1):
        await server.run(forever, scope)


# The application, under a server that knows nothing but ASGI


class Foreign:
    """The least of a server: lifespan, then requests one by one; no raw_path, no addresses, no extensions."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def lifespan(self, during: Callable[[], Awaitable[None]]) -> list[str]:
        """Start the application, do something, and stop it; return what it said."""
        inlet, outlet = trio.open_memory_channel[Message](0)
        said: list[str] = []

        async def send(message: Message) -> None:
            said.append(message["type"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._app, {"type": "lifespan", "asgi": {"version": "3.0"}}, outlet.receive, send)
            await inlet.send({"type": "lifespan.startup"})
            await wait_all_tasks_blocked()
            await during()
            await inlet.send({"type": "lifespan.shutdown"})
        return said

    async def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Make one request; return the status and the body of its answer."""
        server = Server(WHOLE)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await self._app(scope, server.receive, server.send)
        assert server.ended
        return server.sent[0]["status"], server.body


async def test_the_application_says_yes_to_lifespan(autojump_clock: MockClock) -> None:
    """Startup and shutdown are complete at once: what lives is not in the application."""

    async def during() -> None:
        assert await server.get("/x") == (200, b"/x")

    async def handler(request: Request, reply: Reply) -> None:
        await reply.answer(200, [], request.path)

    server = Foreign(HandlerApplication(handler))
    with trio.fail_after(1):
        assert await server.lifespan(during) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_the_whole_gateway_runs_under_a_foreign_server(autojump_clock: MockClock, network: Network) -> None:
    """Probe, relay, reject and the check of paths need nothing but what ASGI promises."""

    async def provider(request: Request, reply: Reply) -> None:
        await reply.answer(200, [], request.path)

    await network.answer("openai", provider)
    async with network.bridge(rate_limit=10) as bridge:
        server = Foreign(bridge.bridge.server._app)

        async def during() -> None:
            assert (await server.get("/"))[0] == 200
            assert await server.get("/openai/v1/models/a b") == (200, b"/v1/models/a%20b")
            assert (await server.get("/openai/v1/models/../files"))[0] == 400
            status, body = await server.get("/anthropic/none")
            assert status == 404
            assert b"not_found_error" in body
            assert (await server.get("/", authorization="Bearer"))[0] == 400

        said = await server.lifespan(during)
        assert said[0] == "lifespan.startup.complete"
        hints = [caller["hint"] for caller in (await bridge.status())["callers"]]
    assert hints == ["unix"]
