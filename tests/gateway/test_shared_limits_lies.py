"""What a store says that is not so, of what others hold."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.core.sharing.wire import Op
from tests.gateway.test_shared_limits import LATENCY, World


@pytest.mark.parametrize("lie", [5, "a", {"a": 1}, ["a"], [None], [1.5], []], ids=repr)
async def test_totals_that_are_none_end_nothing(autojump_clock: MockClock, lie: object) -> None:
    """The replica goes on asking, and learns nothing from them."""
    world, asked = World(Limits(1), count=2), list[Op]()
    store = world.common.stores[0]

    async def call(op: Op) -> object:
        await trio.sleep(LATENCY)
        asked.append(op)
        return lie

    store.call = call  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        await world.run(nursery)
        nursery.start_soon(world.request, 1, "a", "x", 5.0)
        await trio.sleep(0.1)
        for _ in range(3):
            await world.request(0, "a", "x", 0.0)
            await trio.sleep(0.3)
        assert world.ends == ["capacity"] * 3
        assert len(asked) > 3
        nursery.cancel_scope.cancel()
