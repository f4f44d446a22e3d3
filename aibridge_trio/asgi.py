"""One HTTP exchange over ASGI: a request with a bounded read-ahead, a reply, and an eye on the caller.

Any ASGI server may stand in front. What this room adds to the protocol:

* somebody always waits in `receive()`, because that is the only place where a server tells that the caller
  has gone; the handler is cancelled then;
* a body that the handler does not want is read and thrown away, up to a bound, before the answer ends: a
  server that closes with unread bytes resets the connection, and the caller may lose the answer.

Our own server does both by itself, and says so by the scope's extension `aibridge.leaving`. Under it `receive()`
is called for a body that is wanted, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from typing import Any
from urllib.parse import quote

import trio

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# Messages read ahead of the handler. Servers pass what one read of a socket gave, 64 KiB as a rule, so a
# quarter of a MiB: Claude Code's first request (115 kB) fits, and behind it the caller's leaving is seen.
_READ_AHEAD = 4
# A caller that still uploads when its answer is ready may finish within this time (seconds) …
_DRAIN_SECONDS = 5.0
# … and this size: what the default --max-body would have let it send.
_DRAIN_BYTES = 32 * 1024 * 1024
# The longest silence (seconds) of a caller in the middle of its upload. nginx's client_body_timeout.
_UPLOAD_SILENCE = 60.0


class BodyStalled(Exception):
    """The caller began to send a body and fell silent."""


class Body:
    """The request's body: iterate over it once, or not at all."""

    def __init__(self) -> None:
        self._inlet, self._outlet = trio.open_memory_channel[bytes](_READ_AHEAD)
        self._ended = trio.Event()
        self.received = 0
        self.caller_left = False

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece; BodyStalled when none comes in time."""
        try:
            with trio.fail_after(_UPLOAD_SILENCE):
                return await self._outlet.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        except trio.TooSlowError:
            raise BodyStalled from None

    def discard(self) -> None:
        """Let go of what has not been read, and of all that follows."""
        self._outlet.close()

    async def settled(self) -> None:
        """Wait until the caller has sent all of it, for no longer than the drain bounds allow."""
        with trio.move_on_after(_DRAIN_SECONDS):
            await self._ended.wait()

    async def _feed(self, receive: Receive) -> None:
        """Carry messages from the server to the handler until the caller has gone."""
        unwanted = 0
        while (message := await receive())["type"] != "http.disconnect":
            piece: bytes = message.get("body", b"")
            self.received += len(piece)
            try:
                if piece:
                    await self._inlet.send(piece)
            except trio.BrokenResourceError:
                unwanted += len(piece)
            if not message.get("more_body", False) or unwanted > _DRAIN_BYTES:
                self._inlet.close()
                self._ended.set()
            if unwanted > _DRAIN_BYTES:
                return


class _ReadBody(Body):
    """The body under a server that reads ahead, throws away and tells of the caller's leaving by itself."""

    def __init__(self, receive: Receive) -> None:
        self.received = 0
        self.caller_left = False
        self._receive = receive
        self._whole = False

    async def __anext__(self) -> bytes:
        while not self._whole:
            # fail_after() costs twice as much as its scope
            with trio.CancelScope(deadline=trio.current_time() + _UPLOAD_SILENCE) as patience:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    await trio.sleep_forever()  # whoever waits is about to be cancelled
            if patience.cancelled_caught:
                raise BodyStalled
            piece: bytes = message["body"]
            self._whole = not message["more_body"]
            self.received += len(piece)
            if piece:
                return piece
        raise StopAsyncIteration

    def discard(self) -> None:
        self._whole = True

    async def settled(self) -> None:
        """Wait for nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller sent. Header names are lower-case; path and query are the bytes that came."""

    method: str
    path: bytes
    query: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    client: str | None  # the peer's address
    server: str | None  # ours, as the peer sees it
    body: Body

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, None without one."""
        return next((value for key, value in self.headers if key == name), None)

    def header_values(self, name: bytes) -> list[bytes]:
        """Return all values of a header, in order."""
        return [value for key, value in self.headers if key == name]


class Reply:
    """The answer, in the order start, send …, end; without an end it breaks off, and the caller sees that."""

    def __init__(self, send: Send, body: Body) -> None:
        self._send = send
        self._body = body
        self._offers: list[Headers] = []
        self.status: int | None = None
        self.sent = 0
        self.ended = False

    @property
    def started(self) -> bool:
        """Whether the head has gone out."""
        return self.status is not None

    def offer(self, headers: Headers) -> None:
        """Add headers to the head to come, all of them, unless it brings one of these names by itself."""
        self._offers.append(headers)

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head."""
        self.status = status
        present = {name.lower() for name, _ in headers}
        for offer in self._offers:
            if present.isdisjoint(name for name, _ in offer):
                headers = [*headers, *offer]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, piece: bytes) -> None:
        """Send a piece of the body."""
        self.sent += len(piece)
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """End it cleanly, once the rest of an unwanted upload is out of the way."""
        self._body.discard()
        await self._body.settled()
        self.ended = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer of our own, and end it."""
        await self.write(status, headers, body)
        await self.end()

    async def write(self, status: int, headers: Headers, body: bytes) -> None:
        """Send all of an answer of our own, sized and dated, but for its end."""
        date = formatdate(usegmt=True).encode()
        await self.start(status, [*headers, (b"date", date), (b"content-length", b"%d" % len(body))])
        await self.send(body)


Handler = Callable[[Request, Reply], Awaitable[None]]


async def exchange(scope: Scope, receive: Receive, send: Send, handler: Handler) -> None:
    """Run `handler` for one HTTP request; it is cancelled when the caller has gone.

    A WebSocket's opening is a GET like any other, which may be answered but never accepted.
    """
    if scope["type"] == "websocket":
        receive, send = _without_socket(receive), _denying(send)
    extensions = scope.get("extensions") or {}
    on_leaving, reset = extensions.get("aibridge.leaving"), extensions.get("aibridge.reset")
    body = _ReadBody(receive) if on_leaving else Body()
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
    reply = Reply(send, body)
    if on_leaving:
        with trio.CancelScope() as handling:
            on_leaving(partial(_leave, body, reply, handling))
            await handler(request, reply)
    else:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await body._feed(receive)  # noqa: SLF001 - the same room
                _leave(body, reply, nursery.cancel_scope)

            nursery.start_soon(watch)
            await handler(request, reply)
            nursery.cancel_scope.cancel()
    if reset and reply.started and not reply.ended and scope.get("http_version") == "1.0":
        reset()  # a chunked answer without its end is seen to be broken; in HTTP/1.0 a close is the end


def _leave(body: Body, reply: Reply, handling: trio.CancelScope) -> None:
    """See that the caller has gone.

    A server may tell of the end of a finished exchange from within the last send; to be cancelled there would
    leave its connection in between.
    """
    body.caller_left = True
    if not reply.ended:
        handling.cancel()


def _without_socket(receive: Receive) -> Receive:
    """Read a WebSocket's opening as a request without a body, where a server makes a WebSocket of it."""
    types = {"websocket.connect": "http.request", "websocket.disconnect": "http.disconnect"}

    async def translated() -> Message:
        return {"type": types.get((await receive())["type"], "http.request")}

    return translated


def _denying(send: Send) -> Send:
    """Answer a WebSocket's opening with plain HTTP (ASGI's Websocket Denial Response)."""

    async def translated(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return translated
