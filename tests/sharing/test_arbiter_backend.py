"""A worker's way to the arbiter."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio

from aibridge_trio.sharing.arbiter_backend import ArbiterBackend
from aibridge_trio.sharing.backend import Backend, StoreError
from aibridge_trio.sharing.entrance import accept, new_entrance
from aibridge_trio.sharing.frames import FrameStream, frame

PATIENT = 20.0


@pytest.fixture
def entrance() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of an entrance."""
    ours, theirs = new_entrance()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def arbiter(entrance: tuple[socket.socket, socket.socket]) -> socket.socket:
    """The arbiter's end."""
    return entrance[0]


@pytest.fixture
async def backend(entrance: tuple[socket.socket, socket.socket], nursery: trio.Nursery) -> ArbiterBackend:
    """A backend that runs."""
    backend = ArbiterBackend(entrance[1])
    await nursery.start(backend.run)
    return backend


async def fails(backend: Backend) -> None:
    """Execute a batch that fails."""
    with pytest.raises(StoreError), trio.fail_after(PATIENT):
        await backend.execute(b"x")


async def ends(stream: FrameStream) -> None:
    """Wait until the other end closes the connection."""
    with trio.fail_after(PATIENT), suppress(ConnectionResetError):
        while True:
            await stream.receive()
    stream.close()


async def accepted(arbiter: socket.socket) -> FrameStream:
    """The other end of a connection."""
    with trio.fail_after(PATIENT):
        await trio.lowlevel.wait_readable(arbiter)
    connection = accept(arbiter)
    assert connection
    return FrameStream(connection)


async def test_without_a_supervisor_it_fails(backend: ArbiterBackend, arbiter: socket.socket) -> None:
    """So does listening."""
    arbiter.close()
    await fails(backend)
    with pytest.raises(StoreError):
        await backend.listen(lambda: None)


async def test_a_connection_that_ends_fails_all_and_the_next_call_connects(
    backend: ArbiterBackend, arbiter: socket.socket, nursery: trio.Nursery
) -> None:
    """Replies come in order."""
    async with trio.open_nursery() as several:
        several.start_soon(fails, backend)
        several.start_soon(fails, backend)
        other = await accepted(arbiter)
        await other.receive()
        other.close()
    found: list[bytes] = []

    async def execute(batch: bytes) -> None:
        found.append(await backend.execute(batch))

    async with trio.open_nursery() as several:
        several.start_soon(execute, b"a")
        other = await accepted(arbiter)
        assert await other.receive() == [b"a"]
        other.send(frame(b"1"))
    assert found == [b"1"]
    other.close()


async def test_a_cancelled_call_drops_the_connection(backend: ArbiterBackend, arbiter: socket.socket) -> None:
    """Else its late reply were another's."""
    async with trio.open_nursery() as several:
        several.start_soon(fails, backend)
        other = await accepted(arbiter)
        with trio.move_on_after(0.05):
            await backend.execute(b"late")
    await ends(other)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", frame(b"1") * 2])
async def test_what_was_not_asked_for_ends_the_connection(
    backend: ArbiterBackend, arbiter: socket.socket, garbage: bytes
) -> None:
    """A frame that is too long, or one too many."""

    async def execute() -> None:
        with suppress(StoreError):
            await backend.execute(b"x")

    async with trio.open_nursery() as several:
        several.start_soon(execute)
        other = await accepted(arbiter)
        await other.receive()
        other.send(garbage)
    await ends(other)
