"""Wires on real sockets, and what goes out through them."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from aibridge_trio.net.poller import Poller
from aibridge_trio.net.stream import CONNECTION_ERRORS, Interrupted, ServerStream, TCPStream


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)
    return near, far


Open = Callable[[], AbstractAsyncContextManager[tuple[socket.socket, TCPStream]]]


@pytest.fixture(params=["poller", "trio"])
def plain(request: pytest.FixtureRequest) -> Open:
    """Return what opens a caller's socket and the wire to it, of which a poller tells, or Trio."""

    @asynccontextmanager
    async def plain() -> AsyncIterator[tuple[socket.socket, TCPStream]]:
        near, far = pair()
        poller = Poller() if request.param == "poller" else None
        async with trio.open_nursery() as nursery:
            if poller:
                nursery.start_soon(poller.run)
            wire = TCPStream(far, near.getsockname(), poller)
            try:
                yield near, wire
            finally:
                near.close()
                wire.close()
            nursery.cancel_scope.cancel()
        if poller:
            assert poller.statistics() == 0
            poller.close()

    return plain


def drain(near: socket.socket) -> bytes:
    """Read what has come, to the end."""
    near.setblocking(True)
    heard = bytearray()
    while piece := near.recv(1_000_000):
        heard += piece
    return bytes(heard)


async def seen(wire: ServerStream) -> None:
    """Wait until it has left."""
    with trio.fail_after(5):
        while not wire.peer_left():
            await trio.sleep(0.01)


async def test_bytes_come_and_go(plain: Open) -> None:
    """Both ways, until one side says that it is the end."""
    async with plain() as (near, wire):
        assert (wire.peer, wire.local) == (near.getsockname(), near.getpeername())
        near.send(b"hello")
        assert await wire.receive() == b"hello"
        assert wire.push(b"you") == 3
        wire.send_eof()
        await trio.lowlevel.wait_readable(near)
        assert near.recv(10) == b"you"
        assert near.recv(10) == b""
        near.close()
        assert await wire.receive() == b""


async def test_what_the_kernel_does_not_take_waits(plain: Open) -> None:
    """`push` takes a part, `send` waits for the reader, and nothing is lost or doubled."""
    data = bytes(range(256)) * 40_000
    async with plain() as (near, wire), trio.open_nursery() as nursery:
        taken = wire.push(data)
        assert 0 < taken < len(data)
        while more := wire.push(data[taken:]):
            taken += more
        nursery.start_soon(wire.send, data[taken:])
        heard = bytearray()
        while len(heard) < len(data):
            await trio.lowlevel.wait_readable(near)
            heard += near.recv(100_000)
        assert heard == data


@pytest.mark.parametrize("how", ["closes", "resets"])
async def test_leaving_shows_behind_unread_bytes(plain: Open, how: str) -> None:
    """Without reading them."""
    async with plain() as (near, wire):
        near.send(b"unread")
        await trio.sleep(0.05)
        assert not wire.peer_left()
        if how == "resets":
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        near.close()
        await seen(wire)


async def test_a_reset_is_seen_to_be_one(plain: Open) -> None:
    """The caller does not take it for an end."""
    async with plain() as (near, wire):
        wire.push(b"some")
        wire.reset()
        await trio.lowlevel.wait_readable(near)
        with pytest.raises(ConnectionResetError):
            drain(near)


async def test_a_closed_wire_wakes_who_waits_and_is_of_no_use(plain: Open) -> None:
    """A stream may be closed twice; a call on a closed stream raises a connection error."""
    async with plain() as (_, wire), trio.open_nursery() as nursery:
        woken: list[str] = []

        async def wait() -> None:
            try:
                await wire.receive()
            except CONNECTION_ERRORS:
                woken.append("reader")

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        wire.close()
        wire.close()
        wire.reset()
        wire.send_eof()
        await wait_all_tasks_blocked()
        assert woken == ["reader"]
        for use in (wire.receive, partial(wire.send, b"x")):
            with pytest.raises(CONNECTION_ERRORS):
                await use()
        with pytest.raises(CONNECTION_ERRORS):
            wire.push(b"x")


# TLS


# The writer, over a kernel's buffers


@pytest.mark.parametrize("news", ["bytes", "an end", "bytes and an end"])
async def test_a_kept_wire_is_not_silent_once_there_is_news(plain: Open, news: str) -> None:
    """After what was read before: bytes, an end, and an end that came together with the bytes that were read."""
    async with plain() as (near, wire):
        near.sendall(b"read")
        if news == "bytes and an end":
            near.shutdown(socket.SHUT_WR)
            await seen(wire)
        assert await wire.receive() == b"read"
        if news != "bytes and an end":
            assert wire.silent()
            if news == "bytes":
                near.sendall(b"more")
            else:
                near.close()
            with trio.fail_after(5):
                while wire.silent():
                    await trio.sleep(0.01)
        assert not wire.silent()
        wire.close()
        assert not wire.silent()


@pytest.mark.parametrize("plain", ["poller"], indirect=True)
async def test_a_read_is_interrupted_and_a_callback_takes_its_place(plain: Open) -> None:
    """The callback is called once; and at once, if something has come meanwhile."""
    called: list[str] = []
    async with plain() as (near, wire), trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(Interrupted):
                await wire.receive()
            wire.call_when_readable(lambda: called.append("later"))

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        wire.interrupt()
        await wait_all_tasks_blocked()
        assert called == []
        for piece in (b"one", b"two"):
            near.send(piece)
            with trio.fail_after(5):
                while wire.silent() or not called:
                    await trio.sleep(0.001)
        assert called == ["later"]
        wire.call_when_readable(lambda: called.append("at once"))
        assert called == ["later", "at once"]
        assert await wire.receive() == b"onetwo"


@pytest.mark.parametrize("plain", ["poller"], indirect=True)
@pytest.mark.parametrize("how", ["closes", "resets"])
async def test_a_peer_that_leaves_is_something_to_read(plain: Open, how: str) -> None:
    """Without a task that waits."""
    left = trio.Event()
    async with plain() as (near, wire):
        wire.call_when_readable(left.set)
        if how == "resets":
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        near.close()
        with trio.fail_after(5):
            await left.wait()
        assert wire.peer_left()


async def test_what_has_come_is_not_interrupted(plain: Open) -> None:
    """Nothing is lost: the read that it was for returns it. Without a poller no read is interrupted."""
    async with plain() as (near, wire), trio.open_nursery() as nursery:
        got: list[bytes] = []

        async def read() -> None:
            got.append(await wire.receive())

        wire.interrupt()
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        near.send(b"data")
        with trio.fail_after(5):
            while wire.nothing_to_read():
                await trio.sleep(0)
        if wire._poller:
            wire._on_readable(ended=False, urgent=False)  # as the poller reports, in the same turn
        wire.interrupt()
        with trio.fail_after(5):
            while not got:
                await trio.sleep(0.001)
        assert got == [b"data"]
