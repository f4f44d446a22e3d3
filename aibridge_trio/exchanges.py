"""One request on a connection and its answer, as an ASGI application sees them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import trio

from aibridge_trio.asgi import Message, Scope
from aibridge_trio.framing import CONTINUE, Framing, Misframed
from aibridge_trio.outlet import Outlet
from aibridge_trio.requests import Head

# What may be read of a body before the application asks for it, in bytes. Claude Code's first request (115 kB)
# fits, and behind it the caller's leaving is seen at once.
READ_AHEAD = 256 * 1024


class Exchange:
    """One request, fed by the reader of its connection, and its answer, which goes to the outlet.

    `resume` is called when there is room to read on; `stopping()` tells whether the connection is to end.
    """

    def __init__(
        self, head: Head, outlet: Outlet, *, resume: Callable[[], object], stopping: Callable[[], bool]
    ) -> None:
        self.head = head
        self.whole = False  # all of the request has come
        self.left = False  # the caller has gone, or is treated as gone
        self.done = False  # all of the answer is out
        self.framing: Framing | None = None
        self._outlet = outlet
        self._resume = resume
        self._stopping = stopping
        self._pieces: deque[bytes] = deque()
        self._buffered = 0
        self._received = 0
        self._told_end = False
        self._expects = head.expects
        self._kept = b""
        self._lot = trio.lowlevel.ParkingLot()
        self._leaving: list[Callable[[], object]] = []

    # The reader's side

    @property
    def has_room(self) -> bool:
        """Whether more of the body may be read."""
        return self._buffered < READ_AHEAD or self.done

    def take(self, piece: bytes) -> None:
        """Take a piece of the body; behind the answer nobody wants it."""
        self._received += len(piece)
        if not self.done:
            self._pieces.append(piece)
            self._buffered += len(piece)
            self._lot.unpark_all()

    def end(self) -> None:
        """See the end of the request."""
        self.whole = True
        self._lot.unpark_all()

    def leave(self) -> None:
        """Tell the application that its caller has gone."""
        if not self.left:
            self.left = True
            self._pieces.clear()
            self._lot.unpark_all()
            for call in self._leaving:
                call()

    # The application's side

    def tell(self, call: Callable[[], object]) -> None:
        """Call this when the caller has gone: for applications that do not wait in `receive()` all the time."""
        if self.left:
            call()
        self._leaving.append(call)

    def scope(self, wire: Any, state: dict[str, Any]) -> Scope:
        """What the application is called with."""
        head = self.head
        path, _, query = head.target.partition(b"?")
        text = path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"spec_version": "2.3", "version": "3.0"},
            "http_version": head.version,
            "method": head.method,
            "scheme": "https" if wire.secure else "http",
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": head.headers,
            "client": wire.peer,
            "server": wire.own,
            "state": state.copy(),
            "extensions": {"aibridge.reset": wire.reset, "aibridge.leaving": self.tell},
        }

    async def receive(self) -> Message:
        """Return the next part of the request, or say that the caller has gone."""
        while not (self.left or self.done):
            if self._pieces:
                piece = self._pieces.popleft()
                had_room = self.has_room
                self._buffered -= len(piece)
                if not had_room and self.has_room:
                    self._resume()
                self._told_end = self.whole and not self._pieces
                return {"type": "http.request", "body": piece, "more_body": not self._told_end}
            if self.whole and not self._told_end:
                self._told_end = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if self._expects and self.framing is None:
                self._expects = False
                self._outlet.hold(CONTINUE)
            await self._lot.park()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the answer. A caller that has gone is no error: `receive()` tells of it."""
        match message["type"]:
            case "http.response.start" if self.framing is None:
                await self._start(message)
            case "http.response.body" if self.framing is not None and not self.done:
                await self._body(self.framing, message)
            case _:
                raise Misframed("the messages of an answer are one start, bodies, and nothing behind the last")

    async def _start(self, message: Message) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        head = self.head
        closes = head.final or self._stopping() or self._too_much_to_come()
        framing = Framing(to_head=head.method == "HEAD", version=head.version, closes=closes)
        data = framing.begin(message["status"], list(message.get("headers", ())))
        self.framing = framing
        if framing.whole:
            self._kept = data
        else:
            self._outlet.hold(data)

    async def _body(self, framing: Framing, message: Message) -> None:
        data = framing.piece(message.get("body", b""))
        if message.get("more_body", False):
            # What would make the answer look complete waits for the application's word that it is.
            if framing.whole:
                self._kept += data
            elif data:
                await self._outlet.send(data)
            return
        await self._outlet.send(self._kept + data + framing.end(), last=True)
        self.done = True
        self._pieces.clear()
        self._buffered = 0
        self._lot.unpark_all()
        self._resume()

    def _too_much_to_come(self) -> bool:
        """Whether the rest of the body is certain to cost more than another connection."""
        if self.whole:
            return False
        length = self.head.length
        return self._expects or (length is not None and length - self._received > READ_AHEAD)
