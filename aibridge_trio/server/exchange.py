"""One request on a connection and its response: the connection feeds it on demand, a service responds."""

from __future__ import annotations

from typing import Protocol

import trio

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import UPLOAD_SILENCE, Body, BodyStalled, Reply
from aibridge_trio.http.request_head import Head
from aibridge_trio.http.response_writer import CONTINUE, WHOLE, FramingError, ResponseFraming, whole_response
from aibridge_trio.server.dates import DATE
from aibridge_trio.server.writer import ResponseWriter

# Discarding up to this much of an unread body (bytes) costs less than a new connection. Claude Code's first
# request (115 kB) is below.
_DISCARD_AT_MOST = 256 * 1024
_OUT_OF_ORDER = "a response is one start, then bodies, and nothing after the last of them"


class Carrier(Protocol):
    """The connection that carries an exchange. `last`: the next response that begins is the last one."""

    writer: ResponseWriter
    last: bool

    async def read_body(self) -> None:
        """Read once, for more of the body."""

    def cancel(self) -> None:
        """Cancel the service."""


class Exchange(Body, Reply):
    """One request and its response: its head, its body as it arrives, and the reply on its way to the writer.

    It is the Reply that our own handlers get. ASGI applications use `begin`, `send` and `finish`.
    """

    received_all = False  # the request is complete
    responded = False  # the response is complete
    framing: ResponseFraming | None = None
    _cancels_on_leave = False
    _ending = False
    _withheld = b""
    _lot: trio.lowlevel.ParkingLot | None = None

    def __init__(self, head: Head, carrier: Carrier) -> None:
        self.head = head
        self._carrier = carrier
        self._writer = carrier.writer
        self._pieces: list[bytes] = []  # few: one read at a time
        self._expects_continue = head.expects_continue

    # The connection's side

    def add_data(self, piece: bytes) -> None:
        """Add a piece of the body; after the response it is discarded."""
        self.received += len(piece)
        if not self.responded:
            self._pieces.append(piece)

    def leave(self) -> None:
        """Mark the caller as gone; cancel the service if it has asked for that."""
        if not self.caller_left:
            self.caller_left = True
            self._pieces.clear()
            self._wake()
            # During the last write there is no work left to save.
            if self._cancels_on_leave and not self._ending:
                self._carrier.cancel()

    # The body

    async def __anext__(self) -> bytes:
        while (piece := self.pop_data()) is None:
            if self.received_all:
                raise StopAsyncIteration
            now = trio.current_time()
            self._begin_wait(now)
            try:
                # fail_after() costs twice as much as its scope
                with trio.CancelScope(deadline=now + UPLOAD_SILENCE) as timeout:
                    await self.wait_for_progress()
            finally:
                self._end_wait(trio.current_time())
            if timeout.cancelled_caught:
                raise BodyStalled
        return piece

    def pop_data(self) -> bytes | None:
        """Return the next piece that has arrived, None without one."""
        return self._pieces.pop(0) if self._pieces else None

    @property
    def body_consumed(self) -> bool:
        """Whether the whole body has been taken."""
        return self.received_all and not self._pieces

    async def wait_for_progress(self) -> None:
        """Wait for a piece, the end of the request, the caller's leaving, or the end of the response."""
        if self._expects_continue and self.framing is None:
            self._expects_continue = False
            self._writer.buffer(CONTINUE)
            self._writer.flush()
        if not (self.received_all or self.caller_left or self.responded):
            await self._carrier.read_body()
            return
        if self._lot is None:
            self._lot = trio.lowlevel.ParkingLot()
        await self._lot.park()

    # The response

    def cancel_on_leave(self) -> None:
        """Have the service cancelled when the caller leaves, from now on."""
        self._cancels_on_leave = True
        if self.caller_left:
            self._carrier.cancel()

    async def start(self, status: int, headers: Headers, *, more: bool = False) -> None:
        """See Reply. Raises FramingError."""
        self.status = status
        self.begin(status, self._whole_head(headers))
        if not more:
            self._writer.flush()

    def date(self) -> bytes:
        """See Reply."""
        return DATE.value()

    async def end(self) -> None:
        """See Reply. Raises FramingError."""
        self.ended = True
        await self.finish()

    async def write_lines(self, status: int, lines: bytes, body: bytes) -> None:
        """See Reply. The response goes out as a whole, with its end."""
        head = self.head
        plain = self._overrides or self._added or b"connection: " in lines
        if plain or head.method == "HEAD" or head.version != "1.1" or self.framing is not None:
            await super().write_lines(status, lines, body)
            return
        lines = b"%bdate: %b\r\ncontent-length: %d\r\n" % (lines, DATE.value(), len(body))
        for default in self._defaults:  # ours, with values that break no line
            for name, value in default:
                lines += b"%b: %b\r\n" % (name, value)
        closes = head.closes or self._carrier.last or (not self.received_all and self._closing_is_cheaper())
        self.status, self.sent, self.framing = status, len(body), WHOLE[closes]
        self._withheld = whole_response(status, lines, body, closes=closes)

    def begin(self, status: int, headers: Headers) -> None:
        """Buffer the head; it is sent with what follows, or when it is flushed. Raises FramingError."""
        head = self.head
        closes = head.closes or self._carrier.last or (not self.received_all and self._closing_is_cheaper())
        framing = ResponseFraming(to_head=head.method == "HEAD", version=head.version, closes=closes)
        data = framing.head(status, headers)
        self.framing = framing
        self._writer.begin()
        if framing.complete:
            self._withheld = data
        else:
            self._writer.buffer(data)

    @property
    def longest_write(self) -> float:
        """See Reply."""
        return self._writer.longest_write

    def flush_soon(self) -> None:
        """Write as soon as the running task waits; another task sends what cannot be sent without waiting."""
        self._writer.flush_soon()

    async def send(self, piece: bytes) -> None:
        """See Reply. What makes the response look complete is withheld until `finish`. Raises FramingError."""
        framing = self.framing
        if framing is None or self.responded:
            raise FramingError(_OUT_OF_ORDER)
        self.sent += len(piece)
        data = framing.frame(piece)
        if framing.complete:
            self._withheld += data
        elif data:
            await self._writer.send(data)

    async def finish(self, piece: bytes = b"") -> None:
        """End the response, optionally with a last piece. Raises FramingError."""
        framing = self.framing
        if framing is None or self.responded:
            raise FramingError(_OUT_OF_ORDER)
        data = self._withheld
        if piece or not framing.complete:
            data += framing.frame(piece) + framing.end()
        self._ending = True
        if not self._writer.send_last(data):
            await self._writer.send(data, last=True)
        self.responded = True
        self._pieces = []
        if self._lot:
            self._lot.unpark_all()

    def _wake(self) -> None:
        if self._lot:
            self._lot.unpark_all()

    def _closing_is_cheaper(self) -> bool:
        """Whether reading the rest of the body would cost more than a new connection."""
        length = self.head.length
        return self._expects_continue or (length is not None and length - self.received > _DISCARD_AT_MOST)
