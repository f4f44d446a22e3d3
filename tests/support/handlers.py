"""Providers that answer in the same way each time, for tests in memory."""

from __future__ import annotations

import httpx
import trio

from aibridge_trio.http.message import Reply, Request
from tests.support.network import Handler

CHAT = "/openai/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream")]


async def ok(request: Request, reply: Reply) -> None:
    """Answer 200 with a small JSON."""
    async for _ in request.body:
        pass
    await reply.answer(200, JSON, b'{"ok":true}')


def failing(status: int, body: bytes = b"{}") -> Handler:
    """Answer always with this status."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.answer(status, JSON, body)

    return handler


def recording(seen: list[Request], status: int = 200) -> Handler:
    """Answer, and keep what came."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        seen.append(request)
        await reply.answer(status, JSON, b"{}")

    return handler


async def endless(_: Request, reply: Reply) -> None:
    """Stream an event a second, for ever."""
    await reply.start(200, SSE)
    while True:
        await reply.send(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        await trio.sleep(1)


async def begun(stream: httpx.Response) -> None:
    """Wait for the first piece of an answer."""
    async for _ in stream.aiter_raw():
        return
