"""One connection of a caller: one task that takes a request, has it served, and takes the next.

While a request is served, the stream reports a caller that leaves. Every wait for the caller has a deadline: reads
in `reader`, writes in `writer`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import trio

from aibridge_trio.http.request_parser import InvalidRequest
from aibridge_trio.http.response_writer import error_response
from aibridge_trio.net.stream import CONNECTION_ERRORS, ServerStream
from aibridge_trio.server.connection_timeouts import HeadBudget
from aibridge_trio.server.dispatch import Service
from aibridge_trio.server.exchange import Exchange
from aibridge_trio.server.parking import Idle, Parking
from aibridge_trio.server.reader import RequestReader
from aibridge_trio.server.writer import Flusher, ResponseWriter

_INTERNAL_ERROR = 500


class Connection:
    """One connection. `report` gets the service's exceptions, each of which ends this connection and no other.

    `parking` and `heads` are shared by all connections of a server: those that idle, and the memory budget for
    unfinished heads. A connection that has been parked comes with its `idle` time. `run` returns also when one may
    be `parked`; then its stream is still open.
    """

    def __init__(
        self,
        stream: ServerStream,
        service: Service,
        *,
        flusher: Flusher,
        parking: Parking,
        heads: HeadBudget,
        report: Callable[[BaseException], None],
        idle: Idle | None = None,
    ) -> None:
        self._stream = stream
        self._service = service
        self._report = report
        self.writer = ResponseWriter(stream, flusher, spawn=flusher.spawn, on_closed=self.caller_left)
        self._parking = parking
        self._reader = RequestReader(stream, self, waiting=parking.waiting, heads=heads)
        self._reader.idle = idle
        self.parked: Idle | None = None
        self._current: Exchange | None = None
        self.last = False
        self._serving = trio.CancelScope()
        self._is_open = idle is not None
        self._in_step = True  # the caller can tell which request the next response belongs to

    async def run(self) -> None:
        """Serve the connection until it ends."""
        try:
            with self._serving:
                if not self._is_open:
                    with suppress(*CONNECTION_ERRORS):
                        await self._stream.handshake()
                        self._is_open = True
                if self._is_open:
                    self._stream.on_peer_left = self.caller_left
                    if self._stream.peer_left():  # before the callback was set
                        self.caller_left()
                    await self._serve()
            if self._reader.parks:
                self.parked = self._reader.idle
            elif self._is_open:
                await self._end()
        finally:
            # A response that was cut off must not look complete.
            cut = self._current or self.writer.busy
            self.writer.close()
            self._reader.close()
            if not self.parked:
                if cut:
                    self._stream.reset()
                self._stream.close()
                if self._reader.idle:
                    self._reader.idle.end()
                    self._reader.idle.connection = None
            self._stream.on_peer_left = None  # no cycle is left
            self._current = None

    def stop(self) -> None:
        """End the connection: at once if it is idle, else after the response that is being sent."""
        self.last = True
        self._reader.stop()
        if not self._current:
            self._serving.cancel()

    def close_after_response(self) -> None:
        """Make the next response that begins the last one, with `Connection: close`; end nothing now."""
        self.last = True

    def idles(self) -> None:
        """Handle a wait for the next request that lasts: nothing is left for the task to do, unless it writes."""
        self._reader.idle = self._reader.idle or self._parking.begin(self, self._stream)
        if not self.writer.busy:
            self._stream.interrupt()

    def check_caller(self) -> None:
        """Ask whether the caller has left, where the stream does not report it by itself."""
        if self._current and self._stream.peer_left():
            self.caller_left()

    async def read_body(self) -> None:
        """See Carrier."""
        await self._reader.read_body()

    def cancel(self) -> None:
        """See Carrier."""
        self._serving.cancel()

    async def _serve(self) -> None:
        reader, service, stream = self._reader, self._service, self._stream
        while self._in_step and (exchange := await reader.next()):
            self._current = exchange
            try:
                await service(exchange, stream)
            except Exception as error:  # noqa: BLE001 - a failure ends its own connection, and no other
                self._report(error)
            framing = exchange.framing
            if not (framing and exchange.responded and exchange.received_all) or framing.closes:
                self._in_step = await self._finish(exchange)
            self._current = None
            del exchange  # the next request may be far away

    async def _end(self) -> None:
        """Send what is left to be sent, and see that the caller gets it."""
        reader = self._reader
        if self._current:
            self._in_step = await self._finish(self._current)
            self._current = None
        if reader.error and self._in_step:
            self.writer.buffer(error_response(*reader.error))
        await self.writer.drain()
        # Closing a socket with unread bytes, or before bytes that are on their way, makes TCP reset the
        # connection, and the caller may lose the response (RFC 9112, 9.6). Most callers close by themselves after
        # a last request.
        reader.settle()
        if reader.error or reader.discarded or reader.unread or (reader.ended and not self._stream.secure):
            self._stream.send_eof()
            reader.end()
            await reader.discard(lambda: False)

    async def _finish(self, exchange: Exchange) -> bool:
        """Clean up behind a response; return whether the connection can carry another one."""
        framing = exchange.framing
        if framing is None:
            if exchange.caller_left and not self._reader.error:
                return False
            self._reader.end(InvalidRequest(_INTERNAL_ERROR, "the application did not answer"))
            return True
        if not exchange.responded:
            await self.writer.drain()
            if exchange.head.version == "1.0":  # there a clean close would be the end of the response
                self._stream.reset()
            return False
        if framing.closes:
            return False
        return exchange.received_all or await self._reader.discard(lambda: exchange.received_all)

    def caller_left(self) -> None:
        """Handle a caller that has left, or that reads no more."""
        self._reader.stop_reading()
        if self._current:
            self._current.leave()
        else:
            self._serving.cancel()
