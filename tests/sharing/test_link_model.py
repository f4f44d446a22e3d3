"""Replicas that serve requests over bad networks, in virtual time.

No more requests run than the store granted within its limit, and each replica's part; every answer comes in time;
when all is well again and all requests have left, nothing is held anywhere, and what was used has counted once.
"""

from __future__ import annotations

from collections.abc import Callable

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from aibridge_trio.core.sharing.needs import Ask, Away, BudgetUse, Granted, Holding, Leave, Settled, Use
from aibridge_trio.core.sharing.parts import part
from aibridge_trio.sharing.link import Link
from tests.support.memory_store import MemoryBackend, MemoryStore

LIMIT, TIMEOUT, TOKENS = 6, 0.05, 10**9
REPLICAS = st.integers(0, 2)
SECONDS = st.sampled_from([0.0, 0.001, 0.02, 0.05, 0.1, 0.7, 3.0])
REQUEST = st.tuples(st.just("request"), REPLICAS, SECONDS, st.none() | st.sampled_from([0.0, 0.0005, 0.002, 0.04]))
FAULT = st.tuples(
    st.sampled_from(["cut", "deaf", "refuse", "twice"]), REPLICAS, SECONDS, st.just(None) | st.just(1.0)
)
OTHER = st.tuples(
    st.sampled_from(["reset connection", "late", "slow", "lose content"]), REPLICAS, SECONDS, st.just(None)
)
Step = tuple[float, tuple[str, int, float, float | None]]
PLAN = st.lists(st.tuples(SECONDS, REQUEST | REQUEST | REQUEST | FAULT | OTHER), max_size=40)
ASK = Ask(
    (Holding("slots", LIMIT),),
    (Use("tokens", TOKENS, 600.0, 9, running=True), Use("rate", TOKENS, 600.0)),
    BudgetUse("b", TOKENS, "month", 9),
)


class Play:
    """What happens to three replicas of a store."""

    def __init__(self, *, ttl: float) -> None:
        self.store = MemoryStore()
        self.backends = [MemoryBackend(self.store, delay=0.002, seed=each) for each in range(3)]
        self.links = [
            Link(backend, replica_id=f"r{each}", timeout=TIMEOUT, ttl=ttl)
            for each, backend in enumerate(self.backends)
        ]
        self.granted, self.running = [0] * 3, [0] * 3
        self.used = self.most = 0
        self.lost_content = self.silent = False

    def may_go_on_alone(self, replica: int) -> bool:
        """Whether a replica's part has a slot free."""
        return self.running[replica] < part(LIMIT, self.links[replica].replicas)

    async def request(self, replica: int, seconds: float) -> None:
        """A request: asks, runs if it may, and gives back."""
        link = self.links[replica]
        if not link.settled() and not self.may_go_on_alone(replica):
            return
        began = trio.current_time()
        try:
            answer = await link.ask(ASK)
        finally:
            assert trio.current_time() - began <= TIMEOUT + 1e-9, "an answer came late"
        if isinstance(answer, Granted):
            self.granted[replica] += 1
        elif isinstance(answer, Away) and self.may_go_on_alone(replica):
            link.hold(ASK)
        else:
            return
        self.running[replica] += 1
        self.most = max(self.most, sum(self.running))
        used = 3
        try:
            await trio.sleep(seconds)
        finally:
            self.running[replica] -= 1
            self.granted[replica] -= isinstance(answer, Granted)
            self.used += used
            link.leave(Leave((("slots", 1),), (Settled("tokens", 600.0, 9, used),), ("b", 9, used)))

    async def do(self, name: str, replica: int, seconds: float, within: float | None) -> None:
        """One step of a plan."""
        backend = self.backends[replica]
        self.silent |= name in {"cut", "deaf", "slow", "reset connection"}
        if name == "request":
            with trio.move_on_after(within if within is not None else 1e9):
                await self.request(replica, seconds)
        elif name == "reset connection":
            backend.reset_connection()
        elif name == "late":
            backend.late = seconds
        elif name == "slow":
            backend.delay = min(seconds, 0.1)
        elif name == "lose content":
            self.lost_content = True
            self.store.reset()
        else:
            setattr(backend, name, True)
            await trio.sleep(5 * seconds)
            setattr(backend, name, False)

    async def run(self, plan: list[Step]) -> None:
        """Carry out a plan, and see that all is well in the end."""
        async with trio.open_nursery() as running:
            for link in self.links:
                await running.start(link.run)
            await trio.sleep(1.0)
            async with trio.open_nursery() as nursery:
                for pause, step in plan:
                    nursery.start_soon(self.do, *step)
                    await trio.sleep(pause)
            for backend in self.backends:
                backend.delay = backend.late = 0.0
            await trio.sleep(5.0)
            for link in self.links:
                assert link.condition in {"shared", "settling"}, "a replica did not return within seconds"
                assert not link._session.held
                assert not link._session.unposted
                assert await link.call(["totals", ["slots"], []]) is not None
                assert all(not held for held in self.store.ledger._holdings.held.values())
                assert not self.store.ledger._holdings.totals
            answer = await self.links[0].ask(Ask(budget=BudgetUse("b", TOKENS, "month", 0)))
            assert isinstance(answer, Granted)
            self.check(answer.spent)
            running.cancel_scope.cancel()
        assert self.store.ledger.replicas == 0

    def check(self, spent: int) -> None:
        """See what all together did."""
        assert self.most <= LIMIT + 3 * part(LIMIT, 3)
        if not self.lost_content:
            # More only if the reply to a registration was lost.
            assert spent >= self.used
            assert spent == self.used or self.silent


class ShortPlay(Play):
    """What silent replicas hold is taken: more may run, and estimates count as used."""

    def check(self, spent: int) -> None:
        assert spent >= 0


def played(make: Callable[[], Play], plan: list[Step]) -> None:
    """Run a plan in virtual time."""

    async def run() -> None:
        await make().run(plan)

    trio.run(run, clock=MockClock(autojump_threshold=0))


@given(PLAN)
@settings(max_examples=60)
def test_promises_are_kept_while_no_replica_is_given_up(plan: list[Step]) -> None:
    """At most the limit by the store, and each replica's part of it."""
    played(lambda: Play(ttl=300.0), plan)


@given(PLAN)
@settings(max_examples=60)
def test_nothing_is_leaked_when_replicas_are_given_up(plan: list[Step]) -> None:
    """They return, with what they hold."""
    played(lambda: ShortPlay(ttl=2.0), plan)
