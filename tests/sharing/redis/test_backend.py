"""The backend over real servers: batches, wake-ups, what is warned of, failover."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from aibridge_trio.config.store_url import STORE, store_address
from aibridge_trio.core.sharing import wire
from aibridge_trio.net.dial import new_dialer
from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.redis.backend import RedisBackend
from tests.support.redis_servers import PROGRAMS, cluster, running, sentinels

pytestmark = pytest.mark.real


@asynccontextmanager
async def a_backend(url: str, warned: list[str] | None = None) -> AsyncIterator[RedisBackend]:
    """A backend that runs."""
    said = warned if warned is not None else []
    backend = RedisBackend(store_address(STORE.parse(url)), "test", new_dialer(), said.append)
    async with trio.open_nursery() as nursery:
        await nursery.start(backend.run)
        yield backend
        nursery.cancel_scope.cancel()


async def register(backend: RedisBackend, number: int = 1, replica: str = "a") -> wire.Reply:
    """Register a replica that holds nothing."""
    batch = wire.Batch(replica, number, "", 3.0, -1, [["register", {}]])
    return wire.reply(await backend.execute(batch.encoded()))


async def post(backend: RedisBackend, reply: wire.Reply, number: int, ops: list[Any]) -> wire.Reply:
    """Execute a batch of a registered replica."""
    batch = wire.Batch("a", number, reply.generation, 3.0, -1, ops)
    return wire.reply(await backend.execute(batch.encoded()))


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_batch_is_executed(program: str) -> None:
    """And a restart of the server costs one connection, not the backend."""
    with running(program) as server:
        async with a_backend(server.url) as backend:
            reply = await register(backend)
            assert (reply.status, reply.replicas) == ("ok", 1)
            await trio.to_thread.run_sync(server.restart)
            with trio.fail_after(10):
                while True:
                    try:
                        again = await register(backend, 2)
                        break
                    except StoreError:
                        await trio.sleep(0.05)
            assert again.status == "ok"
            assert again.generation != reply.generation


async def test_messages_wake() -> None:
    """Once at the beginning, then for each; until the server has gone."""
    with running() as server:
        async with a_backend(server.url) as backend, trio.open_nursery() as nursery:
            woken = trio.Event()
            count = 0

            def wake() -> None:
                nonlocal count
                count += 1
                woken.set()

            async def listen() -> None:
                with pytest.raises(StoreError):
                    await backend.listen(wake)

            nursery.start_soon(listen)
            with trio.fail_after(5):
                await woken.wait()
            assert count == 1
            reply = await register(backend)
            woken = trio.Event()
            await post(backend, reply, 2, [["set", "topic", "key", -1, "value", 60]])
            with trio.fail_after(5):
                await woken.wait()
            server.kill()


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ((), False),
        (("--maxmemory", "100mb", "--maxmemory-policy", "noeviction"), False),
        (("--maxmemory-policy", "allkeys-lru"), False),
        (("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), True),
        (("--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"), True),
    ],
)
async def test_a_server_that_drops_keys_is_warned_of(options: tuple[str, ...], warned: bool) -> None:
    """Once, though connections come and go."""
    with running(options=options) as server:
        lines: list[str] = []
        async with a_backend(server.url, lines) as backend:
            for _ in range(2):
                with trio.move_on_after(5) as scope:
                    await backend.listen(scope.cancel)
                assert scope.cancelled_caught
        assert [("maxmemory-policy" in line, "noeviction" in line) for line in lines] == [(True, True)] * warned


async def test_a_failover_of_sentinels() -> None:
    """The backend goes to the server that the sentinels name, also if the former one comes back."""
    with sentinels() as found:
        async with a_backend(found.url) as backend:
            await register(backend)
            after = await trio.to_thread.run_sync(found.fail_over)
            with trio.fail_after(20):
                while True:
                    try:
                        await register(backend, 2, "b")
                        break
                    except StoreError:
                        await trio.sleep(0.05)
            assert b"test" in b"".join(str(each).encode() for each in after.call("KEYS", "*"))  # type: ignore[attr-defined]


async def test_a_cluster() -> None:
    """All keys are on one of its servers."""
    with cluster() as found:
        async with a_backend(found.url) as backend:
            reply = await register(backend)
            done = await post(backend, reply, 2, [["ask", [["slots", 5, 1, 0]], [["rate", 5, 1.0, 1, 0, 0]], 0]])
            assert done.results[0][0] == 1
        assert sorted(bool(server.call("KEYS", "*")) for server in found.servers) == [False, False, True]


async def test_it_must_run() -> None:
    """Without its nursery there is no connection."""
    backend = RedisBackend(store_address(STORE.parse("redis://127.0.0.1:1")), "test", new_dialer())
    with pytest.raises(StoreError, match="not connected"):
        await backend.execute(json.dumps([]).encode())
    async with a_backend("redis://:hunter2@127.0.0.1:1") as running_backend:
        with pytest.raises(StoreError, match="connection refused"):
            await register(running_backend)
        assert "hunter2" not in repr(running_backend)
