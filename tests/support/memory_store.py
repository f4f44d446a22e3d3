"""A store in memory, and ways to it that fail: late, cut, refused, asked twice."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import trio

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.sharing.backend import StoreError

# What the store's clock shows at time 0 of the test.
_EPOCH = 1.7e9
# Between two events at the same time, so that they come in order.
_TICK = 1e-9


class MemoryStore:
    """A ledger, and replicas that listen."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.listeners: set[Callable[[], None]] = set()
        self.batches = 0

    def reset(self) -> None:
        """Lose all content."""
        self.ledger = Ledger()

    def execute(self, content: bytes) -> bytes:
        """Execute a batch now."""
        self.batches += 1
        before = self.ledger.number
        try:
            return self.ledger.execute(content, _EPOCH + trio.current_time())
        finally:
            if self.ledger.number != before:
                for wake in list(self.listeners):
                    wake()

    def total(self, key: str) -> int:
        """Return what all replicas hold."""
        return self.ledger._holdings.totals.get(key, 0)


class MemoryBackend:
    """A way to a store in memory. Faults are attributes, which may change at any time.

    delay    Seconds each way, at random up to this.
    refuse   Whether calls fail at once.
    cut      Whether nothing gets through, without an error.
    deaf     Whether replies are lost.
    late     Whether a batch that was given up reaches the store later all the same, after so many seconds; 0: not.
    twice    Whether each batch reaches the store twice.
    lie      What is returned in place of the reply, if anything.
    """

    def __init__(self, store: MemoryStore, *, delay: float = 0.0, seed: int = 0) -> None:
        self.store = store
        self.delay = delay
        self.refuse = self.cut = self.deaf = self.twice = False
        self.late = 0.0
        self.lie: bytes | None = None
        self.executed: list[bytes] = []
        self._random = random.Random(seed)
        self._there = self._back = self._later = 0.0
        self._calls: set[trio.CancelScope] = set()
        self._on_the_way: list[bytes] = []
        self._nursery: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    async def execute(self, batch: bytes) -> bytes:
        with trio.CancelScope() as call:
            self._calls.add(call)
            self._on_the_way.append(batch)
            try:
                return await self._exchange(batch)
            except BaseException:
                if call in self._calls:
                    self.reset_connection()
                raise
            finally:
                self._calls.discard(call)
        raise StoreError("the connection was lost")

    async def _exchange(self, batch: bytes) -> bytes:
        if self.refuse:
            await trio.lowlevel.checkpoint()
            raise StoreError("refused")
        self._there = arrival = self._next(self._there)
        await trio.sleep_until(arrival)
        if self.cut:
            await trio.sleep_forever()
        if batch in self._on_the_way:
            self._on_the_way.remove(batch)
        reply = self._execute(batch)
        self._back = arrival = self._next(self._back)
        await trio.sleep_until(arrival)
        if self.deaf:
            await trio.sleep_forever()
        return reply if self.lie is None else self.lie

    async def listen(self, wake: Callable[[], None]) -> None:
        if self.refuse or self.cut:
            await trio.lowlevel.checkpoint()
            raise StoreError("refused")

        def heeded() -> None:
            if not self.cut:
                wake()

        wake()
        self.store.listeners.add(heeded)
        try:
            await trio.sleep_forever()
        finally:
            self.store.listeners.discard(heeded)

    def reset_connection(self) -> None:
        """Drop the connection, and all that is on it; what comes late comes in the order in which it was sent."""
        late, self._on_the_way = self._on_the_way, []
        for batch in late if self.late else ():
            assert self._nursery is not None
            self._later = max(self._later + _TICK, trio.current_time() + self.late)
            self._nursery.start_soon(self._execute_late, batch, self._later)
        calls, self._calls = self._calls, set()
        self._there = self._back = 0.0
        for call in calls:
            call.cancel()

    def _next(self, last: float) -> float:
        """Return when something arrives that is sent now: after what was sent earlier."""
        return max(last + _TICK, trio.current_time() + self._random.uniform(0.0, self.delay))

    def _execute(self, batch: bytes) -> bytes:
        self.executed.append(batch)
        reply = self.store.execute(batch)
        if self.twice:
            self.store.execute(batch)
        return reply

    async def _execute_late(self, batch: bytes, late: float) -> None:
        await trio.sleep_until(late)
        self.store.execute(batch)


def ops_of(batch: bytes) -> list[Any]:
    """Return the ops of an encoded batch."""
    ops: list[Any] = json.loads(batch)[-1]
    return ops
