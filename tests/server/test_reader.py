"""The reading half of a connection, through a server in memory."""

from __future__ import annotations

from trio.testing import MockClock

from aibridge_trio.http.message import Reply, Request
from aibridge_trio.server.asgi import HandlerApplication, Receive, Scope, Send
from tests.server.test_connection import GET, OK, Serve, answer, serve

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
