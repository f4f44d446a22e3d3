"""Bodies that are read before they are sent, because the bridge needs members of them; their shared memory."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Hashable
from types import TracebackType
from typing import Self

import trio

from aibridge_trio.core.inspection.embedded_data import embedded
from aibridge_trio.core.inspection.json_members import MemberReader
from aibridge_trio.core.inspection.wanted_members import Value, Wanted
from aibridge_trio.errors import BadRequest, BodyTooLarge, BufferFull
from aibridge_trio.http import headers as h
from aibridge_trio.http.decompression import decompressor
from aibridge_trio.http.message import STALLED, BodyStalled
from aibridge_trio.upstream.exchange import Outgoing

# A body of up to this size (bytes) is parsed at once, in about a millisecond.
_SMALL = 32 * 1024
# Shorter pieces are joined to pieces of this size (bytes): each object has an overhead.
_PIECE = 16 * 1024


class BufferMemory:
    """Memory (bytes) for all buffered bodies, shared by their owners.

    An owner may hold at most as much as remains free: one owner alone at most half. Several owners leave less
    free, but always some of it (Choudhury and Hahne's dynamic thresholds).
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._held: dict[Hashable, int] = {}

    def reserve(self, owner: Hashable, size: int) -> None:
        """Reserve memory, or raise BufferFull."""
        if not self.try_reserve(owner, size):
            raise BufferFull

    def try_reserve(self, owner: Hashable, size: int) -> bool:
        """Reserve memory if the owner may have it; return whether it was reserved."""
        held = self._held.get(owner, 0) + size
        if held > self.limit - self.used - size:
            return False
        self.used += size
        self._held[owner] = held
        return True

    def release(self, owner: Hashable, size: int) -> None:
        """Release memory."""
        self.used -= size
        self._held[owner] -= size
        if not self._held[owner]:
            del self._held[owner]


class BufferedBody(AsyncIterator[bytes]):
    """A body in memory, to be iterated over once; leaving the context releases its memory.

    `found` has the wanted members. `fault` is why some may have been missed. `encoded`: the body has a content
    coding that is not decoded here. `size` is its length in bytes, decoded, and `embedded` about how many of
    these are data like images.
    """

    def __init__(self, memory: BufferMemory, owner: Hashable) -> None:
        self.found: dict[str, Value] = {}
        self.fault: str | None = None
        self.encoded = False
        self.size = 0
        self.embedded = 0
        self._memory = memory
        self._owner = owner
        self._pieces: deque[bytes] = deque()
        self._tail = bytearray()
        self._held = 0
        self._returned = 0  # the length of the piece that was returned last

    def append(self, piece: bytes, *, whole: bool = False) -> None:
        """Append a piece, which may be the whole body; raises BufferFull if there is no memory for it."""
        size = len(piece)
        if not self._memory.try_reserve(self._owner, size):
            raise BufferFull
        self._held += size
        if whole or (size >= _PIECE and not self._tail):
            self._add(piece)
            return
        self._tail += piece
        if len(self._tail) >= _PIECE:
            self.flush()

    def flush(self) -> None:
        """Make a piece of what has been joined so far."""
        if self._tail:
            self._add(bytes(self._tail))
            self._tail.clear()

    def _add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.embedded += embedded(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pieces.clear()
        self._tail.clear()
        if self._held:
            self._release(self._held)

    async def __anext__(self) -> bytes:
        if self._returned:
            self._release(self._returned)
            self._returned = 0
        if not self._pieces:
            raise StopAsyncIteration
        piece = self._pieces.popleft()
        self._returned = len(piece)
        return piece

    @property
    def model(self) -> str | None:
        """The requested model, None if the body names none.

        Raises BadRequest if parsing ended before a model was found: the provider's parser may be more tolerant,
        and find one.
        """
        if self.fault and not self.encoded and "model" not in self.found:
            raise BadRequest(f"the model cannot be read from the request body: {self.fault}")
        model = self.found.get("model")
        return model if isinstance(model, str) else None

    def pieces(self) -> tuple[bytes, ...]:
        """Return the pieces that are in memory."""
        return tuple(self._pieces)

    def joined(self) -> bytes:
        """Return the body that is in memory."""
        return b"".join(self._pieces)

    def _release(self, size: int) -> None:
        size = min(size, self._held)
        if size:
            self._held -= size
            self._memory.release(self._owner, size)


class BodyBuffer:
    """Buffers bodies and reads members of their top level, within `limit` bytes for all of them."""

    def __init__(self, limit: int, *wanted: str) -> None:
        self.memory = BufferMemory(limit)
        self._wanted = Wanted(*wanted)

    async def read(self, outgoing: Outgoing, owner: Hashable) -> BufferedBody:
        """Buffer a request's body, `max_body` bytes at most, and replace the body by the result.

        The result is a context manager that the caller must leave. Raises BodyTooLarge, BufferFull, and BadRequest
        if the rest of the body does not arrive in time.
        """
        buffered = BufferedBody(self.memory, owner)
        try:
            await self._fill(buffered, outgoing)
        except BodyStalled:
            buffered.__exit__(None, None, None)
            raise BadRequest(STALLED) from None
        except BaseException:
            buffered.__exit__(None, None, None)
            raise
        outgoing.body = buffered
        return buffered

    async def _fill(self, buffered: BufferedBody, outgoing: Outgoing) -> None:
        piece = await anext(outgoing.body, None) if outgoing.has_body else None
        if piece is not None and len(piece) == outgoing.length and self._read_at_once(buffered, piece, outgoing):
            return
        inspection = Inspection(self._wanted, outgoing.headers, outgoing.max_body)
        length = 0
        while piece is not None:
            length += len(piece)
            if length > outgoing.max_body:
                raise BodyTooLarge(outgoing.max_body)
            buffered.append(piece)
            if length > _SMALL:
                if not inspection.begun:
                    buffered.flush()
                    piece = buffered.joined()
                await inspection.feed(piece)
            piece = await anext(outgoing.body, None)
        buffered.flush()
        await inspection.end(b"" if inspection.begun else buffered.joined())
        buffered.found, buffered.fault, buffered.encoded = inspection.found, inspection.fault, inspection.encoded
        buffered.size = max(length, inspection.size)

    def _read_at_once(self, buffered: BufferedBody, body: bytes, outgoing: Outgoing) -> bool:
        """Read a small body that has come as one piece, as most do; return whether that was possible."""
        size = len(body)
        if size > _SMALL or size > outgoing.max_body or b"content-encoding" in dict(outgoing.headers):
            return False
        found = self._wanted.parse(body)
        if found is None:
            return False
        buffered.append(body, whole=True)
        buffered.found, buffered.size = found, size
        return True


class Inspection:
    """Reads the members of one body, decompressed if its coding is supported: `feed` each piece, then `end`."""

    def __init__(self, wanted: Wanted, headers: h.Headers, max_body: int) -> None:
        self.found: dict[str, Value] = {}
        self.fault: str | None = None
        self.begun = False
        self._wanted = wanted
        self._reader: MemberReader | None = None
        codings = [value.strip().lower() for name, value in headers if name == b"content-encoding"]
        codings = [coding for coding in codings if coding not in {b"", b"identity"}]
        self._decompressor = decompressor(codings[0]) if len(codings) == 1 else None
        self.encoded = bool(codings) and not self._decompressor
        self._most = self._left = max_body  # bytes after decompression

    @property
    def size(self) -> int:
        """How many bytes were read so far, after decompression."""
        return self._most - self._left

    async def feed(self, piece: bytes) -> None:
        """Read the next piece; other tasks run between steps."""
        self.begun = True
        if self.encoded or self.fault:
            return
        if self._reader is None:
            self._reader = MemberReader(self._wanted)
        try:
            for decompressed in self._decompressor.feed(piece) if self._decompressor else (piece,):
                self._left -= len(decompressed)
                for _ in self._reader.feed(decompressed):
                    await trio.lowlevel.checkpoint()
                if self._reader.done:
                    return
                if self._left < 0:
                    self.fault = "it unpacks to more than --max-body"
                    return
        except ValueError:
            self.fault = "it is not compressed as it says"

    async def end(self, rest: bytes) -> None:
        """Read the last piece, or all of a body."""
        if self.encoded:
            self.fault = "it is compressed in a way that is not read here"
            return
        if not self.begun and not self._decompressor and (parsed := self._wanted.parse(rest)) is not None:
            self.found = parsed
            return
        await self.feed(rest)
        if self._reader is None:
            return
        self._reader.close()
        self.found, self.fault = self._reader.found, self.fault or self._reader.fault
