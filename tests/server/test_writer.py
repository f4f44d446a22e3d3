"""The writing half of a connection: few writes, each with a timeout."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aibridge_trio.server import writer as writers
from aibridge_trio.server.asgi import Receive, Scope, Send
from aibridge_trio.server.writer import Flusher, ResponseWriter
from tests.net.test_stream import Open, drain, plain
from tests.server.test_connection import GET, Serve, answer, piece, serve, start, streaming, until_left

__all__ = ["plain", "serve"]


class Narrow:
    """Limits a stream to so many unread bytes."""

    def __init__(self, wire: Any, capacity: int) -> None:
        self.wire, self.capacity, self.taken = wire, capacity, 0
        self._room = trio.Event()
        self._push = wire.push
        wire.push, wire.send = self.push, self.send

    def push(self, data: bytes | bytearray) -> int:
        size = min(len(data), self.capacity - self.taken)
        self.taken += size
        return int(self._push(bytes(data[:size]))) if size else 0

    async def send(self, data: bytes) -> None:
        at = self.push(data)
        while at < len(data):
            await self._room.wait()
            at += self.push(data[at:])

    def read(self, size: int) -> None:
        self.taken -= min(size, self.taken)
        self._room.set()
        self._room = trio.Event()


async def test_who_stops_reading_is_dropped(autojump_clock: MockClock, serve: Serve) -> None:
    """A caller that reads nothing for a minute has its connection reset, and the application gets a disconnect."""
    seen: list[str] = []
    site = await serve(streaming(seen))
    caller = await site.call()
    Narrow(caller.wire, 10_000)
    await caller.say(GET)
    await trio.sleep(59)
    assert seen == []
    resets: list[bool] = []
    caller.wire.socket.setsockopt = lambda *_: resets.append(True)
    await trio.sleep(2)
    assert seen == ["left"]
    assert resets == [True]
    assert site.server.statistics().connections == 0


async def test_who_reads_slowly_is_served(autojump_clock: MockClock, serve: Serve) -> None:
    """A kilobyte every 50 seconds is enough for pieces of a kilobyte."""
    seen: list[str] = []
    caller = await (await serve(streaming(seen))).call()
    narrow = Narrow(caller.wire, 10_000)
    await caller.say(GET)
    for _ in range(20):
        await trio.sleep(50)
        narrow.read(1100)
    assert seen == []
    assert len(caller.heard()) > 30_000


async def test_a_stalled_reader_is_dropped_in_the_last_piece_too(autojump_clock: MockClock, serve: Serve) -> None:
    """No write is without its deadline."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, b"x" * 100_000)

    site = await serve(app)
    caller = await site.call()
    Narrow(caller.wire, 10_000)
    await caller.say(GET)
    await trio.sleep(61)
    assert site.server.statistics().connections == 0
    assert site.reports == []


async def test_an_answer_that_is_there_is_one_write(autojump_clock: MockClock, serve: Serve) -> None:
    """Head, piece and end, which are sent without a wait between, go out together."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        await send(piece(b"abc"))
        await send(piece(b"", more=False))

    caller = await (await serve(app)).call()
    writes: list[bytes] = []
    push = caller.wire.push

    def noted(data: bytes) -> int:
        writes.append(bytes(data))
        return int(push(data))

    caller.wire.push = noted
    await caller.say(GET)
    await wait_all_tasks_blocked()
    assert len(writes) == 1
    assert writes[0].endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


async def test_a_head_that_does_not_go_at_once_goes_by_itself(autojump_clock: MockClock, serve: Serve) -> None:
    """The application need not send more for what it has sent to arrive."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await until_left(receive)

    caller = await (await serve(app)).call()
    narrow = Narrow(caller.wire, 10)
    await caller.say(GET)
    await trio.sleep(1)
    assert caller.heard() == b"HTTP/1.1 2"
    for _ in range(10):
        narrow.read(10)
        await trio.sleep(1)
    assert caller.heard().endswith(b"\r\n\r\n")


async def test_what_waits_to_go_out_keeps_its_order(autojump_clock: MockClock, serve: Serve) -> None:
    """The order is kept whichever task writes, and however little is taken at a time."""
    body = bytes(range(256)) * 3

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start((b"content-length", b"%d" % len(body))))
        await trio.sleep(0.01)
        narrow.read(10)  # bytes fit again, and the writing task has not noticed
        for at in range(0, len(body), 100):
            await send(piece(body[at : at + 100]))
        await send(piece(b"", more=False))

    caller = await (await serve(app)).call()
    narrow = Narrow(caller.wire, 10)
    await caller.say(GET)
    for _ in range(100):
        await trio.sleep(0.1)
        narrow.read(10)
    assert caller.heard().endswith(b"\r\n\r\n" + body)


async def test_who_sends_much_lets_others_run(autojump_clock: MockClock, serve: Serve) -> None:
    """A caller that takes all there is does not take the whole loop."""
    turns: list[int] = []

    async def count() -> None:
        while True:
            turns.append(1)
            await trio.lowlevel.checkpoint()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            for each in range(1000):
                await send(piece(b"x", more=each < 999))
            nursery.cancel_scope.cancel()

    caller = await (await serve(app)).call(GET)
    assert len(turns) > 50
    assert caller.heard().endswith(b"0\r\n\r\n")


async def test_a_head_does_not_wait_for_its_body(autojump_clock: MockClock, serve: Serve) -> None:
    """Where an application waits behind its head, or behind a piece, the caller has what was sent."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start())
        await trio.sleep(10)
        await send(piece(b"abc"))
        await trio.sleep(10)
        await send(piece(b"def"))
        await send(piece(b"", more=False))

    caller = await (await serve(app)).call(GET)
    assert caller.heard().endswith(b"Transfer-Encoding: chunked\r\n\r\n")
    await trio.sleep(10.5)
    assert caller.heard() == b"3\r\nabc\r\n"
    await trio.sleep(10)
    assert caller.heard() == b"3\r\ndef\r\n0\r\n\r\n"


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
    """How much of it was sent is unknown: bytes behind it would be misread."""
    fallen: list[bool] = []
    async with plain() as (near, wire):
        writer = ResponseWriter(wire, Flusher(print), spawn=print, on_closed=lambda: fallen.append(True))
        while not writer.broken:
            with trio.move_on_after(0.1):
                await writer.send(b"x" * 100_000)
        assert not fallen, "it was not the caller that gave up"
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
