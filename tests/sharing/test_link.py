"""The store of a replica."""

from __future__ import annotations

from collections.abc import Callable

import trio

from aibridge_trio.core.sharing.needs import Ask, Away, Holding
from aibridge_trio.sharing.backend import StoreError
from aibridge_trio.sharing.link import Link
from aibridge_trio.sharing.store import Store


class NoBackend:
    """A store that is away."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()

    async def execute(self, batch: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        raise StoreError("away")

    async def listen(self, wake: Callable[[], None]) -> None:
        await trio.lowlevel.checkpoint()
        raise StoreError("away")


async def test_without_contact_everything_is_away() -> None:
    """The replica goes on with its part."""
    store: Store = Link(NoBackend(), replica_id="r")
    assert await store.ask(Ask((Holding("slots", 1),))) == Away()
    assert (store.shared, store.condition, store.replicas, store.settled()) == (True, "degraded", 1, False)
