"""Replicas that share one provider's breaker over a store in memory, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.shared_breaker import SharedBreaker
from aibridge_trio.core.breaker.state import BreakerStats, Mode, State
from aibridge_trio.core.breaker.verdict import SUCCESS, Evidence, Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import CircuitOpen
from aibridge_trio.events import Event, Transitioned
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.circuit import Circuit
from aibridge_trio.gateway.shared_breakers import SharedBreakers
from aibridge_trio.sharing.link import Link
from tests.support.memory_store import MemoryBackend, MemoryStore

OVERLOAD = Evidence(Verdict.FAILURE, "503", overload=True)


class Replica:
    """One replica: its way to the store, its link, its breaker, and its events."""

    def __init__(self, number: int, store: MemoryStore, policy: BreakerPolicy, *, delay: float = 0.002) -> None:
        self.backend = MemoryBackend(store, delay=delay, seed=number)
        self.link = Link(self.backend, replica_id=f"replica-{number}")
        self.events: list[Event] = []
        self.shared = SharedBreakers(self.link, trio.current_time)
        self.circuit = Circuit("openai", policy, trio.current_time, self.events.append, shared=self.shared)

    @property
    def breaker(self) -> SharedBreaker:
        assert isinstance(self.circuit.breaker, SharedBreaker)
        return self.circuit.breaker

    @property
    def stats(self) -> BreakerStats:
        return self.circuit.statistics()

    @property
    def state(self) -> State:
        return self.stats.state

    @property
    def said(self) -> list[str]:
        """Why its breaker changed."""
        return [event.because for event in self.events if isinstance(event, Transitioned)]

    async def begin(self, caller: Caller | None = None) -> Attempt:
        """Send a request to the provider, or raise CircuitOpen."""
        attempt = self.circuit.admit(caller)
        if attempt.needs_right:
            await attempt.ask_right()
        attempt.acquire()
        return attempt

    async def settle(self, *evidence: Evidence, caller: Caller | None = None) -> bool:
        """Send requests, one for each piece of evidence; return whether all were admitted."""
        try:
            for each in evidence:
                with await self.begin(caller) as attempt:
                    attempt.report(each)
        except CircuitOpen:
            return False
        return True

    def restart_contact(self) -> None:
        """Let the way to the store be well again."""
        self.backend.refuse = self.backend.cut = self.backend.deaf = False


@asynccontextmanager
async def replicas(
    count: int,
    policy: BreakerPolicy | None = None,
    *,
    delay: float = 0.002,
    store: MemoryStore | None = None,
    first: int = 0,
) -> AsyncIterator[list[Replica]]:
    """Run so many replicas, numbered from the `first` on, in contact with their store."""
    store = store or MemoryStore()
    found = [Replica(first + number, store, policy or BreakerPolicy(), delay=delay) for number in range(count)]
    async with trio.open_nursery() as nursery:
        for each in found:
            nursery.start_soon(each.circuit.run)
            await nursery.start(each.link.run)
        yield found
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool], within: float) -> None:
    """Wait for a condition in virtual time; fail after so many seconds."""
    with trio.fail_after(within):
        while not condition():
            await trio.sleep(0.001)


async def away(replica: Replica) -> None:
    """Cut a replica off, and wait until it knows."""
    replica.backend.refuse = True
    replica.backend.reset_connection()
    await until(lambda: replica.breaker.alone, 5.0)


__all__ = ["OVERLOAD", "SUCCESS", "Mode", "Replica", "State", "away", "replicas", "until"]
