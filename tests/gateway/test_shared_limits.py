"""Admissions of several replicas that share one ledger, in virtual time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.core.sharing.parts import part
from aibridge_trio.core.terms import Rate
from aibridge_trio.errors import Reject
from aibridge_trio.gateway.admission import Admission
from tests.gateway.test_admission import reply
from tests.support.ledger_store import Common

LATENCY = 0.002


@dataclass
class World:
    """Replicas, and what is in flight at the providers."""

    limits: Limits
    count: int = 3
    common: Common = field(default_factory=lambda: Common(LATENCY))
    inside: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    admitted: dict[str, list[float]] = field(default_factory=dict)
    ends: list[str] = field(default_factory=list)
    waits: dict[str, list[float]] = field(default_factory=dict)
    order: list[tuple[int, str]] = field(default_factory=list)
    # Of each replica that was cut off, the fewest replicas that it knew of then: its part is one of so many.
    known: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.admissions = [
            Admission(self.limits, trio.current_time, store=self.common.store()) for _ in range(self.count)
        ]

    async def request(
        self, replica: int, caller: str, provider: str, seconds: float, patience: float = 60.0
    ) -> None:
        """One request's way through the limits, as the gateway does it."""
        admission, began = self.admissions[replica], trio.current_time()
        who = Caller(caller.encode(), caller, authenticated=True)
        outcome = "left"
        try:
            with admission.enter() as lease:
                lease.charge_rate(who, reply())
                if not lease.acquire(who, provider):
                    await lease.wait_turn(patience)
                while await lease.ask():
                    await lease.wait_turn(patience, again=True)
                self.waits.setdefault(caller, []).append(trio.current_time() - began)
                self.admitted.setdefault(caller, []).append(trio.current_time())
                self.order.append((replica, caller))
                keys = ("slots", f"caller {caller}", f"provider {provider}")
                self.inside.update(keys)
                for key in keys:
                    self.most[key] = max(self.most[key], self.inside[key])
                try:
                    await trio.sleep(seconds)
                finally:
                    self.inside.subtract(keys)
            outcome = "served"
        except Reject as reject:
            outcome = reject.reason
        finally:
            self.ends.append(outcome)

    async def run(self, nursery: trio.Nursery) -> None:
        for admission in self.admissions:
            nursery.start_soon(admission.run)
        for store in self.common.stores:
            nursery.start_soon(store.run)
        await trio.testing.wait_all_tasks_blocked()

    def check_end(self) -> None:
        """Nothing is held anywhere."""
        assert not self.common.held
        for admission, store in zip(self.admissions, self.common.stores, strict=True):
            stats = admission.statistics()
            assert (stats.in_flight, stats.queue.waiting) == (0, 0)
            assert not store.held
            assert not admission.shared.others._own

    def check_rate(self) -> None:
        """In no span more than the rate's amount was admitted of any caller, over all replicas."""
        rate = self.limits.rate
        for times in self.admitted.values() if rate else ():
            assert rate
            times.sort()
            for first, last in zip(times, times[rate.amount :], strict=False):
                assert last - first >= rate.span - 1e-6


LIMITS = st.builds(
    Limits,
    st.integers(0, 5),
    st.integers(0, 3),
    st.integers(0, 4),
    queue_size=st.sampled_from([0, 0, 3, 50]),
    queue_timeout=st.sampled_from([0.3, 5.0]),
    rate=st.none() | st.builds(Rate, st.integers(1, 4), st.sampled_from([0.5, 2.0])),
)


async def crowd(world: World, chance: random.Random, requests: int) -> None:
    """Requests at random, of which some callers leave at any moment."""
    async with trio.open_nursery() as nursery:
        for _ in range(requests):
            call = partial(
                world.request,
                chance.randrange(world.count),
                chance.choice("abc"),
                chance.choice("xy"),
                chance.choice([0.0, 0.01, 0.3, 1.0]),
                chance.choice([0.2, 60.0]),
            )
            nursery.start_soon(
                leaving, call, chance.choice([LATENCY / 2, LATENCY * 1.5, 0.1, 1.0, 99.0, 99.0, 99.0])
            )
            await trio.sleep(chance.choice([0.0, 0.0, 0.001, 0.05, 0.4]))


async def leaving(call: Callable[[], Awaitable[None]], after: float) -> None:
    with trio.move_on_after(after):
        await call()


def play(world_of: Limits, seed: int, *, faults: bool) -> None:
    async def main() -> None:
        chance = random.Random(seed)
        world = World(world_of)
        async with trio.open_nursery() as nursery:
            await world.run(nursery)
            if faults:
                nursery.start_soon(break_contact, world, chance)
            await crowd(world, chance, 60)
            for store in world.common.stores:
                if store.condition == "degraded":
                    store.mend()
            await trio.sleep(10)
            nursery.cancel_scope.cancel()
        world.check_end()
        limits = world.limits
        for key, most in world.most.items():
            whole = {"s": limits.max_concurrency, "c": limits.per_caller, "p": limits.per_provider}[key[0]]
            if whole:
                assert most <= whole + sum(part(whole, known) for known in world.known.values()), key
        if not faults:
            world.check_rate()

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def break_contact(world: World, chance: random.Random) -> None:
    while True:
        await trio.sleep(chance.choice([0.1, 0.5, 2.0]))
        replica = chance.randrange(world.count)
        store = world.common.stores[replica]
        if store.condition == "degraded":
            store.mend()
        else:
            world.known[replica] = min(store.replicas, world.known.get(replica, store.replicas))
            store.cut()


