"""Replicas whose requests queue for the same limit: what becomes free is shared out evenly, in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.limits.lease import Limits
from tests.gateway.test_shared_limits import World


async def turns_of(world: World, requests: dict[int, int], seconds: float) -> list[int]:
    """Let replica 0 have a long queue, then let the others ask; return whose turns came from then on, in order."""
    async with trio.open_nursery() as nursery:
        await world.run(nursery)
        async with trio.open_nursery() as asked:
            for replica, count in requests.items():
                for _ in range(count):
                    asked.start_soon(world.request, replica, f"c{replica}", "x", seconds, 1e6)
                if not replica:
                    await trio.sleep(2.5 * seconds)
                    began = trio.current_time()
        nursery.cancel_scope.cancel()
    assert world.ends == ["served"] * sum(requests.values())
    world.check_end()
    found = [(at, replica) for replica in requests for at in world.admitted[f"c{replica}"]]
    return [replica for at, replica in sorted(found) if at >= began]


@pytest.mark.parametrize(("limit", "provider"), [(1, 0), (2, 0), (3, 0), (7, 0), (0, 2), (50, 1)], ids=str)
async def test_a_long_queue_keeps_no_other_replica_waiting(
    autojump_clock: MockClock, limit: int, provider: int
) -> None:
    """Of three replicas whose requests wait each has a third of the turns, however long one's queue is."""
    world = World(Limits(limit, 0, provider, queue_size=500, queue_timeout=1e6))
    turns = await turns_of(world, {0: 120, 1: 20, 2: 20}, 1.0)
    most = provider or limit
    last = max(place for place, replica in enumerate(turns) if replica)
    assert last <= 3 * (20 + most), turns
    for replica in (1, 2):
        places = [-1, *(place for place, each in enumerate(turns) if each == replica)]
        # Slots that become free at once go to those that have fewest; else it is each one's turn.
        assert max(later - earlier for earlier, later in pairwise(places)) <= 3 + 2 * (most - 1), turns
    assert max(world.waits["c1"] + world.waits["c2"]) < 1.5 * (20 / (most / 3) + 3)


async def test_turns_for_one_slot_go_round(autojump_clock: MockClock) -> None:
    """Three replicas wait for one slot: each has every third turn."""
    turns = await turns_of(World(Limits(1, queue_size=500, queue_timeout=1e6)), {0: 60, 1: 10, 2: 10}, 0.5)
    assert turns[: 3 * 10] in ([1, 2, 0] * 10, [2, 1, 0] * 10, [0, 1, 2] * 10, [0, 2, 1] * 10)


async def test_a_replica_alone_has_all_turns_again(autojump_clock: MockClock) -> None:
    """When the others' requests have gone, it has what they had, at once: nothing is kept for them."""
    world = World(Limits(4, queue_size=500, queue_timeout=1e6))
    turns = await turns_of(world, {0: 200, 1: 4, 2: 4}, 0.5)
    assert set(turns[-150:]) == {0}
    times = world.admitted["c0"]
    last = max(world.admitted["c1"] + world.admitted["c2"])
    alone = [at for at in times if at > last + 1]
    assert len(alone) / (alone[-1] - alone[0]) > 0.95 * 4 / 0.5


async def test_one_that_needs_nothing_keeps_none_waiting(autojump_clock: MockClock) -> None:
    """A replica whose requests wait for another limit does not keep slots free."""
    world = World(Limits(4, 1, 0, queue_size=500, queue_timeout=1e6), count=2)
    async with trio.open_nursery() as nursery:
        await world.run(nursery)
        async with trio.open_nursery() as asked:
            for _ in range(20):
                asked.start_soon(world.request, 1, "one", "x", 1.0, 1e6)
            for number in range(40):
                asked.start_soon(world.request, 0, f"c{number % 4}", "x", 1.0, 1e6)
            for _ in range(8):
                await trio.sleep(1.1)
                assert world.inside["slots"] >= 3
        nursery.cancel_scope.cancel()
    # Four at a time, of which one has the shares of caller `one`.
    assert max(max(times) for name, times in world.admitted.items() if name != "one") < 15
