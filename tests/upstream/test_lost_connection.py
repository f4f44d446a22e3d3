"""Broken connections that say nothing about their provider, and those that do."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.net.deadline import Deadline
from aibridge_trio.upstream.call import Call, CallTimeouts
from aibridge_trio.upstream.lost_connection import ConnectionLost
from aibridge_trio.upstream.pool import Origin, Pool
from tests.support.network import Network
from tests.upstream.test_transport import OK, Host, Stream, asked, get, pool_of, until


async def test_a_kept_connection_that_dies_under_a_request_is_distinguished(
    autojump_clock: MockClock, network: Network
) -> None:
    """Whether it was processed is unknown: it is not sent again, and says nothing about the provider's health."""

    async def once(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK)
        await until(stream, b"\r\n\r\n")
        await stream.aclose()

    host = Host(network, once)
    transport = network.way_out()
    await asked(transport, get())
    with pytest.raises(ConnectionLost):
        await asked(transport, get())
    assert len(host.connections) == 1
    assert pool_of(transport).statistics() == (0, 0)


@pytest.mark.parametrize(
    ("size", "late", "error", "lost"),
    [
        (100_000, 0.0, ConnectionResetError(104, "reset"), True),
        (100_000, 0.5, ConnectionResetError(104, "reset"), True),
        (100_000, 1.5, ConnectionResetError(104, "reset"), False),
        (10_000, 0.0, ConnectionResetError(104, "reset"), False),
        (100_000, 0.0, None, False),
    ],
)
async def test_a_reset_behind_a_long_request_may_have_come_before_its_end(
    autojump_clock: MockClock, network: Network, size: int, late: float, error: OSError | None, lost: bool
) -> None:
    """That the kernel took the last byte does not say that it arrived: an edge may have cut it off before."""

    async def speak(stream: Stream) -> None:
        await until(stream, b"0\r\n\r\n")

    async def broken(name: str, port: int) -> Any:
        made = await network._link(name, port)

        async def receive() -> bytes:
            while not host.connections or not host.connections[0].endswith(b"0\r\n\r\n"):
                await trio.sleep(0.001)
            await trio.sleep(late)
            if error:
                raise error
            return b""

        made.receive = receive  # type: ignore[method-assign]
        return made

    host = Host(network, speak)
    call = Call(
        Pool(Origin("host", 80, None), broken), CallTimeouts(math.inf, *(Deadline(math.inf) for _ in range(3)))
    )
    body = iter([b"x" * 10_000] * (size // 10_000))

    async def source() -> bytes | None:
        return next(body, None)

    with pytest.raises(httpx.TransportError) as caught:
        await call.begin(
            "POST", b"/", [(b"transfer-encoding", b"chunked")], None, source=source, on_connected=lambda: None
        )
    assert isinstance(caught.value, ConnectionLost) is lost
