"""The reading half of a connection, through a server in memory."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server.asgi import HandlerApplication, Receive, Scope, Send
from aibridge_trio.server.exchange import Exchange
from tests.server.test_connection import GET, MIB, OK, Serve, answer, ok, post, serve, until_left, whole_body

__all__ = ["serve"]

# Two requests, of which the parser keeps the second until the first has been answered: they are long.
PADDING = b"x-padding: %s\r\n\r\n" % (b"x" * 300)
TWO = GET.removesuffix(b"\r\n") + PADDING + GET.replace(b"/", b"/second", 1).removesuffix(b"\r\n") + PADDING


async def test_a_request_behind_an_unanswered_one_is_not_served(autojump_clock: MockClock, serve: Serve) -> None:
    """The response to the second of two pipelined requests would be taken for the response to the first."""

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        if scope["path"] == "/second":
            await answer(send)

    site = await serve(app)
    caller = await site.call(TWO)
    said = caller.heard()
    assert said.startswith(b"HTTP/1.1 500 ")
    assert OK not in said
    assert [scope["path"] for scope in site.scopes] == ["/"]


async def test_a_request_behind_a_failed_handler_is_not_served(autojump_clock: MockClock, serve: Serve) -> None:
    """Also where the handler is called without ASGI messages."""

    async def handler(request: Request, reply: Reply) -> None:
        if request.path != b"/second":
            raise KeyError
        await reply.answer(200, [], b"ok")

    site = await serve(HandlerApplication(handler))
    caller = await site.call(TWO)
    assert caller.heard().count(b"HTTP/1.1") == 1


async def test_a_pipeline_is_not_read_far_ahead(autojump_clock: MockClock, serve: Serve) -> None:
    """What stands behind a running request stays where it is: in the kernel, not in memory."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await until_left(receive)

    site = await serve(app)
    caller = await site.call(GET * 100_000)
    await trio.sleep(10)
    assert len(GET) * 100_000 - caller.unread() <= 2 * 65_536
    assert len(site.scopes) == 1


async def test_a_body_that_the_application_does_not_read_is_not_read_far(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """One read is taken, whatever its size; the pause does not use up the timeout, and then all arrives."""
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


async def test_requests_behind_an_unread_body_are_dropped_and_not_kept(
    autojump_clock: MockClock, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection ends with the early answer: what is pipelined behind it costs neither memory nor parsing."""
    made: list[Exchange] = []

    class Noted(Exchange):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr("aibridge_trio.server.reader.Exchange", Noted)
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


async def test_a_body_that_is_malformed_from_its_beginning_reaches_no_application(
    autojump_clock: MockClock, serve: Serve
) -> None:
    """The application is not called for what was refused before it came to it."""
    site = await serve(ok)
    caller = await site.call(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
    assert caller.heard().startswith(b"HTTP/1.1 400 ")
    assert site.scopes == []


async def test_a_body_that_turns_out_malformed_is_400(autojump_clock: MockClock, serve: Serve) -> None:
    """The application gets a disconnect, and the caller gets a 400."""
    left: list[bool] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        left.append(await whole_body(receive) is None)

    site = await serve(app)
    caller = await site.call(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
    await caller.say(b"zz\r\n")
    await wait_all_tasks_blocked()
    assert left == [True]
    assert caller.heard().startswith(b"HTTP/1.1 400 ")
