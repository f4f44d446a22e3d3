"""The store of a process that shares nothing."""

from __future__ import annotations

from aibridge_trio.core.sharing.needs import Ask, Granted, Holding
from aibridge_trio.sharing.store import OwnStore, Store


async def test_everything_is_granted() -> None:
    """The process has checked its limits itself."""
    store: Store = OwnStore()
    assert await store.ask(Ask((Holding("slots", 1),))) == Granted(0.0)
    store.hold(Ask((Holding("slots", 1),)))
    assert (store.shared, store.condition, store.replicas, store.settled(60.0)) == (False, "own", 1, True)
