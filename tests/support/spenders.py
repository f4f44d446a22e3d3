"""Known callers with limits on tokens, and providers whose answers use as many as a test says."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx
import trio

from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.terms import ClassTotals, Rate, Terms, TokenBudget
from aibridge_trio.http.message import Reply, Request
from tests.support.handlers import CHAT, JSON, SSE
from tests.support.network import Handler

CHUNK = b'data: {"id":"chatcmpl-01234567890123456789","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'


def minute(amount: int) -> Rate:
    """So many a minute."""
    return Rate(amount, 60.0)


def spender(
    name: str, class_name: str = "", tokens: int | None = None, budget: TokenBudget | None = None
) -> KnownCaller:
    """A caller whose token is `token of NAME`, with a limit on tokens a minute, or a budget."""
    terms = Terms(token_rate=minute(tokens) if tokens else None, budget=budget)
    digest = hashlib.sha256(token(name).encode()).hexdigest()
    return KnownCaller(name=name, class_name=class_name, terms=terms, token_sha256=(digest,))


def known(*callers: KnownCaller, **totals: int) -> KnownCallers:
    """These callers, and the tokens a minute of each class in all."""
    return KnownCallers(
        callers=callers,
        totals={name: ClassTotals(token_rate=minute(amount)) for name, amount in totals.items()},
        classes=tuple(dict.fromkeys(each.class_name for each in callers if each.class_name)),
    )


def token(name: str) -> str:
    """The token of a caller."""
    return f"token of {name}"


def body(tokens: int, **members: Any) -> bytes:
    """A request of so many tokens, as they are estimated from its size."""
    empty = len(json.dumps({**members, "input": ""}))
    return json.dumps({**members, "input": ("word " * tokens)[: 4 * tokens - empty]}).encode()


def usage(prompt: int, output: int) -> bytes:
    """An answer that used so many tokens."""
    used = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    return json.dumps({"choices": [], "usage": used}).encode()


def using(prompt: int, output: int, after: float = 0.0) -> Handler:
    """A provider whose answers use so many tokens, after a while."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await trio.sleep(after)
        await reply.answer(200, JSON, usage(prompt, output))

    return handler


def streaming(chunks: int, ending: bytes = b"data: [DONE]\n\n", pause: float = 0.0) -> Handler:
    """A provider that streams so many pieces, then an ending."""

    async def handler(request: Request, reply: Reply) -> None:
        async for _ in request.body:
            pass
        await reply.start(200, SSE)
        for _ in range(chunks):
            await reply.send(CHUNK)
            await trio.sleep(pause)
        await reply.send(ending)
        await reply.end()

    return handler


async def ask(client: httpx.AsyncClient, name: str, content: bytes, path: str = CHAT) -> httpx.Response:
    """Send a request as a caller."""
    return await client.post(path, content=content, headers={"authorization": f"Bearer {token(name)}"})


KEY = Secret("sk-of-the-bridge-0123456789")
