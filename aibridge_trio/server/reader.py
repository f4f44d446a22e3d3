"""The reading half of a connection: bytes in, exchanges out, every wait bounded.

The reader reads on demand only: the next request once this one is answered, and a body no faster than the
application takes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import trio

from aibridge_trio.http.request_head import Head
from aibridge_trio.http.request_parser import Data, EndOfRequest, InvalidRequest, RequestParser
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.stream import CONNECTION_ERRORS, Interrupted, ServerStream
from aibridge_trio.server import connection_timeouts as timeouts
from aibridge_trio.server.exchange import Carrier, Exchange
from aibridge_trio.server.parking import Idle

_TIMEOUT, _TOO_LONG = 408, 431


class Owner(Carrier, Protocol):
    """The connection that a reader reads for."""

    def caller_left(self) -> None:
        """Handle a caller that has left, or that reads no more."""

    def idles(self) -> None:
        """Handle a wait for the next request that lasts."""


class RequestReader:
    """Reads the requests of one connection.

    `waiting` and `heads` are shared by all connections of a server: the timeout after which a connection counts as
    an idle one, and the memory budget for unfinished heads. The `owner` carries the exchanges; its methods are
    called when the caller has left, and when the connection idles.

    `idle` is how long it does; it ends with the next request. `parks`: the task may end, and another one begin
    when it can read something.

    `error` is the response to send, as the last one, when what the caller sent cannot be served. `discarded` is
    how many bytes have been read and thrown away since the last response.
    """

    def __init__(
        self,
        stream: ServerStream,
        owner: Owner,
        *,
        waiting: Deadline,
        heads: timeouts.HeadBudget,
    ) -> None:
        self.idle: Idle | None = None
        self._interrupted = False
        self.error: InvalidRequest | None = None
        self.discarded = 0
        self._stream = stream
        self._waiting = waiting
        self._heads = heads
        self._owner = owner
        self._parser = RequestParser()
        self._queue: list[Exchange] = []  # one read may hold several small requests
        self._incoming: Exchange | None = None  # its body is not complete
        self._stopping = False  # begin no request
        self._closed = False  # read nothing
        self._discard_until = math.inf
        self._body_time = timeouts.BODY_TIMEOUT

    async def next(self) -> Exchange | None:
        """Return the next request; None when the connection is to end."""
        parser, queue = self._parser, self._queue
        if parser.has_buffered and not queue:
            self._feed(b"")
        if not queue and self._expects_head():
            self._waiting.begin(self)
            try:  # each request begins here: few calls, few frames
                while not (queue or parser.head_begun or self._closed or self.error or self._stopping):
                    try:
                        data = await self._stream.receive()
                    except CONNECTION_ERRORS:
                        data = b""
                    if data:
                        self._feed(data)
                    else:
                        self._owner.caller_left()
            except Interrupted:
                self._interrupted = True
                return None
            finally:
                self._waiting.end(self)
            if self.idle:
                self.idle.end()
                self.idle = None
            if not queue and self._expects_head():
                await self._read_head()
        return queue.pop(0) if queue and not (self._stopping or self._closed) else None

    async def read_body(self) -> None:
        """Read once, for a body that the application waits for."""
        if self._closed or self.error:
            await trio.lowlevel.checkpoint()
            return
        began = trio.current_time()
        with trio.CancelScope(deadline=began + self._body_time) as scope:
            await self._read()
        self._body_time = min(timeouts.BODY_TIMEOUT, self._body_time - (trio.current_time() - began))
        if scope.cancelled_caught:
            self._reject(InvalidRequest(_TIMEOUT, "its body came too slowly"))

    async def discard(self, enough: Callable[[], bool]) -> bool:
        """Read and discard until `enough()`, within the bounds; return whether it was."""
        self._discard_until = min(self._discard_until, trio.current_time() + timeouts.DISCARD_SECONDS)
        with trio.CancelScope(deadline=self._discard_until):
            while not (self._closed or self.discarded > timeouts.DISCARD_BYTES or enough()):
                if self._parser.has_buffered and not self._parser.closed:
                    self._feed(b"")
                else:
                    await self._read()
        if enough():
            self._discard_until, self.discarded = math.inf, 0
        return enough()

    def settle(self) -> None:
        """Mark the request whose body is incomplete as answered: the rest of its body is discarded."""
        if self._incoming:
            self._incoming.responded = True

    @property
    def unread(self) -> bool:
        """Whether the caller has sent bytes that no response belongs to."""
        return bool(
            self._incoming or self._queue or self._parser.has_buffered or not self._stream.nothing_to_read()
        )

    @property
    def ended(self) -> bool:
        """Whether what follows on this connection cannot be a request."""
        return self._parser.closed

    def end(self, error: InvalidRequest | None = None) -> None:
        """Begin no more requests; what else comes is discarded. An earlier `error` takes precedence."""
        self._parser.closed = True
        self._queue.clear()
        self.error = self.error or error

    def stop(self) -> None:
        """Begin no more requests, because the server stops."""
        self._stopping = True

    def stop_reading(self) -> None:
        """Read nothing more: the caller has left."""
        self._closed = True
        self._queue.clear()

    def expire(self) -> None:
        """See Waiter: the connection idles."""
        self._owner.idles()

    @property
    def parks(self) -> bool:
        """Whether the connection idles, and has nothing for a task to do."""
        return self._interrupted and not (self._stopping or self._closed)

    def close(self) -> None:
        """Drop all references, because parser and callbacks would form cycles. Nothing can be read any more."""
        self._parser.close()
        self._queue.clear()
        self._incoming = None
        del self._owner

    async def _read_head(self) -> None:
        """Read the rest of a head."""
        counted = 0
        drop = self._owner.caller_left
        self._heads.begin(drop)
        try:
            with trio.move_on_after(timeouts.HEAD_TIMEOUT) as scope:
                while self._expects_head():
                    size = self._parser.unfinished_head
                    if not self._heads.grow(counted, size):
                        self._reject(InvalidRequest(_TOO_LONG, "too many long heads are unfinished"))
                        break
                    counted = size
                    await self._read()
            if scope.cancelled_caught:
                self._reject(InvalidRequest(_TIMEOUT, "its head came too slowly"))
        finally:
            self._heads.end(drop, counted)

    def _expects_head(self) -> bool:
        return not (self._queue or self._closed or self.error or self._stopping)

    async def _read(self) -> None:
        """Read once."""
        try:
            data = await self._stream.receive()
        except CONNECTION_ERRORS:
            data = b""
        if data:
            self._feed(data)
        else:
            self._owner.caller_left()

    def _feed(self, data: bytes) -> None:
        """Parse what was read, behind what the parser has buffered."""
        parser, incoming = self._parser, self._incoming
        if incoming and not incoming.responded:
            self._body_time += len(data) / timeouts.BODY_RATE
        if parser.closed or (incoming and incoming.responded):
            self.discarded += len(data)
        if parser.closed:
            return
        for event in parser.feed(data):
            match event:
                case Data():
                    assert incoming
                    incoming.add_data(event.data)
                case Head():
                    self._incoming = incoming = Exchange(event, self._owner)
                    self._queue.append(incoming)
                    self._body_time = timeouts.BODY_TIMEOUT
                case EndOfRequest():
                    assert incoming
                    incoming.received_all = True
                    self._incoming = incoming = None
                case InvalidRequest():
                    self._reject(event)

    def _reject(self, error: InvalidRequest) -> None:
        """Read no more requests. To the application, the caller of an invalid request has left."""
        self._parser.closed = True
        self.error = error
        if incoming := self._incoming:
            incoming.leave()
            if incoming in self._queue:
                self._queue.remove(incoming)
                self._incoming = None
