"""The demo's callers report what they get, and its control requests reach the mock."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import httpx
import pytest
import trio

from aibridge_trio.demo.load import Answer, Caller, delete, post
from aibridge_trio.http.message import Reply, Request
from aibridge_trio.mock import Mock, MockOptions
from aibridge_trio.server.asgi import Application, HandlerApplication
from aibridge_trio.server.server import Server

PATH = "/v1/chat/completions"


@asynccontextmanager
async def serving(app: Application) -> AsyncIterator[str]:
    """Serve an application on a free port for as long as the block lasts."""
    server = Server(app, report=lambda error: pytest.fail(repr(error)))
    host, port = server.open("127.0.0.1", 0, option="test")
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield f"http://{host}:{port}"
        server.stop(grace=0)
        nursery.cancel_scope.cancel()


async def asked(url: str) -> Answer:
    """Send one request."""
    caller = Caller(url, "sk-test-0123456789")
    try:
        with trio.fail_after(30):
            return await caller.ask(PATH)
    finally:
        await caller.aclose()


async def test_an_answer_has_its_status() -> None:
    """A served request has 200, no reject and no wait; a scripted status arrives as it is."""
    async with serving(Mock(MockOptions(tokens=2)).app) as url:
        assert await asked(url) == Answer(200, None, 0.0)
        await post(url, "/mock/script", {"answers": [{"status": 429}, {"status": 503, "times": 9}]})
        assert (await asked(url)).status == 429
        assert (await asked(url)).status == 503
        await delete(url, "/mock/script")
        assert (await asked(url)).status == 200


async def test_a_reject_has_its_reason_and_its_wait() -> None:
    """From the bridge's headers; the wait in seconds."""

    async def reject(_: Request, reply: Reply) -> None:
        headers = [(b"x-aibridge-reject", b"rate_limit"), (b"retry-after-ms", b"1500")]
        await reply.answer(429, headers, b"{}")

    async with serving(HandlerApplication(reject)) as url:
        assert await asked(url) == Answer(429, "rate_limit", 1.5)


async def test_a_broken_answer_has_no_status() -> None:
    """A truncated answer, or none at all, is 0."""
    async with serving(Mock(MockOptions(tokens=2)).app) as url:
        await post(url, "/mock/script", {"answers": [{"fault": "truncate"}]})
        assert (await asked(url)).status == 0
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    assert (await asked(f"http://127.0.0.1:{port}")).status == 0


async def test_a_refused_control_request_raises() -> None:
    """A wrong script must not pass silently."""
    async with serving(Mock(MockOptions()).app) as url:
        with pytest.raises(httpx.HTTPStatusError):
            await post(url, "/mock/script", {"answers": 3})
