"""A request's body, read before it goes up for what has to be known of it; the memory that such bodies share."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from types import TracebackType
from typing import Self

import trio

from aibridge_trio.core.inspection.json_members import MemberReader
from aibridge_trio.core.inspection.wanted_members import Value, Wanted
from aibridge_trio.errors import BadRequest, BodyTooLarge, BufferFull
from aibridge_trio.http.decompression import decompressor
from aibridge_trio.http.message import BodyStalled
from aibridge_trio.upstream.exchange import Outgoing

# Up to here (bytes) a body is parsed as a whole, in about a millisecond.
_SMALL = 32 * 1024
# Shorter pieces are put together until they are that long (bytes): each object has an overhead of its own.
_PIECE = 16 * 1024


class Buffers:
    """Memory (bytes) for all bodies that are read ahead, shared by their owners.

    An owner may hold as much as is left free: alone at most half, so that one that uploads without end leaves the
    other half; several of them leave less, but always some (Choudhury and Hahne's dynamic thresholds).
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._held: Counter[Hashable] = Counter()

    def take(self, owner: Hashable, size: int) -> None:
        """Take memory, or raise BufferFull."""
        if self._held[owner] + size > self.limit - self.used - size:
            if not self._held[owner]:
                del self._held[owner]
            raise BufferFull
        self.used += size
        self._held[owner] += size

    def give(self, owner: Hashable, size: int) -> None:
        """Give memory back."""
        self.used -= size
        self._held[owner] -= size
        if not self._held[owner]:
            del self._held[owner]


class Ahead(AsyncIterator[bytes]):
    """A body that was read ahead, to be iterated over once; a context that gives its memory back.

    `found` are the members that were wanted, `fault` says why others may have been missed, `encoded` that the body
    is compressed in a way that is not read.
    """

    def __init__(self, buffers: Buffers, owner: Hashable) -> None:
        self.found: dict[str, Value] = {}
        self.fault: str | None = None
        self.encoded = False
        self._buffers = buffers
        self._owner = owner
        self._pieces: deque[bytes] = deque()
        self._tail = bytearray()
        self._held = 0
        self._given_out = 0  # the length of the piece that is on its way

    def keep(self, piece: bytes) -> None:
        """Add a piece; BufferFull if there is no memory for it."""
        self._buffers.take(self._owner, len(piece))
        self._held += len(piece)
        if len(piece) >= _PIECE and not self._tail:
            self._pieces.append(piece)
            return
        self._tail += piece
        if len(self._tail) >= _PIECE:
            self.whole()

    def whole(self) -> None:
        """See that no more comes for now."""
        if self._tail:
            self._pieces.append(bytes(self._tail))
            self._tail.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pieces.clear()
        self._tail.clear()
        self._give(self._held)

    async def __anext__(self) -> bytes:
        self._give(self._given_out)
        self._given_out = 0
        if not self._pieces:
            raise StopAsyncIteration
        piece = self._pieces.popleft()
        self._given_out = len(piece)
        return piece

    @property
    def model(self) -> str | None:
        """The model that is asked for, None where the body names none.

        BadRequest where the reading ended before it was found: another parser might go on, and find it.
        """
        if self.fault and not self.encoded and "model" not in self.found:
            raise BadRequest(f"the model cannot be read from the request body: {self.fault}")
        model = self.found.get("model")
        return model if isinstance(model, str) else None

    def kept(self) -> tuple[bytes, ...]:
        """Return the pieces of the body as they are now."""
        return tuple(self._pieces)

    def joined(self) -> bytes:
        """Return the body as it is now."""
        return b"".join(self._pieces)

    def _give(self, size: int) -> None:
        size = min(size, self._held)
        if size:
            self._held -= size
            self._buffers.give(self._owner, size)


class ReadAhead:
    """Reads bodies for the members of their top level, within one budget of memory."""

    def __init__(self, limit: int, *wanted: str) -> None:
        self.buffers = Buffers(limit)
        self._wanted = Wanted(*wanted)

    async def read(self, outgoing: Outgoing, owner: Hashable) -> Ahead:
        """Read all of a body, `max_body` bytes at most, and put what is returned in its place; it is to be left.

        Raises BodyTooLarge, BufferFull, and BadRequest when the rest of the body does not come.
        """
        ahead = Ahead(self.buffers, owner)
        try:
            await self._fill(ahead, outgoing)
        except BodyStalled:
            ahead.__exit__(None, None, None)
            raise BadRequest("request body stalled: its rest did not come in time") from None
        except BaseException:
            ahead.__exit__(None, None, None)
            raise
        outgoing.body = ahead
        return ahead

    async def _fill(self, ahead: Ahead, outgoing: Outgoing) -> None:
        look = _Look(self._wanted, outgoing)
        length = 0
        while outgoing.has_body and (piece := await anext(outgoing.body, None)) is not None:
            length += len(piece)
            if length > outgoing.max_body:
                raise BodyTooLarge(outgoing.max_body)
            ahead.keep(piece)
            if length <= _SMALL:
                continue
            if not look.begun:
                ahead.whole()
                piece = ahead.joined()
            await look.at(piece)
        ahead.whole()
        await look.end(b"" if look.begun else ahead.joined())
        ahead.found, ahead.fault, ahead.encoded = look.found, look.fault, look.encoded


class _Look:
    """One look at one body, unpacked where that is possible."""

    def __init__(self, wanted: Wanted, outgoing: Outgoing) -> None:
        self.found: dict[str, Value] = {}
        self.fault: str | None = None
        self.begun = False
        self._wanted = wanted
        self._reader = MemberReader(wanted)
        codings = [value.strip().lower() for name, value in outgoing.headers if name == b"content-encoding"]
        codings = [coding for coding in codings if coding not in {b"", b"identity"}]
        self._decompressor = decompressor(codings[0]) if len(codings) == 1 else None
        self.encoded = bool(codings) and not self._decompressor
        self._left = outgoing.max_body  # unpacked bytes

    async def at(self, piece: bytes) -> None:
        """Take the next piece; let others run between steps."""
        self.begun = True
        if self.encoded or self.fault:
            return
        try:
            for unpacked in self._decompressor.feed(piece) if self._decompressor else (piece,):
                self._left -= len(unpacked)
                for _ in self._reader.feed(unpacked):
                    await trio.lowlevel.checkpoint()
                if self._reader.done:
                    return
                if self._left < 0:
                    self.fault = "it unpacks to more than --max-body"
                    return
        except ValueError:
            self.fault = "it is not compressed as it says"

    async def end(self, rest: bytes) -> None:
        """Take the last piece, or all of a body."""
        if self.encoded:
            self.fault = "it is compressed in a way that is not read here"
            return
        if not self.begun and not self._decompressor and (parsed := self._wanted.parse(rest)) is not None:
            self.found = parsed
            return
        await self.at(rest)
        self._reader.close()
        self.found, self.fault = self._reader.found, self.fault or self._reader.fault
