"""The poller reports what there is to read, and the end, once each."""

from __future__ import annotations

import pytest
import trio

from tests.net.test_stream import Open, plain, seen

__all__ = ["plain"]


@pytest.mark.parametrize("size", [1, 65536, 65537, 150_000])
async def test_all_that_came_is_read_and_then_the_end(plain: Open, size: int) -> None:
    """Bytes and the end may be reported together, and there may be more bytes than one read takes."""
    async with plain() as (near, wire):
        near.setblocking(True)
        await trio.to_thread.run_sync(near.sendall, b"x" * size)
        near.close()
        if size < 100_000:  # else the end is behind bytes that the kernel cannot buffer
            await seen(wire)
        heard = b""
        with trio.fail_after(10):
            while piece := await wire.receive():
                heard += piece
            assert await wire.receive() == b""
        assert heard == b"x" * size


async def test_what_comes_later_is_reported_again(plain: Open) -> None:
    """A reader that waits, one that is given up, and one that comes late: each gets what there is."""
    async with plain() as (near, wire):
        for piece in (b"one", b"two"):
            with trio.move_on_after(0.05):
                await wire.receive()
            near.send(piece)
            await trio.sleep(0.05)
            with trio.fail_after(10):
                assert await wire.receive() == piece
