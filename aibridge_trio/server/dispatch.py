"""Calls the application for an exchange: our own handler directly, any other one over ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import trio

from aibridge_trio.http.message import Handler, Request
from aibridge_trio.http.response_writer import FramingError
from aibridge_trio.net.stream import ServerStream
from aibridge_trio.server.asgi import Application, HandlerApplication, Message, Scope
from aibridge_trio.server.exchange import Exchange

# Responds to an exchange. A response that it leaves without an end is cut off.
Service = Callable[[Exchange, ServerStream], Awaitable[None]]


def service_for(app: Application, state: dict[str, Any]) -> Service:
    """Return the service that calls `app`; `state` is its lifespan state, copied into each request's scope."""
    return _HandlerService(app.handler) if isinstance(app, HandlerApplication) else _ASGIService(app, state)


class _HandlerService:
    """Calls a handler without ASGI messages; the handler is cancelled when its caller leaves."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, exchange: Exchange, stream: ServerStream) -> Awaitable[None]:
        exchange.cancel_on_leave()
        head = exchange.head
        peer, local = stream.peer, stream.local
        request = Request(
            head.method,
            head.path,
            head.query,
            head.headers,
            peer[0] if peer else None,
            local[0] if local else None,
            exchange,
            secure=stream.secure,
            on_loopback=stream.on_loopback,
            certificate=stream.certificate,
            head=head,
        )
        return self._handler(request, exchange)


class _ASGIService:
    """Calls an ASGI application (https://asgi.readthedocs.io/en/latest/specs/www.html)."""

    def __init__(self, app: Application, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state

    async def __call__(self, exchange: Exchange, stream: ServerStream) -> None:
        messages = _ASGIMessages(exchange)
        await self._app(self._scope(exchange, stream), messages.receive, messages.send)

    def _scope(self, exchange: Exchange, stream: ServerStream) -> Scope:
        head = exchange.head
        text = head.path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"spec_version": "2.3", "version": "3.0"},
            "http_version": head.version,
            "method": head.method,
            "scheme": "https" if stream.secure else "http",
            "path": unquote(text) if "%" in text else text,
            "raw_path": head.path,
            "query_string": head.query,
            "root_path": "",
            "headers": head.headers.copy(),  # the application may change it
            "client": stream.peer,
            "server": stream.local,
            "state": self._state.copy(),
            "extensions": {"aibridge.reset": stream.reset},
        }


class _ASGIMessages:
    """The ASGI messages of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._end_received = False

    async def receive(self) -> Message:
        """Return the next part of the request, or http.disconnect when the caller has left."""
        exchange = self._exchange
        while not (exchange.caller_left or exchange.responded):
            piece = exchange.pop_data()
            if piece is not None or (exchange.body_consumed and not self._end_received):
                self._end_received = exchange.body_consumed
                return {"type": "http.request", "body": piece or b"", "more_body": not self._end_received}
            await exchange.wait_for_progress()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the response. A caller that has left is no error here: `receive()` reports it."""
        match message["type"]:
            case "http.response.start" if self._exchange.framing is None:
                await trio.lowlevel.checkpoint_if_cancelled()
                self._exchange.begin(message["status"], list(message.get("headers", ())))
                self._exchange.flush_soon()
            case "http.response.body" if message.get("more_body", False):
                await self._exchange.send(message.get("body", b""))
            case "http.response.body":
                await self._exchange.finish(message.get("body", b""))
            case _:
                raise FramingError("a response is one start, then bodies, and nothing after the last of them")
