"""Batches on a connection to a real server: in order, pipelined, and sent again when the script is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from aibridge_trio.net.dial import new_dialer
from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.redis.address import Host, RedisAddress
from aibridge_trio.sharing.redis.batches import Batches, Script
from aibridge_trio.sharing.redis.connection import Connection
from aibridge_trio.sharing.redis.servers import Servers
from tests.support.redis_servers import RedisServer, running

pytestmark = pytest.mark.real
# Says which batch it is, and that batches come in order.
SCRIPT = Script("redis.call('RPUSH', KEYS[1], ARGV[1]) return ARGV[1]", "{batches}")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running() as server:
        yield server


@asynccontextmanager
async def connected(server: RedisServer, script: Script = SCRIPT) -> AsyncIterator[Batches]:
    """Batches on a connection of their own, on an empty server without the script."""
    server.call("FLUSHALL")
    server.call("SCRIPT", "FLUSH")
    servers = Servers(
        RedisAddress(kind="server", hosts=(Host("127.0.0.1", server.port),)), script.key, new_dialer()
    )
    async with trio.open_nursery() as nursery:
        batches = Batches(script)
        nursery.start_soon(batches.open, servers.connect, nursery)
        yield batches
        batches.end(StoreError("the test is over"))


async def execute_all(batches: Batches, names: list[bytes]) -> list[bytes]:
    """Execute them at once, in this order; return the replies."""
    replies: dict[bytes, bytes] = {}

    async def one(name: bytes) -> None:
        replies[name] = await batches.execute(name)

    async with trio.open_nursery() as nursery:
        for name in names:
            started = trio.Event()

            async def begin(name: bytes = name, started: trio.Event = started) -> None:
                started.set()
                await one(name)

            nursery.start_soon(begin)
            await started.wait()
    return [replies[name] for name in names]


def seen(server: RedisServer) -> list[bytes]:
    """Return the batches that were executed, in order."""
    found = server.call("LRANGE", SCRIPT.key, "0", "-1")
    assert isinstance(found, list)
    return [str(each).encode() for each in found]


NAMES = [b"%d" % number for number in range(50)]


async def test_batches_are_executed_in_the_order_of_the_calls(server: RedisServer) -> None:
    """Those that come before there is a connection, and before the server knows the script, too."""
    async with connected(server) as batches:
        assert await execute_all(batches, NAMES) == NAMES
        assert seen(server) == NAMES


async def test_a_lost_script_is_loaded_again(server: RedisServer) -> None:
    """Nothing fails for it, and the order stays."""
    async with connected(server) as batches:
        assert await execute_all(batches, NAMES[:10]) == NAMES[:10]
        server.call("SCRIPT", "FLUSH")
        assert await execute_all(batches, NAMES[10:]) == NAMES[10:]
        assert seen(server) == NAMES


async def test_a_late_answer_ends_the_connection(server: RedisServer) -> None:
    """What is under way fails with it; what was not sent is as if it had never been."""
    async with connected(server) as batches:
        await batches.execute(b"first")
        server.pause()
        try:
            failures: list[str] = []

            async def other() -> None:
                with pytest.raises(StoreError) as caught:
                    await batches.execute(b"other")
                failures.append(str(caught.value))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(other)
                with trio.move_on_after(0.05):
                    await batches.execute(b"late")
            assert failures == ["an answer was late"]
            assert batches.over
            with pytest.raises(StoreError, match="an answer was late"):
                await batches.execute(b"next")
        finally:
            server.resume()


async def test_one_that_is_cancelled_before_it_is_sent_changes_nothing(server: RedisServer) -> None:
    """The connection is made all the same."""
    async with connected(server) as batches:
        with trio.CancelScope() as scope:
            scope.cancel()
            await batches.execute(b"never")
        assert not batches.over
        assert await batches.execute(b"first") == b"first"
        assert seen(server) == [b"first"]


async def test_an_error_of_the_script_ends_the_connection(server: RedisServer) -> None:
    """With the server's words."""
    async with connected(server, Script("return redis.error_reply('NO such thing')", "k")) as batches:
        with pytest.raises(StoreError, match="it answers: NO such thing"):
            await batches.execute(b"x")
        assert batches.over


async def test_an_answer_of_another_kind_is_an_error(server: RedisServer) -> None:
    """Since the reply is a string."""
    async with connected(server, Script("return 7", "k")) as batches:
        with pytest.raises(StoreError, match="something else"):
            await batches.execute(b"x")


async def test_a_connection_that_cannot_be_made_fails_what_waits() -> None:
    """And all that comes later."""
    batches = Batches(SCRIPT)

    async def refuse(_nursery: trio.Nursery) -> Connection:
        await trio.sleep(0.01)
        raise StoreError("connection refused")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(batches.open, refuse, nursery)
        for _ in range(2):
            with pytest.raises(StoreError, match="connection refused"):
                await batches.execute(b"x")
    assert batches.over
