"""A reply that can be kept alive while its request is held: comments of a stream first, then the answer.

Once a comment has been sent, the status is 200 and cannot change: a later reject, and an error of the provider,
goes to the caller as an error event.
"""

from __future__ import annotations

import math

import trio

from aibridge_trio.core.breaker.verdict import ERRORS_FROM
from aibridge_trio.core.inspection.wanted_members import Wanted
from aibridge_trio.gateway.buffering import Inspection
from aibridge_trio.gateway.replay import BodyCopy
from aibridge_trio.http import headers as h
from aibridge_trio.http.message import Reply, TransportedReply
from aibridge_trio.providers.dialects import error_event

_HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
_COMMENT = b": held\n\n"
# What is kept of an error that becomes an event (bytes).
_MOST_OF_ERROR = 64 * 1024
_WANTED = Wanted("stream")


class HeldStream(TransportedReply):
    """The reply of one request. `interval` is the time between comments in seconds, `due` that of the next one."""

    def __init__(self, reply: Reply, interval: float) -> None:
        super().__init__()
        self.interval = interval
        self.due = math.inf
        self._reply = reply
        self._asked: bool | None = None
        self._error: bytearray | None = None
        self._answer_status = 0

    @property
    def longest_write(self) -> float:
        """See Reply."""
        return self._reply.longest_write

    def add_defaults(self, headers: h.Headers) -> None:
        """See Reply."""
        self._reply.add_defaults(headers)

    def override(self, headers: h.Headers) -> None:
        """See Reply."""
        self._reply.override(headers)

    def add(self, header: tuple[bytes, bytes]) -> None:
        """See Reply."""
        self._reply.add(header)

    async def comment(self) -> None:
        """Send a comment, which begins the stream if it has not begun."""
        self.due = trio.current_time() + self.interval
        if not self._reply.started:
            await self._reply.start(200, _HEADERS, more=True)
        await self._reply.send(_COMMENT)

    async def wait(self, turn: trio.Event, headers: h.Headers, body: BodyCopy | None) -> None:
        """Wait for the turn of a held request; send comments meanwhile if its body asks for a stream."""
        if self._asked is None:
            self._asked = body is not None and await _asks_for_stream(headers, body)
        if not self._asked:
            return
        self.due = min(self.due, trio.current_time() + self.interval)
        while not turn.is_set():
            with trio.move_on_at(self.due):
                await turn.wait()
            if not turn.is_set():
                await self.comment()

    async def _start(self, status: int, headers: h.Headers, *, more: bool) -> None:
        if not self._reply.started:
            await self._reply.start(status, headers, more=more)
        elif status >= ERRORS_FROM or h.media_type(headers) != "text/event-stream" or not h.is_unencoded(headers):
            self._answer_status, self._error = status, bytearray()

    async def _send(self, piece: bytes) -> None:
        if self._error is None:
            await self._reply.send(piece)
        elif len(self._error) <= _MOST_OF_ERROR:
            self._error += piece

    async def _end(self) -> None:
        if self._error is not None:
            await self._reply.send(error_event(self._answer_status, bytes(self._error)))
        await self._reply.end()


async def _asks_for_stream(headers: h.Headers, body: BodyCopy) -> bool:
    inspection = Inspection(_WANTED, headers, body.max_body)
    for piece in body.pieces():
        await inspection.feed(piece)
    await inspection.end(b"")
    return inspection.found.get("stream") is True
