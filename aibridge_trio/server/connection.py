"""One connection of a caller: one task, which reads a request, lets it be served, and reads the next.

Nothing is read that nobody wants: not the next request before this one is answered, nor a body faster than it is
taken. That the caller has left is told meanwhile by the wire. Everything that the caller is waited for has a
deadline; writes have their own (`outlet`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from aibridge_trio.http.request_parser import Broken, End, Head, Piece, RequestParser
from aibridge_trio.http.response_writer import refusal
from aibridge_trio.net.deadline import Deadline
from aibridge_trio.net.stream import BROKEN, ServerStream
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
        wire: ServerStream,
        service: Service,
        *,
        flusher: Flusher,
        idleness: Deadline,
        heads: bounds.HeadBudget,
        report: Callable[[BaseException], None],
    ) -> None:
        self._wire = wire
        self._service = service
        self._idleness = idleness
        self._heads = heads
        self._report = report
        self._outlet = ResponseWriter(wire, flusher, spawn=self._spawn, fell=self._leave)
        self._requests = RequestParser()
        self._queue: deque[Exchange] = deque()  # small requests come several at once
        self._incoming: Exchange | None = None  # whose body is not all here
        self._served: Exchange | None = None
        self._farewell: Broken | None = None  # what to say at the end, in place of an answer
        self._stopping = self._leaving = False
        self._over = False  # nothing more is read
        self._draining = math.inf  # until when what still comes is thrown away
        self._thrown = 0
        self._patience = bounds.BODY_PATIENCE
        self._handling = trio.CancelScope()  # ends with the caller's leaving, for who attends
        self._opening = trio.CancelScope()
        self._is_open = False
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Serve it to its end."""
        try:
            with self._opening, suppress(*BROKEN):
                await self._wire.open()
                self._is_open = True
            if self._is_open:
                self._wire.on_end = self._leave
                if self._wire.left():  # before anybody listened
                    self._leave()
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    try:
                        await self._serve()
                    finally:
                        self._nursery = None
                    nursery.cancel_scope.cancel()
        finally:
            # What was cut off in the middle of an answer must be seen to be.
            cut = self._served or self._outlet.busy
            self._outlet.close()
            self._requests.close()
            if cut:
                self._wire.reset()
            self._wire.close()
            self._wire.on_end = None  # no cycle is left
            self._served = self._incoming = None
            self._queue.clear()

    def stop(self) -> None:
        """End it: at once if it is idle, else with the answer that is under way."""
        self._stopping = True
        if not self._is_open:
            self._opening.cancel()
        elif not self._served:
            self._handling.cancel()

    def say_goodbye(self) -> None:
        """Let the next answer that begins be the last, and say so; end nothing."""
        self._leaving = True

    def expire(self) -> None:
        """See that it was idle for too long; what may have come in this very moment is not begun."""
        self.stop()

    def look(self) -> None:
        """See whether the caller has left, where the wire does not tell by itself."""
        if self._served and self._wire.left():
            self._leave()

    def _spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        if self._nursery:
            self._nursery.start_soon(task)
        else:  # it is over, and nothing waits any more
            self._outlet.close()

    # Serving

    async def _serve(self) -> None:
        in_step = True
        with self._handling:
            while in_step and (exchange := await self._next()):
                self._served = exchange
                try:
                    await self._service(exchange, self._wire)
                except Exception as error:  # noqa: BLE001 - one request's failure is its connection's, and no one else's
                    self._report(error)
                in_step = await self._follow(exchange)
                self._served = None
        if self._served:
            in_step = await self._follow(self._served)
            self._served = None
        if self._farewell and in_step:
            self._outlet.keep(refusal(*self._farewell))
        await self._outlet.empty()
        # Closed with unread bytes, or before some that are on their way, TCP would take back what is on its way to
        # the caller (RFC 9112, 9.6). After its last request a caller closes at once, as a rule.
        if self._incoming:
            self._incoming.done = True  # as far as its body is concerned: nobody takes it
        unread = self._incoming or self._queue or self._requests.ahead or not self._wire.silent()
        if self._farewell or self._thrown or unread or (self._requests.over and not self._wire.secure):
            self._wire.finish()
            # From here on bytes are counted and dropped: requests behind an unread body would be kept for no one.
            self._requests.over = True
            self._queue.clear()
            await self._drain(lambda: False)

    async def _follow(self, exchange: Exchange) -> bool:
        """Do what is left behind an answer; tell whether the caller would understand another one."""
        framing = exchange.framing
        if framing is None:
            if exchange.caller_left and not self._farewell:
                return False
            self._queue.clear()
            self._farewell = self._farewell or Broken(_OURS, "the application did not answer")
            return True
        if not exchange.done:
            await self._outlet.empty()
            if exchange.head.version == "1.0":  # where a close is an end
                self._wire.reset()
            return False
        if framing.closes:
            return False
        return exchange.whole or await self._drain(lambda: exchange.whole)

    # Reading

    async def _next(self) -> Exchange | None:
        """Return the next request; None when none will come, or none is to be begun."""
        if self._requests.ahead and not self._queue:
            self._take(b"")
        if self._expects_more():
            self._idleness.begin(self)
            try:
                while self._expects_more() and not self._requests.begun:
                    await self._read()
            finally:
                self._idleness.end(self)
        if self._expects_more():
            await self._read_head()
        return self._queue.popleft() if self._queue and not (self._stopping or self._over) else None

    async def _read_head(self) -> None:
        """Read the rest of a head."""
        held = 0
        self._heads.begin(self._leave)
        try:
            with trio.move_on_after(bounds.HEAD_TIMEOUT) as scope:
                while self._expects_more():
                    size = self._requests.unfinished
                    if not self._heads.grow(held, size):
                        self._refuse(Broken(_TOO_LONG, "too many long heads are unfinished"))
                        break
                    held = size
                    await self._read()
            if scope.cancelled_caught:
                self._refuse(Broken(_TOO_SLOW, "its head came too slowly"))
        finally:
            self._heads.end(self._leave, held)

    def _expects_more(self) -> bool:
        return not (self._queue or self._over or self._farewell or self._stopping)

    async def _read_body(self) -> None:
        """Read once, for a body that is wanted."""
        if self._over or self._farewell:
            await trio.lowlevel.checkpoint()
            return
        began = trio.current_time()
        with trio.CancelScope(deadline=began + self._patience) as scope:
            await self._read()
        self._patience = min(bounds.BODY_PATIENCE, self._patience - (trio.current_time() - began))
        if scope.cancelled_caught:
            self._refuse(Broken(_TOO_SLOW, "its body came too slowly"))

    async def _drain(self, enough: Callable[[], bool]) -> bool:
        """Throw away what still comes until that is enough; tell whether it was, within the bounds."""
        self._draining = min(self._draining, trio.current_time() + bounds.DRAIN_SECONDS)
        with trio.CancelScope(deadline=self._draining):
            while not (self._over or self._thrown > bounds.DRAIN_BYTES or enough()):
                if self._requests.ahead and not self._requests.over:
                    self._take(b"")
                else:
                    await self._read()
        if enough():
            self._draining, self._thrown = math.inf, 0
        return enough()

    async def _read(self) -> None:
        """Read once."""
        try:
            data = await self._wire.receive()
        except BROKEN:
            data = b""
        if data:
            self._take(data)
        else:
            self._leave()

    def _take(self, data: bytes) -> None:
        """Take what was read."""
        requests, incoming = self._requests, self._incoming
        if incoming and not incoming.done:
            self._patience += len(data) / bounds.BODY_RATE
        if requests.over or (incoming and incoming.done):
            self._thrown += len(data)
        if requests.over:
            return
        for event in requests.feed(data):
            match event:
                case Piece():
                    assert self._incoming
                    self._incoming.take(event.data)
                case Head():
                    self._begin(event)
                case End():
                    assert self._incoming
                    self._incoming.end()
                    self._incoming = None
                case Broken():
                    self._refuse(event)

    def _begin(self, head: Head) -> None:
        exchange = Exchange(
            head,
            self._outlet,
            read=self._read_body,
            stopping=lambda: self._stopping or self._leaving,
            cancel=self._handling.cancel,
        )
        self._incoming = exchange
        self._queue.append(exchange)
        self._patience = bounds.BODY_PATIENCE

    def _refuse(self, broken: Broken) -> None:
        """Read no more requests; whose own is broken has left, as far as the application is concerned."""
        self._requests.over = True
        self._farewell = broken
        if incoming := self._incoming:
            incoming.leave()
            if incoming in self._queue:
                self._queue.remove(incoming)
                self._incoming = None

    def _leave(self) -> None:
        """See that the caller has gone, or takes no more."""
        self._over = True
        self._queue.clear()
        if self._served:
            self._served.leave()
        else:
            self._handling.cancel()
