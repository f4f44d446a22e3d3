"""Calling the application: ASGI scopes and messages, and the handler."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.server.asgi import Receive, Scope, Send
from tests.server.test_connection import GET, OK, Serve, answer, ok, piece, post, serve, start, whole_body

__all__ = ["serve"]


async def test_a_scope_is_what_asgi_wants(autojump_clock: MockClock, serve: Serve) -> None:
    """Path unquoted and as it came, addresses, version, scheme."""
    site = await serve(ok)
    await site.call(b"GET /a%20b?c=%64 HTTP/1.1\r\nHost: s\r\nX-A: 1\r\n\r\n")
    [scope] = site.scopes
    assert (scope["method"], scope["http_version"], scope["scheme"]) == ("GET", "1.1", "http")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", b"/a%20b", b"c=%64")
    assert (scope["client"], scope["server"]) == (("10.0.0.2", 4242), ("s", 80))
    assert scope["headers"] == [(b"host", b"s"), (b"x-a", b"1")]


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


async def test_an_application_that_fails_fails_alone(autojump_clock: MockClock, serve: Serve) -> None:
    """500 if no response has begun, else a cut connection; the exception is reported, and others are served."""

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
