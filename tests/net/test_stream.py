"""Wires on real sockets, and what goes out through them."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import trio
import trustme
from trio.testing import wait_all_tasks_blocked

from aibridge_trio.net import tls
from aibridge_trio.net.poller import Poller
from aibridge_trio.net.stream import CONNECTION_ERRORS, ServerStream, TCPStream
from aibridge_trio.net.tls import TLSServerStream
from aibridge_trio.server import writer as writers
from aibridge_trio.server.writer import Flusher, ResponseWriter


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


@pytest.mark.parametrize("size", [1, 65536, 65537, 150_000])
async def test_all_that_came_is_read_and_then_the_end(plain: Open, size: int) -> None:
    """Bytes and the end may be told together, and more may have come than one read takes."""
    async with plain() as (near, wire):
        near.setblocking(True)
        await trio.to_thread.run_sync(near.sendall, b"x" * size)
        near.close()
        if size < 100_000:  # else the end stands behind what the kernel has no room for
            await seen(wire)
        heard = b""
        with trio.fail_after(10):
            while piece := await wire.receive():
                heard += piece
            assert await wire.receive() == b""
        assert heard == b"x" * size


async def test_what_comes_later_is_told_again(plain: Open) -> None:
    """A reader that waits, one that is given up, and one that comes late: each gets what there is."""
    async with plain() as (near, wire):
        for piece in (b"one", b"two"):
            with trio.move_on_after(0.05):
                await wire.receive()
            near.send(piece)
            await trio.sleep(0.05)
            with trio.fail_after(10):
                assert await wire.receive() == piece


async def test_a_reset_is_seen_to_be_one(plain: Open) -> None:
    """The caller does not take it for an end."""
    async with plain() as (near, wire):
        wire.push(b"some")
        wire.reset()
        await trio.lowlevel.wait_readable(near)
        with pytest.raises(ConnectionResetError):
            drain(near)


async def test_a_closed_wire_wakes_who_waits_and_is_of_no_use(plain: Open) -> None:
    """Closing it twice, or using it behind that, is no surprise to anybody."""
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


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and one that trusts it."""
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def secured(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> tuple[TLSServerStream, trio.SSLStream[Any]]:
    """Return a wire and its caller, behind the handshake."""
    near, far = pair()
    wire = TLSServerStream(TCPStream(far), contexts[0])
    client = trio.SSLStream(
        trio.SocketStream(trio.socket.from_stdlib_socket(near)), contexts[1], server_hostname="localhost"
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.handshake)
        await client.do_handshake()
    return wire, client


async def test_tls_carries_bytes_and_shows_leaving(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A caller that leaves without a goodbye is broken off, or at its end; nothing else."""
    wire, client = await secured(contexts)
    await client.send_all(b"hello")
    assert await wire.receive() == b"hello"
    assert wire.push(b"you") == 0
    await wire.send(b"you")
    assert await client.receive_some(10) == b"you"
    await trio.aclose_forcefully(client)
    await seen(wire)
    with suppress(*CONNECTION_ERRORS):
        assert await wire.receive() == b""
    wire.close()


async def test_tls_gives_all_records_that_are_there(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Events that have come together go on together, and a flood of small ones lets others run."""
    wire, client = await secured(contexts)
    for _ in range(20):
        await client.send_all(b"event")
    await trio.sleep(0.05)
    assert await wire.receive() == b"event" * 20
    await client.send_all(b"last")
    await client.aclose()
    await trio.sleep(0.05)
    assert (await wire.receive(), await wire.receive(), await wire.receive()) == (b"last", b"", b"")
    wire.close()


async def test_a_handshake_has_its_deadline(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who connects and says nothing is not waited for."""
    monkeypatch.setattr(tls, "_HANDSHAKE_TIMEOUT", 0.05)
    near, far = pair()
    wire = TLSServerStream(TCPStream(far), contexts[0])
    with trio.fail_after(5), pytest.raises(CONNECTION_ERRORS):
        await wire.handshake()
    wire.close()
    near.close()


# The writer, over a kernel's buffers


async def test_who_stops_reading_is_dropped_after_the_set_time(
    plain: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the kernel takes goes out; then the time runs, and at its end the connection is reset."""
    monkeypatch.setattr(writers, "WRITE_TIMEOUT", 0.2)
    fallen: list[float] = []

    def no_tasks(_: Any) -> None:
        raise AssertionError

    async with plain() as (near, wire):
        writer = ResponseWriter(
            wire, Flusher(no_tasks), spawn=no_tasks, on_closed=lambda: fallen.append(trio.current_time())
        )
        with trio.fail_after(10):
            while not writer.broken:
                began = trio.current_time()
                await writer.send(b"x" * 100_000)
        assert 0.15 < fallen[0] - began < 1
        await writer.send(b"x")
        with pytest.raises(ConnectionResetError):
            drain(near)


async def test_what_is_on_its_way_is_not_out(plain: Open) -> None:
    """Nothing is kept any more when another task writes the last of it; and still it is waited for."""
    async with plain() as (near, wire), trio.open_nursery() as nursery:
        writer = ResponseWriter(wire, Flusher(print), spawn=nursery.start_soon, on_closed=lambda: None)
        writer.buffer(b"x" * 10_000_000)
        writer.flush()
        heard = bytearray()

        async def read() -> None:
            while len(heard) < 10_000_000:
                await trio.lowlevel.wait_readable(near)
                heard.extend(near.recv(1_000_000))

        nursery.start_soon(read)
        with trio.fail_after(20):
            await writer.drain()
            wire.close()


async def test_a_write_that_was_given_up_is_the_last(plain: Open) -> None:
    """Nobody knows how much of it is out: what is sent behind it would be read as something else."""
    fallen: list[bool] = []
    async with plain() as (near, wire):
        writer = ResponseWriter(wire, Flusher(print), spawn=print, on_closed=lambda: fallen.append(True))
        while not writer.broken:
            with trio.move_on_after(0.1):
                await writer.send(b"x" * 100_000)
        assert not fallen, "who gave up was not the caller"
        await writer.send(b"y")
        wire.close()
        assert set(drain(near)) == {ord("x")}


async def test_a_reader_that_pauses_holds_a_write_up(plain: Open) -> None:
    """For so long, also while it still does; the next answer on the connection begins anew."""
    async with plain() as (near, wire), trio.open_nursery() as nursery:
        writer = ResponseWriter(wire, Flusher(print), spawn=nursery.start_soon, on_closed=lambda: None)
        await writer.send(b"x")
        assert writer.longest_write == 0
        nursery.start_soon(writer.send, b"x" * 10_000_000)
        await trio.sleep(0.6)
        assert writer.longest_write > 0.4
        heard = 0
        with trio.fail_after(20):
            while heard < 10_000_001:
                await trio.lowlevel.wait_readable(near)
                heard += len(near.recv(1_000_000))
        assert writer.longest_write > 0.4
        writer.begin()
        assert writer.longest_write < 0.4
        wire.close()
