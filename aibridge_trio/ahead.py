"""A request's body, read before it goes up, for what has to be known of it: the model that it asks for."""

from __future__ import annotations

from collections import deque

from aibridge_trio.core import verdict
from aibridge_trio.core.model import ModelReader
from aibridge_trio.errors import BadRequest, BodyTooLarge
from aibridge_trio.message import BodyStalled
from aibridge_trio.upstream import Outgoing

# Up to here (bytes) a body is parsed as a whole, a tenth of the work; of a longer one the parse could take memory
# many times its length, and long, without letting others run.
_SMALL = 64 * 1024


class Pieces:
    """What was read, to be iterated over once."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = deque(pieces)

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.popleft()


async def read_ahead(outgoing: Outgoing) -> str | None:
    """Read the whole body, `max_body` bytes at most, and put it in place; return the model it asks for.

    Raises BodyTooLarge, and BadRequest when the rest of the body does not come.
    """
    pieces: list[bytes] = []
    reader: ModelReader | None = None
    length = 0
    try:
        while outgoing.has_body and (piece := await anext(outgoing.body, None)) is not None:
            length += len(piece)
            if length > outgoing.max_body:
                raise BodyTooLarge(outgoing.max_body)
            pieces.append(piece)
            if reader:
                reader.feed(piece)
            elif length > _SMALL:
                reader = ModelReader()
                for each in pieces:
                    reader.feed(each)
    except BodyStalled:
        raise BadRequest("request body stalled: its rest did not come in time") from None
    outgoing.body = Pieces(pieces)
    if reader:
        return reader.model
    model = verdict.parse(b"".join(pieces)).get("model")
    return model if isinstance(model, str) else None
