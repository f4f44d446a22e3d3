"""One request to a provider and its response, on a connection of the provider's pool."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx
import trio

from aibridge_trio.errors import Phase
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_head import Malformed, ResponseHead
from aibridge_trio.http.response_parser import LAST_CHUNK, chunk, request_head
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.fault_causes import cause
from aibridge_trio.net.stream import CONNECTION_ERRORS, READ_SIZE
from aibridge_trio.upstream.lost_connection import ConnectionLost, unread
from aibridge_trio.upstream.pool import Connection, Pool
from aibridge_trio.upstream.upload_task import SideTask

# As of this status an early response is a rejection, and the rest of the upload is not sent.
_FIRST_REJECTION = 300

# Returns the next piece of a request's body, None at its end.
Source = Callable[[], Awaitable[bytes | None]]


class CallTimeouts(NamedTuple):
    """The timeouts of a call: to connect (seconds), to send, for the head, for each piece of the body."""

    connect: float
    sending: Deadline
    head: Deadline
    reading: Deadline


class Call:
    """One request and its response, on one connection of a pool.

    `begin` sends the request and waits for the head of the response, which may come before all is sent. `read`
    returns the body piece by piece. `release`, at any time, gives the connection up: it closes at once unless the
    response is complete, so the provider stops generating. `phase` is how far the call has come. Methods raise
    httpx.TransportError.

    With `overlapping`, the rest of the request's body is sent while the response is read, by a task that `begin`
    starts and `aclose` ends; one task must call both (see SideTask). Without, `begin` returns when all is sent.
    In either case a rejection (status 300 and above) ends the upload.
    """

    __slots__ = (
        *("_body", "_connection", "_expired", "_left", "_on_sent", "_overlapping", "_pool", "_received"),
        *("_sent_at", "_size", "_timeouts", "_upload", "_upload_refused"),
        *("buffered", "complete", "head", "over", "phase"),
    )

    resumable = True  # a `wait` that is cancelled loses nothing

    def __init__(self, pool: Pool, timeouts: CallTimeouts, *, overlapping: bool = False) -> None:
        self.phase: Phase = "connect"
        self.head: ResponseHead | None = None
        self.complete = False  # all of the response has come
        self.buffered = False  # the next `read` will not wait
        self.over = False  # it has been read, and there is nothing to close
        self._pool = pool
        self._timeouts = timeouts
        self._overlapping = overlapping
        self._connection: Connection | None = None
        self._upload: SideTask | None = None
        self._body = b""
        self._received = False
        self._expired = False
        self._left: int | None = 0  # of the request's body (bytes), None if it is chunked
        self._on_sent: Callable[[], None] | None = None
        self._sent_at = math.inf  # when the kernel took the last byte of the request
        self._size = 0  # of the request, as far as sent (bytes)
        self._upload_refused = False  # the provider takes no more of the request

    async def begin(
        self,
        method: str,
        target: bytes,
        headers: Headers,
        length: int | None,
        *,
        source: Source,
        on_connected: Callable[[], None],
        on_sent: Callable[[], None] | None = None,
        head: bytes = b"",
    ) -> None:
        """Send a request with the body from `source`, of `length` bytes; None: in chunks, until its end.

        `on_connected` is called when there is a connection, `on_sent` when all is sent, unless some of the
        response has been read by then. `head` is what is sent of the first three, if that is known.
        """
        try:
            head = head or request_head(method, target, headers)
        except Malformed as error:
            raise httpx.LocalProtocolError(str(error)) from None
        self._left, self._on_sent = length, on_sent
        piece = await source()  # before a connection is taken: a provider must not wait for a slow caller
        now = self._pool.clock()
        connection = self._pool.take_idle(now)
        if connection is None:
            connection = await self._open()
            now = self._pool.clock()  # that took its time
        self._connection = connection
        connection.parser.reset(to_head=method == "HEAD")
        try:
            self.phase = "head"
            on_connected()
            if piece and len(piece) == length:  # as most are
                data, self._left = head + piece, 0
            else:
                data = head if piece is None else head + self._framed(piece)
            if piece is None or (self._left == 0 and len(data) < READ_SIZE):
                await self._send_all(data, source, now)
                await self._listen()
            else:
                await self._send_and_listen(data, source)
        except BaseException as error:
            self._timeouts.head.end(self)
            await self.aclose(error)
            raise
        self.phase = "stream"

    async def read(self) -> bytes:
        """Return the next piece of the body, from one read of the connection; b"" at the end."""
        if not self.buffered:
            try:
                await self.wait()
            except BaseException:
                self.release()
                raise
        if self.complete:
            self.release()
            self.over = self._upload is None
        self._on_sent = None  # the response is being read, even if the request is still being sent
        self.buffered = self.complete
        piece, self._body = self._body, b""
        return piece

    async def wait(self) -> None:
        """Wait until `read` will not; cancelled, it loses nothing."""
        self._timeouts.reading.begin(self)
        try:
            while not self.buffered:
                await self._read()
        finally:
            self._timeouts.reading.end(self)

    def release(self) -> None:
        """Give the connection up: the pool keeps it if all was sent and read, else it is closed."""
        connection, self._connection = self._connection, None
        if connection:
            self._pool.release(connection, reusable=self._sent_at < math.inf and connection.parser.reusable)
        if self._upload:
            self._upload.stop()

    async def stop_upload(self) -> None:
        """Send nothing more of the request; the response goes on. Raises the upload's exception."""
        if self._upload:
            upload, self._upload = self._upload, None
            upload.stop()
            await upload.close(None)

    async def aclose(self, error: BaseException | None = None) -> None:
        """Release the connection and end the upload, raising its exception. `error` ends the call from outside."""
        self.release()
        if self._upload:
            upload, self._upload = self._upload, None
            await upload.close(error)

    def expire(self) -> None:
        """See Waiter: close the connection, which ends the wait."""
        self._expired = True
        if self._connection:
            self._connection.stream.close()

    async def _open(self) -> Connection:
        try:
            with trio.fail_after(self._timeouts.connect):
                return await self._pool.open()
        except trio.TooSlowError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (OSError, trio.BrokenResourceError) as error:
            raise httpx.ConnectError(cause(error)) from error

    async def _send_and_listen(self, data: bytes, source: Source) -> None:
        self._upload = upload = SideTask()
        await upload.start(lambda: self._send_all(data, source))
        await self._listen()
        if self.head and self.head.status >= _FIRST_REJECTION and self._sent_at == math.inf:
            upload.stop()
        if not self._overlapping:
            self._upload = None
            await upload.close(None)

    async def _send_all(self, data: bytes, source: Source, now: float | None = None) -> None:
        """Send the head and the body, then start the timeout for the answer's head. `now`: the time, if known."""
        waited = await self._send(data)
        if self._left != 0:
            await self._send_rest(source)
            waited = True
        now = trio.current_time() if waited or now is None else now
        if not self._upload_refused:
            self._sent_at = now
            if self._on_sent:
                self._on_sent()
        if self._connection and self.head is None:
            self._timeouts.head.begin(self, now)
        # A body whose length is known is read to its end, too: that releases its memory.
        if self._left == 0 and await source():
            raise httpx.LocalProtocolError("more of a body than its head announces")

    async def _send_rest(self, source: Source) -> None:
        while not self._upload_refused and self._left != 0 and (piece := await source()) is not None:
            await self._send(self._framed(piece))
        if self._left is None:
            await self._send(LAST_CHUNK)
        elif self._left and not self._upload_refused:
            raise httpx.LocalProtocolError("less of a body than its head announces")

    def _framed(self, piece: bytes) -> bytes:
        """Return a piece of the request's body as it is sent."""
        if self._left is None:
            return chunk(piece) if piece else b""
        self._left -= len(piece)
        if self._left < 0:
            raise httpx.LocalProtocolError("more of a body than its head announces")
        return piece

    async def _send(self, data: bytes) -> bool:
        """Send, unless the provider reads no more: its response may still arrive. Return whether it waited."""
        if not self._connection:
            self._upload_refused = True
        if not data or self._upload_refused:
            return False
        assert self._connection
        stream = self._connection.stream
        self._size += (size := len(data))
        waits = False
        try:
            if (sent := stream.push(data)) < size:
                waits = True
                self._timeouts.sending.begin(self)
                try:
                    await stream.send(data[sent:])
                finally:
                    self._timeouts.sending.end(self)
        except CONNECTION_ERRORS as error:
            if self._expired or isinstance(error, TimeoutError):
                raise httpx.WriteTimeout("the provider takes no more of the request") from None
            self._upload_refused = True
        return waits

    async def _listen(self) -> None:
        """Wait for the head of the response."""
        try:
            while self.head is None:
                await self._read()
        finally:
            self._timeouts.head.end(self)

    async def _read(self) -> None:
        """Read once: a part of the head or of the body, or the end."""
        if (connection := self._connection) is None:
            raise httpx.ReadError("the rest was left")
        parser = connection.parser
        if parser.error:
            raise httpx.RemoteProtocolError(f"malformed: {parser.error}")
        try:
            data = await connection.stream.receive()
        except CONNECTION_ERRORS as error:
            raise self._connection_error(error) from None
        if data:
            self._received = True
            self._body += parser.feed(data)
        else:
            parser.end()
            if parser.error:
                raise self._connection_error(parser.error)
        self.complete = parser.complete
        self.buffered = self.complete or bool(self._body)
        self.head = parser.head

    def _connection_error(self, why: str | Exception) -> httpx.TransportError:
        assert self._connection
        if self._expired or isinstance(why, TimeoutError):
            return httpx.ReadTimeout("the provider says nothing")
        said = why if isinstance(why, str) else cause(why)
        cut_off = isinstance(why, ConnectionError) and not self._received and unread(self._size, self._sent_at)
        if (self._connection.reused and not self._received) or cut_off or self._sent_at == math.inf:
            return ConnectionLost(said)
        return httpx.RemoteProtocolError(said)
