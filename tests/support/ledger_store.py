"""Stores of replicas that share one ledger, on Trio's clock; each may be cut off from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal

import trio

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.needs import Answer, Ask, Away, Granted, Leave, Message
from aibridge_trio.core.sharing.wire import Batch, Op, Reply
from aibridge_trio.sharing.store import Condition, Store

TTL = 3.0
# Spans are settled at this time after the store is back, at the latest (seconds).
_LONGEST_SETTLING = 60.0


class Common:
    """The ledger, and the stores of all replicas. `latency` is one way, in seconds."""

    def __init__(self, latency: float = 0.001) -> None:
        self.ledger = Ledger()
        self.latency = latency
        self.stores: list[LedgerStore] = []
        self.asks = 0
        self.messages = True  # whether they arrive

    def reset(self) -> None:
        """Lose all content."""
        self.ledger = Ledger()

    def store(self, failure: Literal["local", "closed"] = "local") -> LedgerStore:
        """Return one more replica's store."""
        store = LedgerStore(self, f"r{len(self.stores)}", failure)
        self.stores.append(store)
        return store

    def total(self, key: str) -> int:
        """Return what all replicas hold."""
        return self.ledger._holdings.totals.get(key, 0)

    @property
    def held(self) -> dict[str, int]:
        """What is held of all keys."""
        return {key: amount for key, amount in self.ledger._holdings.totals.items() if amount}


class LedgerStore:
    """One replica's store."""

    shared = True

    def __init__(self, common: Common, name: str, failure: Literal["local", "closed"]) -> None:
        self._common = common
        self._name = name
        self._failure = failure
        self._number = 0
        self._generation = ""
        self._since = -1
        self.held: Counter[str] = Counter()
        self._outbox: list[Leave] = []
        self._cut = False
        self._back_at = -_LONGEST_SETTLING
        self.replicas = 1
        self._topics: dict[str, list[Callable[[Message], None]]] = {}
        self._conditions: list[Callable[[Store], None]] = []
        self._lost: list[Callable[[], None]] = []
        self._kept: list[list[Any]] = []
        self.woken = trio.Event()
        self._execute(["register", {}])

    @property
    def condition(self) -> Condition:
        if self._cut:
            return "degraded" if self._failure == "local" else "closed"
        return "shared" if self.settled(_LONGEST_SETTLING) else "settling"

    def settled(self, span: float = 0.0) -> bool:
        return not self._cut and trio.current_time() >= self._back_at + min(max(span, TTL), _LONGEST_SETTLING)

    def cut(self) -> None:
        """Lose contact."""
        self._cut = True
        self._changed()

    def mend(self) -> None:
        """Be in contact again: register, and post what was given back meanwhile."""
        self._cut = False
        self._back_at = trio.current_time()
        self._execute(["register", dict(self.held)])
        posts, self._outbox = self._outbox, []
        for post in posts:
            self._post(post)
        self._changed()

    async def ask(self, ask: Ask) -> Answer:
        answer: Answer = Away()
        try:
            if self._cut:
                await trio.lowlevel.checkpoint()
                return answer
            self._common.asks += 1
            await trio.sleep(self._common.latency)
            if not self._cut:
                reply = self._execute(wire.ask(ask))
                answer = wire.answer(ask, reply.results[0], reply.time)
                if isinstance(answer, Granted):
                    self._take(ask, answer.short)
            await trio.sleep(self._common.latency)
        except trio.Cancelled:
            if isinstance(answer, Granted):
                self.leave(Leave.unused(ask, answer))
            raise
        return answer

    def hold(self, ask: Ask) -> None:
        self._take(ask, ())
        if not self._cut:  # it is back by now
            self._execute(["register", dict(self.held)])

    def leave(self, leave: Leave) -> None:
        if self._cut:
            self._outbox.append(leave)
        else:
            self._post(leave)

    async def call(self, op: Op) -> Any:
        await trio.sleep(self._common.latency)
        result = None if self._cut else self._execute(op).results[0]
        await trio.sleep(self._common.latency)
        return result

    def on_message(self, topic: str, handler: Callable[[Message], None]) -> None:
        self._topics.setdefault(topic, []).append(handler)

    def on_condition(self, handler: Callable[[Store], None]) -> None:
        self._conditions.append(handler)

    def on_lost(self, handler: Callable[[], None]) -> None:
        self._lost.append(handler)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fetch messages when there are any, and send a batch each second at the latest."""
        task_status.started()
        self._pass_on(self._kept)  # there were no handlers yet
        while True:
            with trio.move_on_after(TTL / 3):
                await self.woken.wait()
                await trio.sleep(self._common.latency)
            self.woken = trio.Event()
            if not self._cut:
                self._execute()

    def _execute(self, *ops: Op) -> Reply:
        self._number += 1
        batch = Batch(self._name, self._number, self._generation, TTL, self._since, list(ops))
        reply = wire.reply(self._common.ledger.execute(batch.encoded(), trio.current_time() + 1e6))
        if reply.status == "lost":
            before = self._generation
            self._execute(["register", dict(self.held)])
            if self._generation != before:
                self._back_at = trio.current_time()
                self._changed()
                for lost in self._lost:
                    lost()
            return self._execute(*ops)
        assert reply.status == "ok"
        if ops and ops[0][0] == "register":
            self._generation = reply.generation
            self._since, self._kept = reply.results[0][:2]
            self._pass_on(self._kept)
        self._since = reply.messages[-1][0] if reply.messages else self._since
        self._pass_on(reply.messages)
        for store in self._common.stores:
            if store._since < self._common.ledger.number:
                store.woken.set()
        if reply.replicas != self.replicas:
            self.replicas = reply.replicas
            self._changed()
        return reply

    def _pass_on(self, messages: list[list[Any]]) -> None:
        for message in map(wire.message, messages if self._common.messages else ()):
            for handler in self._topics.get(message.topic, ()):
                handler(message)

    def _post(self, leave: Leave) -> None:
        for key, amount in _given_back(leave):
            self.held[key] -= amount
            assert self.held[key] >= 0, f"{key} is given back twice"
            if not self.held[key]:
                del self.held[key]
        self._execute(wire.leave(leave))

    def _take(self, ask: Ask, short: tuple[str, ...]) -> None:
        for each in ask.holdings:
            if each.key not in short:
                self.held[each.key] += each.amount
        for use in ask.uses:
            if use.running:
                self.held[wire.held_use(use.key, use.span)] += use.count
        if ask.budget:
            self.held[wire.held_budget(ask.budget.key)] += ask.budget.estimate

    def _changed(self) -> None:
        for handler in self._conditions:
            handler(self)


def _given_back(leave: Leave) -> Iterator[tuple[str, int]]:
    yield from leave.holdings
    for each in leave.settled:
        yield wire.held_use(each.key, each.span), each.estimate
    if leave.budget:
        key, estimate, _ = leave.budget
        yield wire.held_budget(key), estimate
