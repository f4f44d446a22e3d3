"""The lifespan of an ASGI application, by hypercorn's protocol: startup, then requests, then shutdown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from aibridge_trio.server.asgi import Application, HandlerApplication


@asynccontextmanager
async def lifespan(app: Application, state: dict[str, Any]) -> AsyncIterator[None]:
    """Run the application's lifespan; an application without lifespan support is served all the same.

    What the application keeps there is added to `state`.
    """
    if isinstance(app, HandlerApplication):  # nothing is tied to it
        yield
        return
    # It imports HTTP/2 and WebSockets too, a fifth of all that is imported; only other applications need it.
    from hypercorn.app_wrappers import ASGIWrapper  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415
    from hypercorn.trio.lifespan import Lifespan  # noqa: PLC0415

    config = Config()
    config.errorlog = None
    life = Lifespan(ASGIWrapper(app), config, state)  # type: ignore[arg-type] # its own names for ASGI
    async with trio.open_nursery() as nursery:
        await nursery.start(life.handle_lifespan)
        with suppress(trio.ClosedResourceError):
            await life.wait_for_startup()
        yield
        with suppress(trio.ClosedResourceError):
            await life.wait_for_shutdown()
        nursery.cancel_scope.cancel()