@settings(max_examples=60, deadline=None)
@given(LIMITS, st.integers(0, 1 << 30))
def test_limits_hold_over_all_replicas(limits: Limits, seed: int) -> None:
    """Never more in flight than promised, rates exact over all; nothing is left behind, whichever leave."""
    play(limits, seed, faults=False)


@settings(max_examples=60, deadline=None)
@given(LIMITS, st.integers(0, 1 << 30))
def test_nothing_is_left_behind_by_faults(limits: Limits, seed: int) -> None:
    """Replicas lose the store at random: what is in flight exceeds a limit by their parts at most."""
    play(limits, seed, faults=True)


@pytest.mark.parametrize("messages", [True, False])
@pytest.mark.parametrize("seed", range(4))
async def test_no_capacity_stays_free_while_requests_wait(
    autojump_clock: MockClock, seed: int, messages: bool
) -> None:
    """For no longer than 200 ms, on whatever replica they wait; all are served, and callers in turn."""
    chance, limit = random.Random(seed), 3
    world = World(Limits(limit, queue_size=200, queue_timeout=1000.0))
    world.common.messages = messages
    idle = 0.0

    async def watch() -> None:
        nonlocal idle
        since = trio.current_time()
        while True:
            waiting = any(each.statistics().queue.waiting for each in world.admissions)
            if not waiting or world.inside["slots"] == limit:
                since = trio.current_time()
            idle = max(idle, trio.current_time() - since)
            await trio.sleep(0.005)

    async with trio.open_nursery() as nursery:
        await world.run(nursery)
        nursery.start_soon(watch)
        async with trio.open_nursery() as requests:
            for _ in range(90):
                who, seconds = chance.choice("abc"), chance.choice([0.1, 0.5, 1.0])
                requests.start_soon(world.request, chance.randrange(3), who, "x", seconds)
        nursery.cancel_scope.cancel()
    assert world.ends == ["served"] * 90
    assert idle <= (0.2 if messages else 0.35)
    assert world.most["slots"] == limit


async def test_order_within_a_replica_survives_denials(autojump_clock: MockClock) -> None:
    """Of one caller on one replica, the request that came first goes first, although the store denies some."""
    world, order = World(Limits(2, queue_size=100, queue_timeout=1000.0), count=2), list[int]()

    async def one(number: int) -> None:
        await world.request(0, "a", "x", 0.2)
        order.append(number)

    async with trio.open_nursery() as nursery:
        await world.run(nursery)
        async with trio.open_nursery() as requests:
            for number in range(30):
                requests.start_soon(one, number)
                requests.start_soon(world.request, 1, "b", "x", 0.25)
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert all(later - earlier >= -1 for earlier, later in pairwise(order))


async def test_callers_share_a_replicas_queue(autojump_clock: MockClock) -> None:
    """In each replica a caller with two requests has its turns in between another's forty."""
    world = World(Limits(2, queue_size=200, queue_timeout=1000.0), count=2)
    async with trio.open_nursery() as nursery:
        await world.run(nursery)
        async with trio.open_nursery() as requests:
            for number in range(80):
                requests.start_soon(world.request, number % 2, "greedy", "x", 0.5)
            await trio.sleep(0.1)
            for number in range(4):
                requests.start_soon(world.request, number % 2, "modest", "x", 0.5)
        nursery.cancel_scope.cancel()
    for replica in range(2):
        order = [caller for where, caller in world.order if where == replica]
        assert len(order) == 42
        turns = [place for place, caller in enumerate(order) if caller == "modest"]
        assert len(turns) == 2
        assert turns[1] < 6
    assert max(world.waits["greedy"]) > 15


async def test_asks_that_are_lost_are_let_in_up_to_the_part(autojump_clock: MockClock) -> None:
    """When the store goes away under four asks of a replica whose part is two, two go up and two are refused."""
    world = World(Limits(4, per_provider=4), count=2, common=Common(latency=0.5))
    async with trio.open_nursery() as nursery:
        await world.run(nursery)
        await trio.sleep(2)
        for _ in range(4):
            nursery.start_soon(world.request, 0, "a", "x", 5.0)
        await trio.sleep(0.2)
        world.common.stores[0].cut()
        await trio.sleep(2)
        assert world.inside["slots"] == 2
        assert world.ends == ["capacity"] * 2
        world.common.stores[0].mend()
        assert world.common.held == {"slots": 2, "provider:x": 2}
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    world.check_end()


async def test_a_lost_ask_is_let_in_up_to_the_part_of_a_rate(autojump_clock: MockClock) -> None:
    """The same for four requests of a caller that may have four in ten seconds, over two replicas."""
    world = World(Limits(rate=Rate(4, 10.0)), count=2, common=Common(latency=0.5))
    async with trio.open_nursery() as nursery:
        await world.run(nursery)
        await trio.sleep(2)
        for _ in range(4):
            nursery.start_soon(world.request, 0, "a", "x", 0.0)
        await trio.sleep(0.2)
        world.common.stores[0].cut()
        await trio.sleep(2)
        assert sorted(world.ends) == ["rate_limit"] * 2 + ["served"] * 2
        nursery.cancel_scope.cancel()
