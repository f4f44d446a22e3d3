"""One request to a provider and its parser, on a connection of its pool."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx
import trio

from aibridge_trio.errors import Phase
from aibridge_trio.http import response_parser
from aibridge_trio.http.headers import Headers
from aibridge_trio.http.response_parser import Malformed
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.stream import CONNECTION_ERRORS, READ_SIZE
from aibridge_trio.upstream.fault_causes import cause
from aibridge_trio.upstream.pool import Connection, Pool
from aibridge_trio.upstream.upload_task import SideTask

# From here on an early parser is a refusal, and the rest of the upload is of no use.
_FIRST_REFUSAL = 300

# A program that stops reading leaves its kernel's receive buffer full: so much (bytes) may have been taken and not
# read, and so long (seconds) the end of it may have been on its way.
_UNREAD = 64 * 1024
_IN_FLIGHT = 1.0

# Gives the next piece of a request's body, None at its end.
Source = Callable[[], Awaitable[bytes | None]]


class ConnectionLost(httpx.ReadError):
    """An established connection ended in a way that says nothing of the provider's health.

    Either it had answered before and ended without a byte of this parser: providers close idle connections, and a
    request may meet that on its way. Or the request had not been wholly sent: its caller paused for longer than
    the provider waits, or the body is longer than something on the way lets through. Whether the request was
    processed is unknown.
    """


class CallTimeouts(NamedTuple):
    """How long a call waits: to connect (seconds), for its bytes to be taken, for the head, for each piece."""

    connect: float
    sending: Deadline
    head: Deadline
    reading: Deadline


class Call:
    """One request and its parser, on one connection of a pool.

    `begin` sends it and waits for the head of the parser, which may come before all is sent; `read` returns the
    body piece by piece; `release`, at any time, lets go of the connection: a cancelled request leaves nothing
    behind, and its connection closes at once, so that the provider stops. `phase` tells how far it has come.
    Raises httpx.TransportError.

    With `overlapping` the rest of the body goes up beside the parser, by a task that `begin` starts and `aclose`
    ends, both called by one task (see Beside); it ends with the parser. Without, `begin` returns when all is sent.
    In either case a refusal (status 300 and above) ends the upload.
    """

    def __init__(self, pool: Pool, timeouts: CallTimeouts, *, overlapping: bool = False) -> None:
        self.phase: Phase = "connect"
        self.status = 0
        self.headers: Headers = []
        self.length: int | None = None
        self._pool = pool
        self._timeouts = timeouts
        self._overlapping = overlapping
        self._connection: Connection | None = None
        self._upload: SideTask | None = None
        self._body = b""
        self._complete = False
        self._received = False
        self._expired = False
        self._sent_at = math.inf  # when the last byte of the request was taken
        self._size = 0  # of the request, as far as it was sent
        self._upload_refused = False  # the provider takes no more of it

    @property
    def buffered(self) -> bool:
        """Whether the next `read` will not wait."""
        return bool(self._body) or self._complete

    async def begin(
        self, method: str, target: bytes, headers: Headers, source: Source, on_connected: Callable[[], None]
    ) -> None:
        """Send a request whose body `source` gives; `on_connected` is called when the connection stands."""
        head, framing = _head(method, target, headers), response_parser.RequestFraming(headers)
        piece = await source()  # before a connection is taken: the provider would wait for a slow caller
        self._connection = connection = self._pool.take_idle() or await self._open()
        connection.parser.reset(to_head=method == "HEAD")
        try:
            self.phase = "head"
            on_connected()
            data = head if piece is None else head + _framed(framing, piece)
            if piece is None or (framing.complete and len(data) < READ_SIZE):
                await self._send_all(data, source if piece is not None else None, framing)
                await self._listen()
            else:
                await self._send_and_listen(data, source, framing)
        except BaseException as error:
            await self.aclose(error)
            raise
        self.phase = "stream"

    async def read(self) -> bytes:
        """Return the next piece of the body: what one read of the connection gave; b"" at its end."""
        if not self.buffered:
            self._timeouts.reading.begin(self)
            try:
                while not self.buffered:
                    await self._read()
            except BaseException:
                self.release()
                raise
            finally:
                self._timeouts.reading.end(self)
        if self._complete:
            self.release()
        piece, self._body = self._body, b""
        return piece

    def release(self) -> None:
        """Let go of the connection: it is kept if all was sent and all was read, else closed."""
        connection, self._connection = self._connection, None
        if connection:
            self._pool.release(connection, reusable=self._sent and connection.parser.reusable)
        if self._upload:
            self._upload.stop()

    async def aclose(self, error: BaseException | None = None) -> None:
        """Leave; `error` is what ends the call from outside. Raises what ended the upload."""
        self.release()
        if self._upload:
            upload, self._upload = self._upload, None
            await upload.close(error)

    def expire(self) -> None:
        """See that a wait has taken too long: it ends with the connection."""
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

    @property
    def _sent(self) -> bool:
        """Whether all of the request was taken."""
        return self._sent_at < math.inf

    async def _send_and_listen(self, data: bytes, source: Source, framing: response_parser.RequestFraming) -> None:
        self._upload = upload = SideTask()
        await upload.start(lambda: self._send_all(data, source, framing))
        await self._listen()
        if self.status >= _FIRST_REFUSAL and not self._sent:
            upload.stop()
        if not self._overlapping:
            self._upload = None
            await upload.close(None)

    async def _send_all(self, data: bytes, source: Source | None, framing: response_parser.RequestFraming) -> None:
        """Send the head and the body; the head of the parser is waited for from then on."""
        await self._send(data)
        while source and not self._upload_refused and (piece := await source()) is not None:
            await self._send(_framed(framing, piece))
        if not self._upload_refused:
            await self._send(_end(framing))
        if not self._upload_refused:
            self._sent_at = trio.current_time()
        if self._connection and not self.status:
            self._timeouts.head.begin(self)

    async def _send(self, data: bytes) -> None:
        """Send, unless the provider reads no more: its parser may be on its way all the same."""
        if not self._connection:
            self._upload_refused = True
        if not data or self._upload_refused:
            return
        assert self._connection
        stream = self._connection.stream
        self._size += len(data)
        try:
            if (sent := stream.push(data)) < len(data):
                self._timeouts.sending.begin(self)
                try:
                    await stream.send(data[sent:])
                finally:
                    self._timeouts.sending.end(self)
        except CONNECTION_ERRORS as error:
            if self._expired or isinstance(error, TimeoutError):
                raise httpx.WriteTimeout("the provider takes no more of the request") from None
            self._upload_refused = True

    async def _listen(self) -> None:
        """Wait for the head of the parser."""
        try:
            while not self.status:
                await self._read()
        finally:
            self._timeouts.head.end(self)

    async def _read(self) -> None:
        """Read once: parts of the head, pieces of the body, or the end."""
        if self._connection is None:
            raise httpx.ReadError("the rest was left")
        connection = self._connection
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
        self._complete = parser.complete
        if not self.status:
            self.status, self.headers, self.length = parser.status, parser.headers, parser.length

    def _connection_error(self, why: str | Exception) -> httpx.TransportError:
        assert self._connection
        if self._expired or isinstance(why, TimeoutError):
            return httpx.ReadTimeout("the provider says nothing")
        said = why if isinstance(why, str) else cause(why)
        if (self._connection.reused and not self._received) or not self._sent or self._cut_off(why):
            return ConnectionLost(said)
        return httpx.RemoteProtocolError(said)

    def _cut_off(self, why: str | Exception) -> bool:
        """Whether a reset came while the provider's kernel may have held what its program had not read.

        That the last byte was taken here says little of a long request: most of it may still have been on the way.
        """
        return isinstance(why, ConnectionError) and not self._received and unread(self._size, self._sent_at)


def unread(size: int, sent_at: float) -> bool:
    """Tell whether the end of a request of this size (bytes) may still be on its way, or in the kernel there."""
    return size > _UNREAD and trio.current_time() - sent_at < _IN_FLIGHT


def _framed(framing: response_parser.RequestFraming, piece: bytes) -> bytes:
    try:
        return framing.frame(piece)
    except Malformed as error:
        raise httpx.LocalProtocolError(str(error)) from None


def _end(framing: response_parser.RequestFraming) -> bytes:
    try:
        return framing.end()
    except Malformed as error:
        raise httpx.LocalProtocolError(str(error)) from None


def _head(method: str, target: bytes, headers: Headers) -> bytes:
    try:
        return response_parser.request_head(method, target, headers)
    except (Malformed, UnicodeEncodeError) as error:
        raise httpx.LocalProtocolError(str(error)) from None
