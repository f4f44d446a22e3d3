"""One HTTP exchange over ASGI: a request with a bounded read-ahead, a reply, and a watch on the caller.

Any ASGI server can call this; our own calls the handler directly. Beyond the protocol:

* One task always waits in `receive()`, the only place where a server reports that the caller has left. The handler
  is then cancelled.
* A body that the handler does not read is read and discarded, up to a bound, before the response ends. A server
  that closes with unread bytes resets the connection, and the caller may lose the response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

import trio

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import UPLOAD_SILENCE, Body, BodyStalled, Handler, Request, TransportedReply

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Messages read ahead of the handler. Servers usually pass one read of a socket, 64 KiB, so this is a quarter of a
# MiB: Claude Code's first request (115 kB) fits, and a caller that leaves after it is noticed.
_READ_AHEAD = 4
# A caller that still uploads when its response is ready may finish within this time (seconds) …
_DISCARD_SECONDS = 5.0
# … and this size: what the default --max-body would have let it send.
_DISCARD_BYTES = 32 * 1024 * 1024


class AsgiBody(Body):
    """A request body made of ASGI messages."""

    def __init__(self) -> None:
        super().__init__()
        self._send_channel, self._receive_channel = trio.open_memory_channel[bytes](_READ_AHEAD)
        self._ended = trio.Event()

    async def __anext__(self) -> bytes:
        self._begin_wait(trio.current_time())
        try:
            with trio.fail_after(UPLOAD_SILENCE):
                return await self._receive_channel.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        except trio.TooSlowError:
            raise BodyStalled from None
        finally:
            self._end_wait(trio.current_time())

    def discard(self) -> None:
        """Discard what has not been read, and all that follows."""
        self._receive_channel.close()

    async def wait_received(self) -> None:
        """Wait until the caller has sent the whole body, within the bounds on discarding."""
        with trio.move_on_after(_DISCARD_SECONDS):
            await self._ended.wait()

    async def feed(self, receive: Receive) -> None:
        """Pass messages from the server to the handler until the caller has left."""
        discarded = 0
        while (message := await receive())["type"] != "http.disconnect":
            piece: bytes = message.get("body", b"")
            self.received += len(piece)
            try:
                if piece:
                    await self._send_channel.send(piece)
            except trio.BrokenResourceError:
                discarded += len(piece)
            if not message.get("more_body", False) or discarded > _DISCARD_BYTES:
                self._send_channel.close()
                self._ended.set()
            if discarded > _DISCARD_BYTES:
                return


class AsgiReply(TransportedReply):
    """A reply made of ASGI messages."""

    def __init__(self, send: Send, body: AsgiBody) -> None:
        super().__init__()
        self._message = send
        self._body = body
        self._longest = 0.0

    @property
    def longest_write(self) -> float:
        """See Reply; the server's own waits are included."""
        return self._longest

    async def _start(self, status: int, headers: Headers, *, more: bool) -> None:  # noqa: ARG002 - a message of its own either way
        await self._message({"type": "http.response.start", "status": status, "headers": headers})

    async def _send(self, piece: bytes) -> None:
        began = trio.current_time()
        await self._message({"type": "http.response.body", "body": piece, "more_body": True})
        self._longest = max(self._longest, trio.current_time() - began)

    async def _end(self) -> None:
        """End the response, after the rest of an unread upload has been discarded."""
        self._body.discard()
        await self._body.wait_received()
        self.ended = True
        await self._message({"type": "http.response.body", "body": b"", "more_body": False})


async def exchange(scope: Scope, receive: Receive, send: Send, handler: Handler) -> None:
    """Run `handler` for one HTTP request; it is cancelled when the caller leaves.

    A WebSocket handshake is handled as the GET that it is: it gets a response and is never accepted.
    """
    if scope["type"] == "websocket":
        receive, send = _without_socket(receive), _denying(send)
    body = AsgiBody()
    client, server = scope.get("client"), scope.get("server")
    request = Request(
        method=scope.get("method", "GET"),
        path=scope.get("raw_path") or quote(scope["path"]).encode(),  # ASGI leaves raw_path to the server
        query=scope.get("query_string", b""),
        headers=list(scope["headers"]),
        client=client[0] if client else None,
        server=server[0] if server else None,
        body=body,
    )
    reply = AsgiReply(send, body)
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await body.feed(receive)
            body.caller_left = True
            # A server may report the disconnect of a finished exchange from within the last send; a cancellation
            # there would leave its connection in an undefined state.
            if not reply.ended:
                nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        await handler(request, reply)
        nursery.cancel_scope.cancel()


def _without_socket(receive: Receive) -> Receive:
    """Translate a WebSocket handshake into a request without a body."""
    types = {"websocket.connect": "http.request", "websocket.disconnect": "http.disconnect"}

    async def translated() -> Message:
        return {"type": types.get((await receive())["type"], "http.request")}

    return translated


def _denying(send: Send) -> Send:
    """Respond to a WebSocket handshake with plain HTTP (ASGI's Websocket Denial Response)."""

    async def translated(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return translated


class HandlerApplication:
    """An ASGI application that passes every request to `handler`. Our own server calls the handler directly."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await exchange(scope, receive, send, self.handler)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge startup and shutdown; nothing is tied to them, because tasks run in the bridge's nursery."""
    while True:
        phase = (await receive())["type"]
        await send({"type": f"{phase}.complete"})
        if phase == "lifespan.shutdown":
            return
