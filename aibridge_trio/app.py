"""The callers' side: an ASGI application that knows no server."""

from __future__ import annotations

from aibridge_trio.asgi import Application, Handler, Receive, Scope, Send, exchange


def application(handler: Handler) -> Application:
    """Return an ASGI application that gives every request to `handler`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await exchange(scope, receive, send, handler)

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    """Say yes to a server that asks; what lives is in the bridge's own nursery."""
    while True:
        phase = (await receive())["type"]
        await send({"type": f"{phase}.complete"})
        if phase == "lifespan.shutdown":
            return
