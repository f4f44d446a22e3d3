"""One request and its response on one connection: early responses, timeouts, breaks."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.net.deadline import Deadline
from aibridge_trio.upstream.call import Call, CallTimeouts
from aibridge_trio.upstream.pool import Origin, Pool
from tests.support.network import Network
from tests.upstream.test_transport import OK, Host, Stream, answers, asked, get, pieces, pool_of, post, until


@pytest.mark.parametrize("first", [True, False])
async def test_half_an_answer_is_a_break(autojump_clock: MockClock, network: Network, first: bool) -> None:
    """Once a byte has come, a kept connection breaks like any other; a new one always does."""

    async def broken(stream: Stream) -> None:
        if not first:
            await until(stream, b"\r\n\r\n")
            await stream.send_all(OK)
        await until(stream, b"\r\n\r\n")
        await stream.send_all(b"" if first else b"HTTP/1.1 ")
        await stream.aclose()

    Host(network, broken)
    transport = network.way_out()
    if not first:
        await asked(transport, get())
    with pytest.raises(httpx.RemoteProtocolError):
        await asked(transport, get())


async def test_an_early_refusal_ends_the_upload(autojump_clock: MockClock, network: Network) -> None:
    """A 429 that comes before the body is through is the answer; the rest is not sent, the connection not kept."""

    async def refuse(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}")
        while await stream.receive_some():
            pass

    host = Host(network, refuse)
    transport = network.way_out()
    body = pieces(*[b"x" * 1000] * 100, pause=1.0)
    assert await asked(transport, post(body, **{"content-length": "100000"})) == (429, b"{}")
    assert trio.current_time() < 5
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1
    assert pool_of(transport).statistics() == (0, 0)
    await body.aclose()  # type: ignore[attr-defined]


async def test_an_early_success_lets_the_upload_finish(autojump_clock: MockClock, network: Network) -> None:
    """A provider that responds 200 while it reads gets the rest; the connection is kept."""

    async def welcome(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK)
        while await stream.receive_some():
            pass

    host = Host(network, welcome)
    transport = network.way_out()
    assert await asked(transport, post(pieces(b"be", b"gin", b"end", pause=1.0))) == (200, b"{}")
    await trio.testing.wait_all_tasks_blocked()
    assert host.connections[0].endswith(b"3\r\nend\r\n0\r\n\r\n")
    assert pool_of(transport).statistics() == (0, 1)
    await transport.aclose()


async def test_a_response_is_read_although_the_provider_stops_reading(
    autojump_clock: MockClock, network: Network
) -> None:
    """A provider that answers and closes while the body is on its way has answered."""

    async def shut(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        await stream.aclose()

    Host(network, shut)
    transport = network.way_out()
    assert await asked(transport, post(pieces(b"be", b"gin", pause=1.0))) == (413, b"{}")


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")  # httpx leaves its caller's unexhausted
@pytest.mark.parametrize("length", ["4", "9"])
async def test_a_body_of_another_length_is_never_a_whole_request(
    autojump_clock: MockClock, network: Network, length: str
) -> None:
    """More or less than announced: the connection is closed in the middle."""

    async def silent(stream: Stream) -> None:
        while await stream.receive_some():
            pass

    host = Host(network, silent)
    transport = network.way_out()
    with pytest.raises(httpx.LocalProtocolError):
        await asked(transport, post(pieces(b"be", b"gin"), **{"content-length": length}))
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1


async def test_a_write_has_a_deadline(autojump_clock: MockClock, network: Network) -> None:
    """A provider that takes nothing for the timeout gets no more of the upload."""

    async def silent(stream: Stream) -> None:
        await trio.sleep_forever()

    async def stuck(name: str, port: int) -> Any:
        made = await network._link(name, port)

        async def send(data: bytes) -> None:
            await made.receive()  # what will not come

        made.send = send  # type: ignore[method-assign]
        return made

    Host(network, silent)

    async def nothing() -> None:
        return None

    three, never = Deadline(3), Deadline(math.inf)
    network.nursery.start_soon(three.run)
    pool = Pool(Origin("host", 80, None), stuck)
    call = Call(pool, CallTimeouts(math.inf, three, never, never))
    with pytest.raises(httpx.WriteTimeout):
        await call.begin("GET", b"/", [(b"host", b"host")], 0, source=nothing, on_connected=lambda: None)
    assert trio.current_time() == pytest.approx(3, abs=0.1)
    assert pool.statistics() == (0, 0)


@pytest.mark.parametrize("kept", [1, 2])
async def test_a_kept_connection_that_dies_while_the_body_is_awaited_is_not_used(
    autojump_clock: MockClock, network: Network, kept: int
) -> None:
    """It is looked at when there is something to send, not before: no request is written on a dead one."""
    gate = trio.Event()

    async def drops(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await gate.wait()
        await stream.send_all(OK)
        with trio.move_on_after(5):
            await until(stream, b"0\r\n\r\n")
            await stream.send_all(OK)
        await stream.aclose()

    host = Host(network, drops)
    transport = network.way_out()
    async with trio.open_nursery() as nursery:
        for _ in range(kept):
            nursery.start_soon(asked, transport, get())
        await trio.sleep(1)
        gate.set()
    assert pool_of(transport).statistics() == (0, kept)
    began = len(host.connections)
    assert await asked(transport, post(pieces(b"late", pause=10))) == (200, b"{}")
    assert len(host.connections) == began + 1
    assert not any(b"late" in heard for heard in host.connections[:began])
    await transport.aclose()


@pytest.mark.parametrize("end", ["cancelled", "answered", "broken", "upload broken"])
async def test_no_deadline_waits_for_a_call_that_is_over(
    autojump_clock: MockClock, network: Network, end: str
) -> None:
    """However it ended: what is left in a deadline would hold the call for as long as that lasts."""

    async def speak(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        if end == "answered":
            await stream.send_all(OK)
        if "broken" in end:
            await stream.aclose()
        await trio.sleep_forever()

    Host(network, speak)
    timeouts = CallTimeouts(math.inf, Deadline(10), Deadline(10), Deadline(10))
    call = Call(Pool(Origin("host", 80, None), network._link), timeouts, overlapping=True)
    body = iter([b"x", b"y"] if end == "upload broken" else [])

    async def source() -> bytes | None:
        return next(body, None)

    length = None if end == "upload broken" else 0
    with trio.move_on_after(1), suppress(httpx.TransportError):
        await call.begin("POST", b"/", [], length, source=source, on_connected=lambda: None)
        while await call.read():
            pass
    await call.aclose()
    assert [deadline.statistics() for deadline in timeouts[1:]] == [0, 0, 0]


async def test_the_head_is_not_waited_for_once_it_has_come(autojump_clock: MockClock, network: Network) -> None:
    """An answer may last longer than its head might."""

    async def speak(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK[:-1])
        await trio.sleep(15)
        await stream.send_all(OK[-1:])
        await trio.sleep_forever()

    Host(network, speak)
    timeouts = CallTimeouts(math.inf, Deadline(100), Deadline(10), Deadline(100))
    network.nursery.start_soon(timeouts.head.run)
    call = Call(Pool(Origin("host", 80, None), network._link), timeouts)

    async def source() -> None:
        return None

    await call.begin("GET", b"/", [], 0, source=source, on_connected=lambda: None)
    assert await call.read() + await call.read() == b"{}"


async def test_the_head_is_waited_for_from_the_last_byte_sent(autojump_clock: MockClock, network: Network) -> None:
    """The time that the connection took is none of the answer's."""

    async def speak(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await trio.sleep(1.5)
        await stream.send_all(OK)
        await trio.sleep_forever()

    async def far(host: str, port: int) -> Any:
        await trio.sleep(3)
        return await network._link(host, port)

    async def source() -> None:
        return None

    Host(network, speak)
    timeouts = CallTimeouts(math.inf, Deadline(100), Deadline(2), Deadline(100))
    network.nursery.start_soon(timeouts.head.run)
    call = Call(Pool(Origin("host", 80, None), far), timeouts)
    await call.begin("GET", b"/", [], 0, source=source, on_connected=lambda: None)
    assert call.head
    assert trio.current_time() == pytest.approx(4.5)
    await call.aclose()


async def test_an_upload_that_ends_behind_its_last_byte_leaves_no_deadline(
    autojump_clock: MockClock, network: Network
) -> None:
    """The end of the body is asked for when the timeout of the head runs already."""

    async def speak(_stream: Stream) -> None:
        await trio.sleep_forever()

    Host(network, speak)
    timeouts = CallTimeouts(math.inf, Deadline(10), Deadline(10), Deadline(10))
    call = Call(Pool(Origin("host", 80, None), network._link), timeouts, overlapping=True)
    body = [b"xy"]

    async def source() -> bytes | None:
        if body:
            return body.pop()
        await trio.sleep(math.inf)
        return None

    with trio.move_on_after(1):
        await call.begin("POST", b"/", [], 2, source=source, on_connected=lambda: None)
    assert [deadline.statistics() for deadline in timeouts[1:]] == [0, 0, 0]


async def test_a_silence_of_the_machine_is_a_silence(autojump_clock: MockClock, network: Network) -> None:
    """What the kernel gives up on (ETIMEDOUT) is no loss that its caller could be to blame for."""

    async def dead(name: str, port: int) -> Any:
        made = await network._link(name, port)

        async def receive() -> bytes:
            await trio.sleep(1)
            raise TimeoutError(110, "timed out")

        made.receive = receive  # type: ignore[method-assign]
        return made

    Host(network, answers)
    call = Call(
        Pool(Origin("host", 80, None), dead), CallTimeouts(math.inf, *(Deadline(math.inf) for _ in range(3)))
    )

    async def source() -> None:
        return None

    with pytest.raises(httpx.ReadTimeout):
        await call.begin("GET", b"/", [], 0, source=source, on_connected=lambda: None)
