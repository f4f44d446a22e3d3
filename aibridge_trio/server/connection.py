"""One connection of a caller: one task, which reads a request, lets it be served, and reads the next.

Nothing is read that nobody wants: not the next request before this one is answered, nor a body faster than it is
taken. That the caller has left is told meanwhile by the stream. Everything that the caller is waited for has a
deadline; writes have their own (`writer`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from aibridge_trio.http.request_parser import Data, EndOfRequest, Head, InvalidRequest, RequestParser
from aibridge_trio.http.response_writer import error_response
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.stream import CONNECTION_ERRORS, ServerStream
from aibridge_trio.server import connection_bounds as bounds
from aibridge_trio.server.dispatch import Service
from aibridge_trio.server.exchange import Exchange
from aibridge_trio.server.writer import Flusher, ResponseWriter

_TOO_SLOW, _TOO_LONG = 408, 431
_OURS = 500


class Connection:
    """One connection. `report` is told what went wrong in the service; it ends this connection and no more.

    `idleness` and `heads` are what all connections of a server share: the deadline of those that idle, and the
    budget of unfinished heads.
    """

    def __init__(
        self,
        stream: ServerStream,
        service: Service,
        *,
        flusher: Flusher,
        idleness: Deadline,
        heads: bounds.HeadBudget,
        report: Callable[[BaseException], None],
    ) -> None:
        self._stream = stream
        self._service = service
        self._idleness = idleness
        self._heads = heads
        self._report = report
        self._writer = ResponseWriter(stream, flusher, spawn=self._spawn, on_closed=self._caller_left)
        self._parser = RequestParser()
        self._queue: deque[Exchange] = deque()  # small parser come several at once
        self._incoming: Exchange | None = None  # whose body is not all here
        self._current: Exchange | None = None
        self._error: InvalidRequest | None = None  # what to say at the end, in place of an answer
        self._stopping = self._close_after_response = False
        self._read_closed = False  # nothing more is read
        self._discard_until = math.inf  # until when what still comes is thrown away
        self._discarded = 0
        self._body_time = bounds.BODY_TIMEOUT
        self._serving = trio.CancelScope()  # ends with the caller's leaving, for who attends
        self._handshake = trio.CancelScope()
        self._is_open = False
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Serve it to its end."""
        try:
            with self._handshake, suppress(*CONNECTION_ERRORS):
                await self._stream.handshake()
                self._is_open = True
            if self._is_open:
                self._stream.on_peer_left = self._caller_left
                if self._stream.peer_left():  # before anybody listened
                    self._caller_left()
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    try:
                        await self._serve()
                    finally:
                        self._nursery = None
                    nursery.cancel_scope.cancel()
        finally:
            # What was cut off in the middle of an answer must be seen to be.
            cut = self._current or self._writer.busy
            self._writer.close()
            self._parser.close()
            if cut:
                self._stream.reset()
            self._stream.close()
            self._stream.on_peer_left = None  # no cycle is left
            self._current = self._incoming = None
            self._queue.clear()

    def stop(self) -> None:
        """EndOfRequest it: at once if it is idle, else with the answer that is under way."""
        self._stopping = True
        if not self._is_open:
            self._handshake.cancel()
        elif not self._current:
            self._serving.cancel()

    def close_after_response(self) -> None:
        """Let the next answer that begins be the last, and say so; end nothing."""
        self._close_after_response = True

    def expire(self) -> None:
        """See that it was idle for too long; what may have come in this very moment is not begun."""
        self.stop()

    def check_caller(self) -> None:
        """See whether the caller has left, where the stream does not tell by itself."""
        if self._current and self._stream.peer_left():
            self._caller_left()

    def _spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        if self._nursery:
            self._nursery.start_soon(task)
        else:  # it is over, and nothing waits any more
            self._writer.close()

    # Serving

    async def _serve(self) -> None:
        in_step = True
        with self._serving:
            while in_step and (exchange := await self._next()):
                self._current = exchange
                try:
                    await self._service(exchange, self._stream)
                except Exception as error:  # noqa: BLE001 - one request's failure is its connection's, and no one else's
                    self._report(error)
                in_step = await self._finish(exchange)
                self._current = None
        if self._current:
            in_step = await self._finish(self._current)
            self._current = None
        if self._error and in_step:
            self._writer.buffer(error_response(*self._error))
        await self._writer.drain()
        # Closed with unread bytes, or before some that are on their way, TCP would take back what is on its way to
        # the caller (RFC 9112, 9.6). After its last request a caller closes at once, as a rule.
        if self._incoming:
            self._incoming.responded = True  # as far as its body is concerned: nobody takes it
        unread = self._incoming or self._queue or self._parser.has_buffered or not self._stream.nothing_to_read()
        if self._error or self._discarded or unread or (self._parser.closed and not self._stream.secure):
            self._stream.send_eof()
            # From here on bytes are counted and dropped: parser behind an unread body would be kept for no one.
            self._parser.closed = True
            self._queue.clear()
            await self._discard(lambda: False)

    async def _finish(self, exchange: Exchange) -> bool:
        """Do what is left behind an answer; tell whether the caller would understand another one."""
        framing = exchange.framing
        if framing is None:
            if exchange.caller_left and not self._error:
                return False
            self._queue.clear()
            self._error = self._error or InvalidRequest(_OURS, "the application did not answer")
            return True
        if not exchange.responded:
            await self._writer.drain()
            if exchange.head.version == "1.0":  # where a close is an end
                self._stream.reset()
            return False
        if framing.closes:
            return False
        return exchange.received_all or await self._discard(lambda: exchange.received_all)

    # Reading

    async def _next(self) -> Exchange | None:
        """Return the next request; None when none will come, or none is to be begun."""
        if self._parser.has_buffered and not self._queue:
            self._feed(b"")
        if self._expects_more():
            self._idleness.begin(self)
            try:
                while self._expects_more() and not self._parser.head_begun:
                    await self._read()
            finally:
                self._idleness.end(self)
        if self._expects_more():
            await self._read_head()
        return self._queue.popleft() if self._queue and not (self._stopping or self._read_closed) else None

    async def _read_head(self) -> None:
        """Read the rest of a head."""
        held = 0
        self._heads.begin(self._caller_left)
        try:
            with trio.move_on_after(bounds.HEAD_TIMEOUT) as scope:
                while self._expects_more():
                    size = self._parser.unfinished_head
                    if not self._heads.grow(held, size):
                        self._reject(InvalidRequest(_TOO_LONG, "too many long heads are unfinished"))
                        break
                    held = size
                    await self._read()
            if scope.cancelled_caught:
                self._reject(InvalidRequest(_TOO_SLOW, "its head came too slowly"))
        finally:
            self._heads.end(self._caller_left, held)

    def _expects_more(self) -> bool:
        return not (self._queue or self._read_closed or self._error or self._stopping)

    async def _read_body(self) -> None:
        """Read once, for a body that is wanted."""
        if self._read_closed or self._error:
            await trio.lowlevel.checkpoint()
            return
        began = trio.current_time()
        with trio.CancelScope(deadline=began + self._body_time) as scope:
            await self._read()
        self._body_time = min(bounds.BODY_TIMEOUT, self._body_time - (trio.current_time() - began))
        if scope.cancelled_caught:
            self._reject(InvalidRequest(_TOO_SLOW, "its body came too slowly"))

    async def _discard(self, enough: Callable[[], bool]) -> bool:
        """Throw away what still comes until that is enough; tell whether it was, within the bounds."""
        self._discard_until = min(self._discard_until, trio.current_time() + bounds.DISCARD_SECONDS)
        with trio.CancelScope(deadline=self._discard_until):
            while not (self._read_closed or self._discarded > bounds.DISCARD_BYTES or enough()):
                if self._parser.has_buffered and not self._parser.closed:
                    self._feed(b"")
                else:
                    await self._read()
        if enough():
            self._discard_until, self._discarded = math.inf, 0
        return enough()

    async def _read(self) -> None:
        """Read once."""
        try:
            data = await self._stream.receive()
        except CONNECTION_ERRORS:
            data = b""
        if data:
            self._feed(data)
        else:
            self._caller_left()

    def _feed(self, data: bytes) -> None:
        """Take what was read."""
        parser, incoming = self._parser, self._incoming
        if incoming and not incoming.responded:
            self._body_time += len(data) / bounds.BODY_RATE
        if parser.closed or (incoming and incoming.responded):
            self._discarded += len(data)
        if parser.closed:
            return
        for event in parser.feed(data):
            match event:
                case Data():
                    assert self._incoming
                    self._incoming.add_data(event.data)
                case Head():
                    self._begin(event)
                case EndOfRequest():
                    assert self._incoming
                    self._incoming.end_data()
                    self._incoming = None
                case InvalidRequest():
                    self._reject(event)

    def _begin(self, head: Head) -> None:
        exchange = Exchange(
            head,
            self._writer,
            read=self._read_body,
            stopping=lambda: self._stopping or self._close_after_response,
            cancel=self._serving.cancel,
        )
        self._incoming = exchange
        self._queue.append(exchange)
        self._body_time = bounds.BODY_TIMEOUT

    def _reject(self, broken: InvalidRequest) -> None:
        """Read no more parser; whose own is broken has left, as far as the application is concerned."""
        self._parser.closed = True
        self._error = broken
        if incoming := self._incoming:
            incoming.leave()
            if incoming in self._queue:
                self._queue.remove(incoming)
                self._incoming = None

    def _caller_left(self) -> None:
        """See that the caller has gone, or takes no more."""
        self._read_closed = True
        self._queue.clear()
        if self._current:
            self._current.leave()
        else:
            self._serving.cancel()
