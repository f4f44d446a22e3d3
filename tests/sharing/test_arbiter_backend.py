"""A worker's way to the arbiter."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from aibridge_trio.sharing.arbiter import listen
from aibridge_trio.sharing.arbiter_backend import ArbiterBackend
from aibridge_trio.sharing.backend import Backend, StoreError
from aibridge_trio.sharing.frames import FrameStream, frame

PATIENT = 20.0


@pytest.fixture
async def backend(tmp_path: Path, nursery: trio.Nursery) -> ArbiterBackend:
    """A backend that runs."""
    backend = ArbiterBackend(str(tmp_path / "arbiter"))
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


async def accepted(listener: socket.socket) -> FrameStream:
    """The other end of a connection."""
    with trio.fail_after(PATIENT):
        await trio.lowlevel.wait_readable(listener)
        return FrameStream(listener.accept()[0])


async def test_without_a_supervisor_it_fails(backend: ArbiterBackend) -> None:
    """So does listening."""
    await fails(backend)
    with pytest.raises(StoreError):
        await backend.listen(lambda: None)


async def test_a_connection_that_ends_fails_all_and_the_next_call_connects(
    backend: ArbiterBackend, tmp_path: Path, nursery: trio.Nursery
) -> None:
    """Replies come in order."""
    with listen(str(tmp_path / "arbiter")) as listener:
        async with trio.open_nursery() as several:
            several.start_soon(fails, backend)
            several.start_soon(fails, backend)
            other = await accepted(listener)
            await other.receive()
            other.close()
        found: list[bytes] = []

        async def execute(batch: bytes) -> None:
            found.append(await backend.execute(batch))

        async with trio.open_nursery() as several:
            several.start_soon(execute, b"a")
            other = await accepted(listener)
            assert await other.receive() == [b"a"]
            other.send(frame(b"1"))
        assert found == [b"1"]
        other.close()


async def test_a_cancelled_call_drops_the_connection(backend: ArbiterBackend, tmp_path: Path) -> None:
    """Else its late reply were another's."""
    with listen(str(tmp_path / "arbiter")) as listener:
        async with trio.open_nursery() as several:
            several.start_soon(fails, backend)
            other = await accepted(listener)
            with trio.move_on_after(0.05):
                await backend.execute(b"late")
        await ends(other)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", frame(b"1") * 2])
async def test_what_was_not_asked_for_ends_the_connection(
    backend: ArbiterBackend, tmp_path: Path, garbage: bytes
) -> None:
    """A frame that is too long, or one too many."""
    with listen(str(tmp_path / "arbiter")) as listener:

        async def execute() -> None:
            with suppress(StoreError):
                await backend.execute(b"x")

        async with trio.open_nursery() as several:
            several.start_soon(execute)
            other = await accepted(listener)
            await other.receive()
            other.send(garbage)
        await ends(other)
