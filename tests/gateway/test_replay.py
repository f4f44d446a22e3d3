"""The copy of a body that may be sent again: what is kept, what is released, and what goes up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.errors import BadRequest, BodyTooLarge
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.replay import MOST_KEPT, BodyCopy
from aibridge_trio.http.message import BodyStalled
from aibridge_trio.upstream.exchange import Outgoing

OWNER = b"caller"


class Source(AsyncIterator[bytes]):
    """A body that arrives in these pieces."""

    def __init__(self, pieces: Iterable[bytes | type[Exception]]) -> None:
        self._pieces = iter(pieces)

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        piece = next(self._pieces, None)
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, bytes):
            return piece
        raise piece


def a_copy(
    pieces: Iterable[bytes | type[Exception]],
    memory: BufferMemory | None = None,
    length: int | None = None,
    max_body: int = 2 * MOST_KEPT,
) -> BodyCopy:
    """Return the copy of a request's body."""
    outgoing = Outgoing("POST", b"/", [], Source(pieces), length, chunked=length is None, max_body=max_body)
    return BodyCopy(outgoing, memory or BufferMemory(1 << 30), OWNER)


async def rest(body: BodyCopy) -> bytes:
    """Send the rest of a body up."""
    return b"".join([piece async for piece in body])


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=9), max_size=9),
    steps=st.lists(st.sampled_from(["next", "rewind", "read"]), max_size=12),
    drops=st.booleans(),
    memory=st.sampled_from([0, 200, 400, 10_000]),
)
def test_what_goes_up_last_is_the_whole_body(
    pieces: list[bytes], steps: list[str], drops: bool, memory: int
) -> None:
    """However it was read, sent in part and begun again, and whether memory sufficed; then all memory is free."""
    whole, budget = b"".join(pieces), BufferMemory(memory)

    async def main() -> None:
        body, sent = a_copy(pieces, budget), b""
        for step in steps:
            if step == "next":
                sent += await anext(body, b"")
            elif step == "read":
                await body.read_rest()
            elif body.kept:
                body.rewind()
                sent = b""
        if drops:
            body.drop()
        assert sent + await rest(body) == whole
        if drops or not body.kept:
            assert budget.used == 0
        body.close()
        assert budget.used == 0

    trio.run(main)


async def test_a_body_up_to_the_bound_is_kept() -> None:
    """Exactly MOST_KEPT bytes are, one more are not, and none is read ahead of an announced length above it."""
    half = b"x" * (MOST_KEPT // 2)
    for extra, kept in ((b"", True), (b"x", False)):
        memory = BufferMemory(1 << 30)
        body = a_copy([half, half, extra or half[:0]][: 3 if extra else 2], memory)
        assert await rest(body) == half + half + extra
        assert body.kept is kept
        assert bool(memory.used) is kept
        body.close()
    body = a_copy([half], length=MOST_KEPT + 1)
    assert not body.kept
    await body.read_rest()
    assert body.pieces() == ()


async def test_one_caller_leaves_memory_for_others() -> None:
    """A caller's copies take at most as much memory as they leave free."""
    memory = BufferMemory(4 * MOST_KEPT)
    copies = [a_copy([b"x" * MOST_KEPT], memory) for _ in range(4)]
    for each in copies:
        await each.read_rest()
    assert [each.kept for each in copies] == [True, False, False, False]
    for each in copies:
        each.close()
    assert memory.used == 0


async def test_a_body_beyond_max_body_is_not_read_ahead() -> None:
    """Reading ahead is bounded by --max-body."""
    body = a_copy([b"x" * 60, b"x" * 60], max_body=100)
    with pytest.raises(BodyTooLarge):
        await body.read_rest()
    body.close()


async def test_a_stalled_body_is_a_bad_request() -> None:
    """An upload that stops while it is read ahead is rejected."""
    body = a_copy([b"x", BodyStalled])
    with pytest.raises(BadRequest, match="stalled"):
        await body.read_rest()
    body.close()
