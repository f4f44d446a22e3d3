"""One request to a provider and its answer, on a connection of its pool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx
import trio

from aibridge_trio import http1
from aibridge_trio.core.headers import Headers
from aibridge_trio.deadline import Deadline
from aibridge_trio.errors import Phase
from aibridge_trio.http1 import Malformed
from aibridge_trio.pool import Connection, Pool
from aibridge_trio.wire import BROKEN

# From here on an early answer is a refusal, and the rest of the upload is of no use.
_FIRST_REFUSAL = 300

# Gives the next piece of a request's body, None at its end.
Source = Callable[[], Awaitable[bytes | None]]


class ConnectionLost(httpx.ReadError):
    """A connection that had answered before ended without a byte of this answer.

    Nobody can know whether the request was processed. It says nothing of the provider's health: providers close
    idle connections, and a request may meet that on its way.
    """


class Patience(NamedTuple):
    """How long a call waits: to connect (seconds), for its bytes to be taken, for the head, for each piece."""

    connect: float
    sending: Deadline
    head: Deadline
    reading: Deadline


class Call:
    """One request and its answer, on one connection of a pool.

    `begin` sends it and waits for the head of the answer, which may come before all is sent; `read` returns the
    body piece by piece; `leave`, at any time, lets go of the connection: a cancelled request leaves nothing
    behind, and its connection closes at once, so that the provider stops. `phase` tells how far it has come.
    Raises httpx.TransportError.
    """

    def __init__(self, pool: Pool, patience: Patience) -> None:
        self.phase: Phase = "connect"
        self.status = 0
        self.headers: Headers = []
        self.length: int | None = None
        self._pool = pool
        self._patience = patience
        self._connection: Connection | None = None
        self._body = b""
        self._complete = False
        self._heard = False
        self._expired = False
        self._sent = False  # all of the request
        self._unread = False  # the provider takes no more of it

    @property
    def buffered(self) -> bool:
        """Whether the next `read` will not wait."""
        return bool(self._body) or self._complete

    async def begin(
        self, method: str, target: bytes, headers: Headers, source: Source, reached: Callable[[], None]
    ) -> None:
        """Send a request whose body `source` gives; `reached` is called when the connection stands."""
        head, framing = _head(method, target, headers), _Framing(headers)
        self._connection = connection = self._pool.take() or await self._open()
        connection.answer.renew(to_head=method == "HEAD")
        try:
            self.phase = "head"
            reached()
            piece = await source()
            if connection.reused and not connection.link.silent():  # it died while the body was waited for
                self.leave()
                self._connection = connection = self._pool.take() or await self._open()
                connection.answer.renew(to_head=method == "HEAD")
            await self._send(head if piece is None else head + framing.frame(piece))
            if piece is None or framing.whole:
                await self._upload(source, framing)
                await self._listen()
            else:
                await self._upload_and_listen(source, framing)
        except BaseException:
            self.leave()
            raise
        self.phase = "stream"

    async def read(self) -> bytes:
        """Return the next piece of the body: what one read of the connection gave; b"" at its end."""
        if not self.buffered:
            self._patience.reading.begin(self)
            try:
                while not self.buffered:
                    await self._read()
            except BaseException:
                self.leave()
                raise
            finally:
                self._patience.reading.end(self)
        if self._complete:
            self.leave()
        piece, self._body = self._body, b""
        return piece

    def leave(self) -> None:
        """Let go of the connection: it is kept if all was sent and all was read, else closed."""
        connection, self._connection = self._connection, None
        self._patience.head.end(self)
        if connection:
            self._pool.give(connection, reusable=self._sent and connection.answer.reusable)

    async def aclose(self) -> None:
        """Leave."""
        self.leave()

    def expire(self) -> None:
        """See that a wait has taken too long: it ends with the connection."""
        self._expired = True
        if self._connection:
            self._connection.link.close()

    async def _open(self) -> Connection:
        try:
            with trio.fail_after(self._patience.connect):
                return await self._pool.open()
        except trio.TooSlowError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (OSError, trio.BrokenResourceError) as error:
            raise httpx.ConnectError(type(error).__name__) from error

    async def _upload_and_listen(self, source: Source, framing: _Framing) -> None:
        failures: list[Exception] = []
        try:
            async with trio.open_nursery() as nursery:

                async def upload() -> None:
                    try:
                        await self._upload(source, framing)
                    except Exception as error:  # noqa: BLE001 - raised below: a nursery would wrap it
                        failures.append(error)
                        nursery.cancel_scope.cancel()

                nursery.start_soon(upload)
                try:
                    await self._listen()
                except Exception as error:  # noqa: BLE001 - raised below
                    failures.append(error)
                if failures or self.status >= _FIRST_REFUSAL:
                    nursery.cancel_scope.cancel()
            if failures:
                raise failures[0]
        finally:
            failures.clear()  # each of them holds this frame: no cycle is left

    async def _upload(self, source: Source, framing: _Framing) -> None:
        """Send the rest of the body; the head of the answer is waited for from then on."""
        while (piece := await source()) is not None:
            await self._send(framing.frame(piece))
            if self._unread:
                return
        await self._send(framing.end())
        self._sent = not self._unread
        if not self.status:
            self._patience.head.begin(self)

    async def _send(self, data: bytes) -> None:
        """Send, unless the provider reads no more: its answer may be on its way all the same."""
        assert self._connection
        if not data or self._unread:
            return
        link = self._connection.link
        try:
            if (sent := link.push(data)) < len(data):
                self._patience.sending.begin(self)
                try:
                    await link.send(data[sent:])
                finally:
                    self._patience.sending.end(self)
        except BROKEN:
            if self._expired:
                raise httpx.WriteTimeout("the provider takes no more of the request") from None
            self._unread = True

    async def _listen(self) -> None:
        """Wait for the head of the answer."""
        try:
            while not self.status:
                await self._read()
        finally:
            self._patience.head.end(self)

    async def _read(self) -> None:
        """Read once: parts of the head, pieces of the body, or the end."""
        if self._connection is None:
            raise httpx.ReadError("the rest was left")
        connection = self._connection
        answer = connection.answer
        if answer.broken:
            raise self._lost(answer.broken)
        try:
            data = await connection.link.receive()
        except BROKEN as error:
            raise self._lost(type(error).__name__) from None
        if data:
            self._heard = True
            self._body += answer.feed(data)
        else:
            answer.end()
        self._complete = answer.complete
        if not self.status:
            self.status, self.headers, self.length = answer.status, answer.headers, answer.length

    def _lost(self, why: str) -> httpx.TransportError:
        assert self._connection
        if self._expired:
            return httpx.ReadTimeout("the provider says nothing")
        if self._connection.reused and not self._heard:
            return ConnectionLost(why)
        return httpx.RemoteProtocolError(why)


class _Framing:
    """How a body goes out: counted, chunked, or not at all."""

    def __init__(self, headers: Headers) -> None:
        self._left = 0
        self._chunked = False
        for name, value in headers:
            match name.lower():
                case b"content-length":
                    self._left = int(value)
                case b"transfer-encoding":
                    self._chunked = True

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


def _head(method: str, target: bytes, headers: Headers) -> bytes:
    try:
        return http1.request_head(method, target, headers)
    except (Malformed, UnicodeEncodeError) as error:
        raise httpx.LocalProtocolError(str(error)) from None
