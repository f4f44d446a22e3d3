"""One request on a connection and its answer: the connection feeds it as it is asked to, a service serves it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from aibridge_trio.http.headers import Headers
from aibridge_trio.http.message import UPLOAD_SILENCE, Body, BodyStalled
from aibridge_trio.http.request_parser import Head
from aibridge_trio.http.response_writer import CONTINUE, Misframed, ResponseFraming
from aibridge_trio.server.writer import ResponseWriter

# To read so much that nobody wants (bytes) is cheaper than another connection. Claude Code's first request
# (115 kB) is less.
_CHEAPER = 256 * 1024


class Exchange(Body):
    """One request: its head, its body as it comes, and its answer on the way to the outlet.

    `read` reads on, once, for a body that is wanted; `stopping()` tells whether the connection is to end; `cancel`
    ends whoever serves it and has said that it attends.
    """

    def __init__(
        self,
        head: Head,
        outlet: ResponseWriter,
        *,
        read: Callable[[], Awaitable[None]],
        stopping: Callable[[], bool],
        cancel: Callable[[], object],
    ) -> None:
        super().__init__()
        self.head = head
        self.whole = False  # all of the request has come
        self.done = False  # all of the answer is out
        self.framing: ResponseFraming | None = None
        self._outlet = outlet
        self._read = read
        self._stopping = stopping
        self._cancel = cancel
        self._pieces: deque[bytes] = deque()
        self._expects = head.expects
        self._attended = False
        self._ending = False
        self._kept = b""
        self._lot: trio.lowlevel.ParkingLot | None = None

    # The connection's side

    def take(self, piece: bytes) -> None:
        """Take a piece of the body; behind the answer nobody wants it."""
        self.received += len(piece)
        if not self.done:
            self._pieces.append(piece)

    def end(self) -> None:
        """See the end of the request."""
        self.whole = True

    def leave(self) -> None:
        """See that the caller has gone."""
        if not self.caller_left:
            self.caller_left = True
            self._pieces.clear()
            self._wake()
            # In the middle of the last write nothing is left to save.
            if self._attended and not self._ending:
                self._cancel()

    # The body

    async def __anext__(self) -> bytes:
        while (piece := self.pop()) is None:
            if self.whole:
                raise StopAsyncIteration
            now = trio.current_time()
            self._wait_begins(now)
            try:
                # fail_after() costs twice as much as its scope
                with trio.CancelScope(deadline=now + UPLOAD_SILENCE) as patience:
                    await self.news()
            finally:
                self._wait_ends(trio.current_time())
            if patience.cancelled_caught:
                raise BodyStalled
        return piece

    def pop(self) -> bytes | None:
        """Take the next piece, if it is there."""
        return self._pieces.popleft() if self._pieces else None

    @property
    def all_popped(self) -> bool:
        """Whether no piece is left, nor will come."""
        return self.whole and not self._pieces

    async def news(self) -> None:
        """Wait for a piece, the end, the caller's leaving, or the end of the answer."""
        if self._expects and self.framing is None:
            self._expects = False
            self._outlet.keep(CONTINUE)
            self._outlet.flush()
        if not (self.whole or self.caller_left or self.done):
            await self._read()
            return
        if self._lot is None:
            self._lot = trio.lowlevel.ParkingLot()
        await self._lot.park()

    # The answer

    def attend(self) -> None:
        """From now on, be cancelled when the caller leaves."""
        self._attended = True
        if self.caller_left:
            self._cancel()

    def start(self, status: int, headers: Headers) -> None:
        """Take the head; it goes out with what follows, or when it is flushed. Raises Misframed."""
        head = self.head
        closes = head.final or self._stopping() or self._too_much_to_come()
        framing = ResponseFraming(to_head=head.method == "HEAD", version=head.version, closes=closes)
        data = framing.begin(status, headers)
        self.framing = framing
        self._outlet.begin()
        if framing.whole:
            self._kept = data
        else:
            self._outlet.keep(data)

    @property
    def held_up(self) -> float:
        """See Reply.held_up."""
        return self._outlet.held_up

    def flush(self, *, soon: bool = False) -> None:
        """Send what goes without waiting, now or as `soon` as the running task waits; the rest goes by itself."""
        if soon:
            self._outlet.soon()
        else:
            self._outlet.flush()

    async def send(self, piece: bytes) -> None:
        """Send a piece. What makes the answer look complete waits for the word that it is. Raises Misframed."""
        framing = self._open()
        data = framing.piece(piece)
        if framing.whole:
            self._kept += data
        elif data:
            await self._outlet.send(data)

    async def finish(self, piece: bytes = b"") -> None:
        """End the answer, perhaps with a last piece. Raises Misframed."""
        framing = self._open()
        data = self._kept + framing.piece(piece) + framing.end()
        self._ending = True
        await self._outlet.send(data, last=True)
        self.done = True
        self._pieces.clear()
        self._wake()

    def _open(self) -> ResponseFraming:
        if self.framing is None or self.done:
            raise Misframed("the messages of an answer are one start, bodies, and nothing behind the last")
        return self.framing

    def _wake(self) -> None:
        if self._lot:
            self._lot.unpark_all()

    def _too_much_to_come(self) -> bool:
        """Whether the rest of the body is certain to cost more than another connection."""
        if self.whole:
            return False
        length = self.head.length
        return self._expects or (length is not None and length - self.received > _CHEAPER)
