"""The way to a Redis or Valkey: one connection for batches, and one for wake-ups."""

from __future__ import annotations

import re
from collections.abc import Callable

import trio

from aibridge_trio.net.dial import Dial
from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.redis import script
from aibridge_trio.sharing.redis.address import RedisAddress
from aibridge_trio.sharing.redis.batches import Batches, Script
from aibridge_trio.sharing.redis.connection import Connection
from aibridge_trio.sharing.redis.servers import Servers

# How often (seconds) the connection for wake-ups is tested: without one, messages come with the next batch.
_PING_EVERY = 5.0
_PING_TIMEOUT = 5.0
# How often (seconds) sentinels are asked whether the primary is still the same: a former one may go on for itself.
_ASK_SENTINELS_EVERY = 2.0


class RedisBackend:
    """See Backend. All keys begin with `prefix`; `dial` opens TCP connections.

    `warn` is called with what is risky in the server's settings. Reads certificates; raises OSError.
    """

    def __init__(
        self, address: RedisAddress, prefix: str, dial: Dial, warn: Callable[[str], None] = lambda _text: None
    ) -> None:
        key = script.tag(prefix)
        self._servers = Servers(address, key, dial)
        self._script = Script(script.source(), key)
        self._channel = script.channel(prefix)
        self._warn = warn
        self._warned: set[str] = set()
        self._nursery: trio.Nursery | None = None
        self._batches: Batches | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the connections until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                if self._servers.address.kind == "sentinel":
                    self._nursery.start_soon(self._follow_sentinels)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = self._batches = None

    async def execute(self, batch: bytes) -> bytes:
        """See Backend."""
        batches = self._batches
        if not batches or batches.over:
            nursery = self._running()
            batches = self._batches = Batches(self._script)
            nursery.start_soon(batches.open, self._servers.connect, nursery)
        return await batches.execute(batch)

    async def listen(self, wake: Callable[[], None]) -> None:
        """See Backend."""
        connection = await self._servers.connect(self._running())
        failure: StoreError | None = None
        try:
            await self._look_at_settings(connection)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_ping, connection)
                try:
                    async for _ in connection.subscribe(self._channel):
                        wake()
                except StoreError as error:
                    failure = error
                nursery.cancel_scope.cancel()
        finally:
            connection.drop()
        raise failure or StoreError("the connection was closed")

    async def _look_at_settings(self, connection: Connection) -> None:
        """Warn of a server that drops keys when its memory is full. Some servers do not show it."""
        try:
            with trio.fail_after(_PING_TIMEOUT):
                found = await connection.call("INFO", "memory")
        except trio.TooSlowError:
            raise StoreError("no answer") from None
        except StoreError:
            if connection.usable:
                return
            raise
        memory = found if isinstance(found, bytes) else b""
        policy = re.search(rb"^maxmemory_policy:([a-z-]{1,32})\r?$", memory, re.MULTILINE)
        limited = re.search(rb"^maxmemory:[1-9]", memory, re.MULTILINE)
        if policy and limited and policy[1] != b"noeviction":
            name = policy[1].decode()
            text = (
                f"its maxmemory-policy is {name}: when its memory is full it drops keys, and limits are counted "
                "anew; set noeviction"
            )
            if text not in self._warned:
                self._warned.add(text)
                self._warn(text)

    async def _follow_sentinels(self) -> None:
        while True:
            await trio.sleep(_ASK_SENTINELS_EVERY)
            before, batches = self._servers.primary, self._batches
            if not before or not batches or batches.over:
                continue
            try:
                primary = await self._servers.find_primary(self._running())
            except StoreError:
                continue  # sentinels that are away say nothing of the server
            if primary != before and self._batches is batches:
                batches.end(StoreError(f"the sentinels now name {primary}"))

    def _running(self) -> trio.Nursery:
        if not self._nursery:
            raise StoreError("it is not connected")
        return self._nursery

    def __repr__(self) -> str:
        return f"<RedisBackend {self._servers.address}>"


async def _ping(connection: Connection) -> None:
    """Drop a connection that does not answer."""
    while connection.usable:
        await trio.sleep(_PING_EVERY)
        try:
            with trio.fail_after(_PING_TIMEOUT):
                await connection.call("PING")
        except (trio.TooSlowError, StoreError):
            connection.drop()
