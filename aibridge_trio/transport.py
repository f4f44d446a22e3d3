"""An httpx transport of our own: HTTP/1.1 on llhttp and Trio streams, one pool per provider.

What it has over httpx's own: a connection is taken and given back in constant time and nothing waits in line; a
cancelled request leaves nothing behind and closes its connection at once, so that the provider stops; an answer
that comes before the upload is done is an answer.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator

import httpx
import trio

from aibridge_trio import http1
from aibridge_trio.http1 import Answer, Malformed
from aibridge_trio.pool import READ_SIZE, Connection, Dial, Origin, Pool, dial

# From here on an early answer is a refusal, and the rest of the upload is of no use.
_FIRST_REFUSAL = 300


class ConnectionLost(httpx.ReadError):
    """A connection that had answered before ended without a byte of this answer.

    Nobody can know whether the request was processed. It says nothing of the provider's health: providers close
    idle connections, and a request may meet that on its way.
    """


class Transport(httpx.AsyncBaseTransport):
    """Carries requests over connections that it keeps. Of the `timeout` extension it heeds `write`.

    All other deadlines are the caller's, who may cancel at any point. Raises httpx.TransportError.
    """

    def __init__(self, context: ssl.SSLContext, dial: Dial = dial) -> None:
        self._context = context
        self._dial = dial
        self._pools: dict[tuple[bytes, bytes, int | None], Pool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; returns its answer once the head has come, with the body as a stream."""
        exchange = _Exchange(self._pool(request.url), request)
        try:
            await exchange.begin()
        except BaseException:
            exchange.leave()
            raise
        return httpx.Response(exchange.answer.status, headers=exchange.answer.headers, stream=exchange)

    def expire(self) -> None:
        """Close what has been idle for too long, where no request comes by to do it."""
        for pool in self._pools.values():
            pool.expire()

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, url: httpx.URL) -> Pool:
        key = (url.raw_scheme, url.raw_host, url.port)
        if key not in self._pools:
            tls = url.scheme == "https"
            port = url.port or (443 if tls else 80)
            self._pools[key] = Pool(Origin(url.host, port, self._context if tls else None), self._dial)
        return self._pools[key]

    def __repr__(self) -> str:
        return f"<Transport {list(self._pools.values())}>"


class _Exchange(httpx.AsyncByteStream):
    """One request and its answer on one connection; as a stream, the answer's body."""

    def __init__(self, pool: Pool, request: httpx.Request) -> None:
        self.answer = Answer(to_head=request.method == "HEAD")
        self._pool = pool
        self._request = request
        self._write_timeout = request.extensions.get("timeout", {}).get("write") or math.inf
        self._connection: Connection | None = None
        self._body = b""
        self._heard = False
        self._sent = False  # all of the request
        self._unread = False  # the provider takes no more of it

    async def begin(self) -> None:
        """Send the request and wait for the head of the answer, which may come before all is sent."""
        self._connection = self._pool.take() or await self._open()
        head = _head(self._request)
        assert isinstance(self._request.stream, httpx.AsyncByteStream)
        body, framing = aiter(self._request.stream), _Framing(self._request.headers)
        piece = await anext(body, None)
        await self._send(head if piece is None else head + framing.frame(piece))
        if piece is None or framing.whole:
            await self._upload(body, framing)
            await self._listen()
        else:
            await self._upload_and_listen(body, framing)

    def leave(self) -> None:
        """Let go of the connection: it is kept if all was sent and all was read, else closed."""
        connection, self._connection = self._connection, None
        if connection:
            self._pool.give(connection, reusable=self._sent and self.answer.reusable)

    async def aclose(self) -> None:
        """Leave."""
        self.leave()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece of the body: what one read of the connection gave."""
        try:
            while not self._body and not self.answer.complete:
                await self._read()
        except BaseException:
            self.leave()
            raise
        if self.answer.complete:
            self.leave()
        piece, self._body = self._body, b""
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _open(self) -> Connection:
        try:
            return await self._pool.open()
        except (OSError, trio.BrokenResourceError) as error:
            raise httpx.ConnectError(type(error).__name__) from error

    async def _upload_and_listen(self, body: AsyncIterator[bytes], framing: _Framing) -> None:
        failures: list[Exception] = []
        async with trio.open_nursery() as nursery:

            async def upload() -> None:
                try:
                    await self._upload(body, framing)
                except Exception as error:  # noqa: BLE001 - raised below: a nursery would wrap it
                    failures.append(error)
                    nursery.cancel_scope.cancel()

            nursery.start_soon(upload)
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - raised below
                failures.append(error)
            if failures or self.answer.status >= _FIRST_REFUSAL:
                nursery.cancel_scope.cancel()
        if failures:
            raise failures[0]

    async def _upload(self, body: AsyncIterator[bytes], framing: _Framing) -> None:
        """Send the rest of the body."""
        while (piece := await anext(body, None)) is not None:
            await self._send(framing.frame(piece))
            if self._unread:
                return
        await self._send(framing.end())
        self._sent = not self._unread

    async def _send(self, data: bytes) -> None:
        """Send, unless the provider reads no more: its answer may be on its way all the same."""
        assert self._connection
        if not data or self._unread:
            return
        try:
            with trio.fail_after(self._write_timeout):
                await self._connection.stream.send_all(data)
        except trio.TooSlowError:
            raise httpx.WriteTimeout("the provider takes no more of the request") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._unread = True

    async def _listen(self) -> None:
        """Wait for the head of the answer."""
        while not self.answer.status:
            await self._read()

    async def _read(self) -> None:
        """Read once: parts of the head, pieces of the body, or the end."""
        if self._connection is None:
            raise httpx.ReadError("the rest was left")
        if self.answer.broken:
            raise self._lost(self.answer.broken)
        try:
            data = await self._connection.stream.receive_some(READ_SIZE)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._lost(type(error).__name__) from None
        if data:
            self._heard = True
            self._body += self.answer.feed(data)
        else:
            self.answer.end()

    def _lost(self, why: str) -> httpx.TransportError:
        assert self._connection
        if self._connection.reused and not self._heard:
            return ConnectionLost(why)
        return httpx.RemoteProtocolError(why)


class _Framing:
    """How a body goes out: counted, chunked, or not at all."""

    def __init__(self, headers: httpx.Headers) -> None:
        self._left = int(headers.get("content-length", 0))
        self._chunked = "transfer-encoding" in headers

    @property
    def whole(self) -> bool:
        """Whether nothing more can come."""
        return not self._chunked and not self._left

    def frame(self, piece: bytes) -> bytes:
        """A piece as it goes out."""
        if self._chunked:
            return http1.chunk(piece) if piece else b""
        if len(piece) > self._left:
            raise httpx.LocalProtocolError("more of a body than its head announces")
        self._left -= len(piece)
        return piece

    def end(self) -> bytes:
        """What goes out behind the last piece."""
        if self._left:
            raise httpx.LocalProtocolError("less of a body than its head announces")
        return http1.LAST_CHUNK if self._chunked else b""


def _head(request: httpx.Request) -> bytes:
    try:
        return http1.request_head(request.method, request.url.raw_path, request.headers.raw)
    except (Malformed, UnicodeEncodeError) as error:
        raise httpx.LocalProtocolError(str(error)) from None
