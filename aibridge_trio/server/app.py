"""The callers' side: an ASGI application that knows no server."""

from __future__ import annotations

from aibridge_trio.http.message import Handler
from aibridge_trio.server.asgi import Receive, Scope, Send, exchange


class Application:
    """An ASGI application that gives every request to `handler`. A server that knows how may call that itself."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await exchange(scope, receive, send, self.handler)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Say yes to a server that asks; what lives is in the bridge's own nursery."""
    while True:
        phase = (await receive())["type"]
        await send({"type": f"{phase}.complete"})
        if phase == "lifespan.shutdown":
            return
