"""A pool of connections to one provider: reuse, expiry, closing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.upstream.pool import Origin, Pool
from aibridge_trio.upstream.transport import Transport, is_busy
from tests.support.network import Network
from tests.upstream.test_transport import OK, Host, Stream, answers, asked, get, pool_of, slow, until


async def test_concurrent_calls_do_not_wait_for_each_other(autojump_clock: MockClock, network: Network) -> None:
    """As many connections as there are requests in flight, and all of them are kept."""

    host = Host(network, slow)
    transport = network.way_out()
    for _ in range(2):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(asked, transport, get())
        assert trio.current_time() - began == pytest.approx(1)
    assert len(host.connections) == 100
    assert pool_of(transport).statistics() == (0, 100)
    await transport.aclose()


async def test_the_youngest_is_used_first_and_the_old_are_closed(
    autojump_clock: MockClock, network: Network
) -> None:
    """After a crowd, steady traffic keeps one connection, and the others go when they have idled for long."""

    host = Host(network, slow)
    transport = network.way_out()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(asked, transport, get())
    for _ in range(60):
        await asked(transport, get())
    await trio.testing.wait_all_tasks_blocked()
    assert (len(host.connections), host.ended) == (10, 9)
    assert pool_of(transport).statistics() == (0, 1)
    await transport.aclose()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"])
async def test_a_kept_connection_that_ended_is_replaced(
    autojump_clock: MockClock, network: Network, said: bytes
) -> None:
    """A dead connection is found before a byte is written, so no request fails; unexpected bytes count as dead."""

    async def once(stream: Stream) -> None:
        await until(stream, b"\r\n\r\n")
        await stream.send_all(OK)
        if said:
            await stream.send_all(said)
        else:
            await stream.aclose()
        await trio.sleep_forever()

    host = Host(network, once)
    transport = network.way_out()
    for _ in range(3):
        assert await asked(transport, get()) == (200, b"{}")
        await trio.testing.wait_all_tasks_blocked()
    assert len(host.connections) == 3
    await transport.aclose()


async def test_closing_ends_the_kept_and_the_busy(autojump_clock: MockClock, network: Network) -> None:
    """Nothing stays open behind a transport that was closed."""
    host = Host(network, answers)
    transport = network.way_out()
    await asked(transport, get())
    assert isinstance(transport, Transport)
    await transport.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1


async def test_a_connection_given_to_a_closed_pool_is_closed(autojump_clock: MockClock, network: Network) -> None:
    """It is neither kept nor forgotten: nothing is open behind a pool that was closed."""
    host = Host(network, slow)
    transport = network.way_out()
    answer = await transport.handle_async_request(get())
    pool = pool_of(transport)
    assert pool.statistics() == (1, 0)
    await transport.aclose()
    with suppress(httpx.TransportError):
        await answer.aread()
    assert pool.statistics() == (0, 0)
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1


async def test_a_connection_that_a_closed_pool_opens_is_closed(
    autojump_clock: MockClock, network: Network
) -> None:
    """The pool was closed while it was dialled."""
    host = Host(network, answers)
    made = network._link

    async def late(name: str, port: int) -> Any:
        link = await made(name, port)
        await trio.sleep(5)
        return link

    pool = Pool(Origin("host", 80, None), late)
    async with trio.open_nursery() as nursery:

        async def opened() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await pool.open()

        nursery.start_soon(opened)
        await trio.sleep(1)
        pool.close()
    assert pool.statistics() == (0, 0)
    await trio.testing.wait_all_tasks_blocked()
    assert host.ended == 1


async def test_a_retired_pool_keeps_no_connection(autojump_clock: MockClock, network: Network) -> None:
    """Idle ones close at once, those in use with their responses, which come to their end."""
    Host(network, slow)
    transport = network.way_out()
    assert isinstance(transport, Transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(asked, transport, get())
        await trio.sleep(0.5)
        transport.retire()
        assert is_busy(transport)
    assert not is_busy(transport)
    assert pool_of(transport).statistics() == (0, 0)
    await transport.aclose()
