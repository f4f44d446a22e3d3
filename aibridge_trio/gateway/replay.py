"""The body of a request that may have to be sent again: a copy of it, kept in bounds until its answer begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable

from aibridge_trio.errors import BadRequest, BodyTooLarge
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.http.message import STALLED, BodyStalled
from aibridge_trio.upstream.exchange import Outgoing

# The longest body that is kept (bytes): prompts of a million tokens are below it, uploads of many images are not.
MOST_KEPT = 4 * 1024 * 1024
# What an object costs besides its bytes: a caller may send its body in pieces of one byte.
_OVERHEAD = 64


class BodyCopy(AsyncIterator[bytes]):
    """A request's body on its way up, and a copy of what has been read of it so far.

    `kept`: the copy is complete up to here, so the body can be sent again from its beginning. It is not if the
    body has more than MOST_KEPT bytes, if there is no memory for it, or after `drop`; the body then goes on
    without one.
    """

    __slots__ = (
        "_complete",
        "_held",
        "_length",
        "_memory",
        "_next",
        "_owner",
        "_pieces",
        "_size",
        "_source",
        "kept",
        "max_body",
    )

    def __init__(self, outgoing: Outgoing, memory: BufferMemory, owner: Hashable) -> None:
        self.kept = outgoing.length is None or outgoing.length <= MOST_KEPT
        self._length = outgoing.length
        self._source = outgoing.body
        self.max_body = outgoing.max_body
        self._memory = memory
        self._owner = owner
        self._pieces: list[bytes] = []
        self._next = 0  # the piece that goes up next
        self._size = 0  # bytes that were read
        self._held = 0  # bytes of memory
        self._complete = False

    async def __anext__(self) -> bytes:
        if self._next < len(self._pieces):
            return self._kept_piece()
        if self._complete or self._size == self._length:
            raise StopAsyncIteration
        try:
            piece = await self._source.__anext__()
        except StopAsyncIteration:
            self._complete = True
            raise
        if not self.kept:
            self._size += len(piece)
        elif self._keep(piece):
            self._next += 1
        return piece

    async def read_rest(self) -> None:
        """Read what has not been read yet into the copy, as far as it is kept.

        Raises BodyTooLarge, and BadRequest if the rest does not arrive in time.
        """
        try:
            while self.kept and not self._complete:
                piece = await anext(self._source, None)
                if piece is None:
                    self._complete = True
                    return
                if self._size + len(piece) > self.max_body:
                    raise BodyTooLarge(self.max_body)
                if not self._keep(piece):
                    self._pieces.append(piece)  # one piece beyond the bound: it goes up with the others
        except BodyStalled:
            raise BadRequest(STALLED) from None

    def pieces(self) -> tuple[bytes, ...]:
        """Return what is kept."""
        return tuple(self._pieces)

    def rewind(self) -> None:
        """Begin again: the next piece is the first one."""
        assert self.kept
        self._next = 0

    def drop(self) -> None:
        """Keep nothing more: what has gone up is released, the rest when it goes up."""
        if not self.kept:
            return
        self.kept = False
        if self._next == len(self._pieces):
            self.close()
            return
        rest = self._pieces[self._next :]
        self._pieces, self._next = rest, 0
        self._release(self._held - sum(len(piece) + _OVERHEAD for piece in rest))

    def close(self) -> None:
        """Keep nothing, and release all memory."""
        self.kept = False
        if self._held:
            self._pieces, self._next = [], 0
            self._release(self._held)

    def _kept_piece(self) -> bytes:
        piece = self._pieces[self._next]
        if not self.kept:
            self._pieces[self._next] = b""
            self._release(min(self._held, len(piece) + _OVERHEAD))
        self._next += 1
        return piece

    def _keep(self, piece: bytes) -> bool:
        """Keep a piece; return whether the copy is still kept."""
        size = len(piece) + _OVERHEAD
        self._size += len(piece)
        if self._size > MOST_KEPT or not self._memory.try_reserve(self._owner, size):
            self.drop()
            return False
        self._held += size
        self._pieces.append(piece)
        return True

    def _release(self, size: int) -> None:
        if size:
            self._held -= size
            self._memory.release(self._owner, size)
