"""A socket that is read many times in a row leaves the poller, and returns to it with the next write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from aibridge_trio.net.poller import Poller
from aibridge_trio.net.stream import _STREAM_FROM, CONNECTION_ERRORS, TCPStream
from tests.net.test_stream import pair

MANY = _STREAM_FROM + 4


@asynccontextmanager
async def polled() -> AsyncIterator[tuple[trio.SocketStream, TCPStream, Poller]]:
    """Yield both ends of a connection, and the poller of the second."""
    near, far = pair()
    poller = Poller()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        stream = TCPStream(far, near.getsockname(), poller)
        async with trio.SocketStream(trio.socket.from_stdlib_socket(near)) as other:
            try:
                yield other, stream, poller
            finally:
                stream.close()
        nursery.cancel_scope.cancel()
    assert poller.statistics() == 0
    poller.close()


async def read_one(other: trio.SocketStream, stream: TCPStream, piece: bytes) -> None:
    """Read a piece that comes while the reader waits."""

    async def send() -> None:
        await trio.testing.wait_all_tasks_blocked()
        await other.send_all(piece)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        with trio.fail_after(10):
            assert await stream.receive() == piece


async def test_a_stream_leaves_the_poller_and_returns_with_a_write() -> None:
    """Nothing is lost on either way, not even what came in between; and it can leave again."""
    async with polled() as (other, stream, poller):
        for _ in range(3):
            for number in range(MANY):
                assert poller.statistics() == (number <= _STREAM_FROM)
                await read_one(other, stream, b"%d" % number)
            await other.send_all(b"early")
            stream.push(b"next")
            assert poller.statistics() == 1
            with trio.fail_after(10):
                assert await stream.receive() == b"early"
            assert await other.receive_some() == b"next"
            stream.push(b"")


async def test_a_write_while_it_is_read_alone_wakes_the_reader_as_before() -> None:
    """As during an upload that overlaps with the answer."""
    async with polled() as (other, stream, poller):
        for number in range(MANY):
            await read_one(other, stream, b"%d" % number)

        async def write() -> None:
            await trio.testing.wait_all_tasks_blocked()
            stream.push(b"more")
            assert poller.statistics() == 1
            assert await other.receive_some() == b"more"
            await other.send_all(b"answer")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            with trio.fail_after(10):
                assert await stream.receive() == b"answer"
        await read_one(other, stream, b"again")


async def test_a_stream_alone_ends_and_breaks_as_others_do() -> None:
    """With its end, and with its close while a task reads."""
    async with polled() as (other, stream, _):
        for number in range(MANY):
            await read_one(other, stream, b"%d" % number)
        with trio.move_on_after(0.05):
            await stream.receive()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_later, stream)
            with pytest.raises(CONNECTION_ERRORS), trio.fail_after(10):
                await stream.receive()
    async with polled() as (other, stream, _):
        for number in range(MANY):
            await read_one(other, stream, b"%d" % number)
        await other.send_eof()
        with trio.fail_after(10):
            assert await stream.receive() == b""


async def close_later(stream: TCPStream) -> None:
    await trio.testing.wait_all_tasks_blocked()
    stream.close()


async def test_a_caller_s_socket_stays() -> None:
    """The poller notices that it leaves."""
    async with polled() as (other, stream, poller):
        left: list[None] = []
        stream.on_peer_left = lambda: left.append(None)
        for number in range(MANY):
            await read_one(other, stream, b"%d" % number)
        assert poller.statistics() == 1
        await other.aclose()
        with trio.fail_after(10):
            while not left:
                await trio.sleep(0.01)
