"""One connection of a caller: a task that reads, a task that serves the requests in order.

The reader parses, feeds bodies, notices that the caller has left, and keeps the deadlines on everything that the
caller is waited for. Writes have their own (`outlet`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from aibridge_trio.exchanges import Exchange
from aibridge_trio.framing import refusal
from aibridge_trio.outlet import Flusher, Outlet
from aibridge_trio.requests import Broken, End, Head, Piece, Requests
from aibridge_trio.service import Service
from aibridge_trio.wire import BROKEN, Wire

# How long (seconds) a connection may idle: longer than the callers' pools keep it (httpx 5, undici 4), so that it
# is they who close, and no request meets a closing connection.
KEEP_ALIVE = 75.0
# From the first byte of a head to its last (seconds).
HEAD_TIMEOUT = 30.0
# A body must come: the patience with it (seconds) is used up while it is waited for, and what comes earns some
# anew. Longer than the minute after which applications here answer a silent upload by themselves.
BODY_PATIENCE = 75.0
_BODY_RATE = 500
# What still comes behind an early answer is read and thrown away, for so long (seconds) and so much (bytes: what
# the default --max-body would have let in): closed before, the caller might lose the answer.
DRAIN_SECONDS = 5.0
DRAIN_BYTES = 32 * 1024 * 1024
# While nothing is read, how often to look whether the caller has left all the same (seconds).
_LOOK = 0.5

_TOO_SLOW = 408
_OURS = 500


class Connection:
    """One connection. `report` is told what went wrong in the service; it ends this connection and no more."""

    def __init__(
        self, wire: Wire, service: Service, *, flusher: Flusher, report: Callable[[BaseException], None]
    ) -> None:
        self._wire = wire
        self._service = service
        self._report = report
        self._outlet = Outlet(wire, flusher, spawn=self._spawn, fell=self._leave)
        self._requests = Requests()
        self._queue: deque[Exchange] = deque()
        self._incoming: Exchange | None = None  # whose body is being read
        self._served: Exchange | None = None
        self._farewell: Broken | None = None  # what to say at the end, in place of an answer
        self._stopping = False
        self._over = False  # nothing more is read
        self._draining = math.inf  # until when what still comes is thrown away
        self._thrown = 0
        self._since = trio.current_time()  # when this idleness, this head, or the wait for a piece began
        self._patience = BODY_PATIENCE
        self._due = math.inf
        self._watch = trio.CancelScope()
        self._handling = trio.CancelScope()  # ends with the caller's leaving, for who attends
        self._opening = trio.CancelScope()
        self._is_open = False
        self._nursery: trio.Nursery | None = None
        self._room = trio.lowlevel.ParkingLot()  # where the reader waits to read on
        self._news = trio.lowlevel.ParkingLot()  # where the server waits for the reader

    async def run(self) -> None:
        """Serve it to its end."""
        try:
            with self._opening, suppress(*BROKEN):
                await self._wire.open()
                self._is_open = True
            if self._is_open:
                async with trio.open_nursery() as self._nursery:
                    self._nursery.start_soon(self._read)
                    await self._serve()
                    self._nursery.cancel_scope.cancel()
        finally:
            self._outlet.close()
            # What was cut off in the middle of an answer must be seen to be.
            if self._served:
                self._wire.reset()
            self._wire.close()

    def stop(self) -> None:
        """End it: at once if it is idle, else with the answer that is under way."""
        self._stopping = True
        if not self._is_open:
            self._opening.cancel()
        self._news.unpark_all()

    def _spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        assert self._nursery
        self._nursery.start_soon(task)

    # The task that serves

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
                self._since = trio.current_time()
                self._rearm()
                self._room.unpark_all()
        if self._served:
            in_step = await self._follow(self._served)
            self._served = None
        if self._farewell and in_step:
            self._outlet.keep(refusal(*self._farewell))
        await self._outlet.empty()
        # Closed with unread bytes, TCP would take back what is on its way to the caller.
        if self._farewell or self._thrown or self._incoming or self._queue or self._requests.ahead:
            self._wire.finish()
            await self._drain(lambda: False)

    async def _next(self) -> Exchange | None:
        """Return the next request; None when none will come, or none is to be begun."""
        while not (self._queue or self._over or self._farewell or self._stopping):
            await self._news.park()
        return self._queue.popleft() if self._queue and not self._stopping else None

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
            if framing.by_close:
                self._wire.reset()
            return False
        if framing.closes:
            return False
        return exchange.whole or await self._drain(lambda: exchange.whole)

    async def _drain(self, enough: Callable[[], bool]) -> bool:
        """Throw away what still comes until that is enough; tell whether it was, within the bounds."""
        self._draining = min(self._draining, trio.current_time() + DRAIN_SECONDS)
        self._rearm()
        self._room.unpark_all()
        while not (self._over or self._thrown > DRAIN_BYTES or enough()):
            await self._news.park()
        if enough():
            self._draining, self._thrown = math.inf, 0
        return enough()

    # The task that reads

    async def _read(self) -> None:
        """Read until the caller has gone, or is waited for no longer."""
        with suppress(*BROKEN):
            while not self._over:
                # A scope for each read would cost as much as the read. This one is moved only when it must end
                # sooner; where it ends too early, another begins.
                with trio.CancelScope(deadline=self._due) as self._watch:
                    await self._read_on()
                if trio.current_time() >= self._due:
                    self._expire()
        self._leave()

    async def _read_on(self) -> None:
        while not self._over:
            if not self._may_read():
                await self._look()
            elif self._requests.ahead:
                self._take(b"")
            else:
                self._rearm()
                if not (data := await self._wire.receive()):
                    self._leave()
                    return
                self._take(data)

    def _may_read(self) -> bool:
        if self._requests.over or (self._incoming and self._incoming.done):
            return self._thrown <= DRAIN_BYTES
        in_line = len(self._queue) + (self._served is not None)
        return in_line <= 1 and (self._incoming is None or self._incoming.has_room)

    async def _look(self) -> None:
        """Wait until more may be read; see meanwhile if the caller leaves behind what is unread."""
        self._due = math.inf
        with trio.move_on_after(_LOOK) as scope:
            await self._room.park()
        self._since = trio.current_time()
        if scope.cancelled_caught and self._wire.left():
            self._leave()

    def _take(self, data: bytes) -> None:
        """Take what was read."""
        requests, incoming, now = self._requests, self._incoming, trio.current_time()
        if incoming:
            self._patience = min(BODY_PATIENCE, self._patience + len(data) / _BODY_RATE - (now - self._since))
        if requests.over or (incoming and incoming.done):
            self._thrown += len(data)
        if not requests.over:
            begun = requests.begun
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
            if self._incoming or (requests.begun and not begun):
                self._since = now
        self._news.unpark_all()

    def _begin(self, head: Head) -> None:
        exchange = Exchange(
            head,
            self._outlet,
            resume=self._room.unpark_all,
            stopping=lambda: self._stopping,
            cancel=self._handling.cancel,
        )
        self._incoming = exchange
        self._queue.append(exchange)
        self._patience = BODY_PATIENCE

    def _refuse(self, broken: Broken) -> None:
        """Read no more requests; whose own is broken has left, as far as the application is concerned."""
        self._farewell = broken
        if incoming := self._incoming:
            incoming.leave()
            if incoming in self._queue:
                self._queue.remove(incoming)
                self._incoming = None

    def _leave(self) -> None:
        """See that the caller has gone, or that nobody waits for it any longer."""
        self._over = True
        self._queue.clear()
        if self._served:
            self._served.leave()
        self._news.unpark_all()
        self._room.unpark_all()

    # Deadlines

    def _rearm(self) -> None:
        """Set until when the caller is waited for."""
        incoming = self._incoming
        if self._draining < math.inf:
            due = self._draining
        elif self._farewell:
            due = math.inf
        elif incoming and not incoming.done:
            due = self._since + self._patience
        elif self._served or self._queue:
            due = math.inf
        else:
            due = self._since + (HEAD_TIMEOUT if self._requests.begun else KEEP_ALIVE)
        self._due = due
        if due < self._watch.deadline:  # noqa: PLR1730 - to set it costs more than to ask
            self._watch.deadline = due

    def _expire(self) -> None:
        """Wait no longer for the caller."""
        incoming = self._incoming
        if self._over or self._draining < math.inf or not (incoming or self._requests.begun):
            self._leave()
            return
        self._requests.over = True
        self._refuse(Broken(_TOO_SLOW, "its body came too slowly" if incoming else "its head came too slowly"))
        self._news.unpark_all()
