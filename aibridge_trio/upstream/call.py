"""One request to a provider and its answer, on a connection of its pool."""

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
from aibridge_trio.net.stream import BROKEN, READ_SIZE
from aibridge_trio.upstream.fault_causes import cause
from aibridge_trio.upstream.pool import Connection, Pool
from aibridge_trio.upstream.upload_task import SideTask

# From here on an early answer is a refusal, and the rest of the upload is of no use.
_FIRST_REFUSAL = 300

# A program that stops reading leaves its kernel's receive buffer full: so much (bytes) may have been taken and not
# read, and so long (seconds) the end of it may have been on its way.
_UNREAD = 64 * 1024
_IN_FLIGHT = 1.0

# Gives the next piece of a request's body, None at its end.
Source = Callable[[], Awaitable[bytes | None]]


class ConnectionLost(httpx.ReadError):
    """An established connection ended in a way that says nothing of the provider's health.

    Either it had answered before and ended without a byte of this answer: providers close idle connections, and a
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
    """One request and its answer, on one connection of a pool.

    `begin` sends it and waits for the head of the answer, which may come before all is sent; `read` returns the
    body piece by piece; `leave`, at any time, lets go of the connection: a cancelled request leaves nothing
    behind, and its connection closes at once, so that the provider stops. `phase` tells how far it has come.
    Raises httpx.TransportError.

    With `overlapping` the rest of the body goes up beside the answer, by a task that `begin` starts and `aclose`
    ends, both called by one task (see Beside); it ends with the answer. Without, `begin` returns when all is sent.
    In either case a refusal (status 300 and above) ends the upload.
    """

    def __init__(self, pool: Pool, patience: CallTimeouts, *, overlapping: bool = False) -> None:
        self.phase: Phase = "connect"
        self.status = 0
        self.headers: Headers = []
        self.length: int | None = None
        self._pool = pool
        self._patience = patience
        self._overlapping = overlapping
        self._connection: Connection | None = None
        self._upload: SideTask | None = None
        self._body = b""
        self._complete = False
        self._heard = False
        self._expired = False
        self._sent_at = math.inf  # when the last byte of the request was taken
        self._size = 0  # of the request, as far as it was sent
        self._unread = False  # the provider takes no more of it

    @property
    def buffered(self) -> bool:
        """Whether the next `read` will not wait."""
        return bool(self._body) or self._complete

    async def begin(
        self, method: str, target: bytes, headers: Headers, source: Source, reached: Callable[[], None]
    ) -> None:
        """Send a request whose body `source` gives; `reached` is called when the connection stands."""
        head, framing = _head(method, target, headers), response_parser.Sending(headers)
        piece = await source()  # before a connection is taken: the provider would wait for a slow caller
        self._connection = connection = self._pool.take() or await self._open()
        connection.answer.renew(to_head=method == "HEAD")
        try:
            self.phase = "head"
            reached()
            data = head if piece is None else head + _framed(framing, piece)
            if piece is None or (framing.whole and len(data) < READ_SIZE):
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
        if connection:
            self._pool.give(connection, reusable=self._sent and connection.answer.reusable)
        if self._upload:
            self._upload.stop()

    async def aclose(self, error: BaseException | None = None) -> None:
        """Leave; `error` is what ends the call from outside. Raises what ended the upload."""
        self.leave()
        if self._upload:
            upload, self._upload = self._upload, None
            await upload.close(error)

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
            raise httpx.ConnectError(cause(error)) from error

    @property
    def _sent(self) -> bool:
        """Whether all of the request was taken."""
        return self._sent_at < math.inf

    async def _send_and_listen(self, data: bytes, source: Source, framing: response_parser.Sending) -> None:
        self._upload = upload = SideTask()
        await upload.start(lambda: self._send_all(data, source, framing))
        await self._listen()
        if self.status >= _FIRST_REFUSAL and not self._sent:
            upload.stop()
        if not self._overlapping:
            self._upload = None
            await upload.close(None)

    async def _send_all(self, data: bytes, source: Source | None, framing: response_parser.Sending) -> None:
        """Send the head and the body; the head of the answer is waited for from then on."""
        await self._send(data)
        while source and not self._unread and (piece := await source()) is not None:
            await self._send(_framed(framing, piece))
        if not self._unread:
            await self._send(_end(framing))
        if not self._unread:
            self._sent_at = trio.current_time()
        if self._connection and not self.status:
            self._patience.head.begin(self)

    async def _send(self, data: bytes) -> None:
        """Send, unless the provider reads no more: its answer may be on its way all the same."""
        if not self._connection:
            self._unread = True
        if not data or self._unread:
            return
        assert self._connection
        link = self._connection.link
        self._size += len(data)
        try:
            if (sent := link.push(data)) < len(data):
                self._patience.sending.begin(self)
                try:
                    await link.send(data[sent:])
                finally:
                    self._patience.sending.end(self)
        except BROKEN as error:
            if self._expired or isinstance(error, TimeoutError):
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
            raise httpx.RemoteProtocolError(f"malformed: {answer.broken}")
        try:
            data = await connection.link.receive()
        except BROKEN as error:
            raise self._lost(error) from None
        if data:
            self._heard = True
            self._body += answer.feed(data)
        else:
            answer.end()
            if answer.broken:
                raise self._lost(answer.broken)
        self._complete = answer.complete
        if not self.status:
            self.status, self.headers, self.length = answer.status, answer.headers, answer.length

    def _lost(self, why: str | Exception) -> httpx.TransportError:
        assert self._connection
        if self._expired or isinstance(why, TimeoutError):
            return httpx.ReadTimeout("the provider says nothing")
        said = why if isinstance(why, str) else cause(why)
        if (self._connection.reused and not self._heard) or not self._sent or self._cut_off(why):
            return ConnectionLost(said)
        return httpx.RemoteProtocolError(said)

    def _cut_off(self, why: str | Exception) -> bool:
        """Whether a reset came while the provider's kernel may have held what its program had not read.

        That the last byte was taken here says little of a long request: most of it may still have been on the way.
        """
        return isinstance(why, ConnectionError) and not self._heard and unread(self._size, self._sent_at)


def unread(size: int, sent_at: float) -> bool:
    """Tell whether the end of a request of this size (bytes) may still be on its way, or in the kernel there."""
    return size > _UNREAD and trio.current_time() - sent_at < _IN_FLIGHT


def _framed(framing: response_parser.Sending, piece: bytes) -> bytes:
    try:
        return framing.frame(piece)
    except Malformed as error:
        raise httpx.LocalProtocolError(str(error)) from None


def _end(framing: response_parser.Sending) -> bytes:
    try:
        return framing.end()
    except Malformed as error:
        raise httpx.LocalProtocolError(str(error)) from None


def _head(method: str, target: bytes, headers: Headers) -> bytes:
    try:
        return response_parser.request_head(method, target, headers)
    except (Malformed, UnicodeEncodeError) as error:
        raise httpx.LocalProtocolError(str(error)) from None
