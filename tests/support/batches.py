"""A replica that sends batches to a ledger: one op each, if a test says no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.needs import Answer, Ask, Leave
from aibridge_trio.core.sharing.wire import Batch, Op, Reply


class Replica:
    """Registers when it begins. `execute` is a store; `clock` is the store's."""

    def __init__(
        self,
        execute: Callable[[Batch, float], Reply],
        name: str = "a",
        *,
        ttl: float = 3.0,
        held: dict[str, int] | None = None,
        now: float = 1_000.0,
    ) -> None:
        self._execute = execute
        self.name, self.ttl = name, ttl
        self.number, self.generation, self.since = 0, "", -1
        self.reply: Reply
        self.register(now, held or {})

    @classmethod
    def of(cls, ledger: Ledger, name: str = "a", **options: Any) -> Replica:
        """Return one of a ledger."""
        return cls(ledger.run, name, **options)

    def send(self, *ops: Op, now: float) -> Reply:
        """Send a batch."""
        self.number += 1
        batch = Batch(self.name, self.number, self.generation, self.ttl, self.since, list(ops))
        self.reply = self._execute(batch, now)
        return self.reply

    def register(self, now: float, held: dict[str, int]) -> Reply:
        """Register with what it holds."""
        reply = self.send(["register", held], now=now)
        assert reply.status == "ok"
        self.generation, self.since = reply.generation, reply.results[0][0]
        return reply

    def op(self, *op: Any, now: float) -> Any:
        """Execute an op; return its result."""
        reply = self.send(list(op), now=now)
        assert reply.status == "ok"
        return reply.results[0]

    def ask(self, ask: Ask, now: float) -> Answer:
        """Ask for what a request needs."""
        result = self.op(*wire.ask(ask), now=now)
        return wire.answer(ask, result, self.reply.time)

    def leave(self, leave: Leave, now: float) -> None:
        """Give back."""
        self.op(*wire.leave(leave), now=now)
