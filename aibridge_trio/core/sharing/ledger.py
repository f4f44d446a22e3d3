"""A store in Python, for the arbiter of workers and the simulator: it executes batches as the script in Redis.

Nothing is executed of a batch that is no batch: `execute` raises ValueError, and nothing has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from aibridge_trio.core.sharing.ledger_budgets import LedgerBudgets
from aibridge_trio.core.sharing.ledger_checks import check
from aibridge_trio.core.sharing.ledger_holdings import Holdings
from aibridge_trio.core.sharing.ledger_messages import SENT, Messages
from aibridge_trio.core.sharing.ledger_needs import Needs
from aibridge_trio.core.sharing.ledger_replicas import MOST_TAKEN, Replicas
from aibridge_trio.core.sharing.ledger_tallies import Claims, Tallies
from aibridge_trio.core.sharing.wire import Batch, Reply


class Ledger:
    """The limits that replicas share. `wall` is the Unix time (seconds); if it goes back, the ledger's goes on."""

    def __init__(self) -> None:
        self.generation = ""
        # When the content began, and whether a replica has known other content before.
        self._began, self._lost = 0.0, False
        self._messages = Messages()
        self._holdings = Holdings(self._freed)
        self._needs = Needs(self._holdings)
        self._replicas = Replicas()
        self._tallies = Tallies()
        self._claims = Claims()
        self._latest = self._offset = 0.0
        self._sender = ""
        self._others: dict[str, Callable[[str, list[Any], float], Any]] = {
            "totals": self._totals,
            "tally": self._tally,
            "set": self._set,
            "claim": self._claim,
            "forget": self._forget,
        }

    @property
    def number(self) -> int:
        """The number of the last message: replicas that know less have something to fetch."""
        return self._messages.number

    @property
    def replicas(self) -> int:
        """How many replicas are not silent."""
        return self._replicas.live

    @property
    def budgets(self) -> LedgerBudgets:
        """What is spent of budgets."""
        return self._needs.budgets

    def execute(self, content: bytes, wall: float) -> bytes:
        """Execute an encoded batch; return the encoded reply."""
        found = json.loads(content)
        if not isinstance(found, list) or len(found) != len(Batch._fields):
            raise ValueError("no batch")
        return json.dumps(self.run(Batch(*found), wall), separators=(",", ":")).encode()

    def run(self, batch: Batch, wall: float) -> Reply:
        """Execute a batch. Its lists may be in the reply, and belong to the ledger then."""
        check(batch)
        replica, number, generation, ttl, since, ops = batch
        now = self._tick(wall)
        if not self.generation:
            self.generation, self._began = generation_of(replica, number, now), now
        self._sender = replica
        self._reap(now)
        known = self._replicas.known.get(replica)
        last, applied = (known.number, known.applied) if known is not None else (0, 0)
        if number <= last:
            return self._reply("stale", last, now, [], [])
        registers = bool(ops) and ops[0][0] == "register"
        if registers:
            self._replicas.register(replica, now, ttl)
            if generation not in {"", self.generation} and not self._lost:
                self._lost = True
                self._messages.post("lost", "", now, replica)
        elif (
            known is None
            or not known.registered
            or generation != self.generation
            or (since >= 0 and not self._messages.knows(since))
        ):
            return self._reply("lost", last, now, [], [])
        self._replicas.hear(replica, number, now, ttl, applies=not registers or len(ops) > 1)
        listens = since >= 0 and not registers
        messages = self._messages.after(since, now) if listens else []
        before = self._messages.number
        results = [self._op(op, replica, applied, now) for op in ops]
        if listens:
            messages += self._messages.after(before, now)[: SENT - len(messages)]
        return self._reply("ok", number, now, messages, results)

    def lose(self, replica: str, wall: float) -> None:
        """Take at once what a replica holds that has died: as if it had been silent for too long."""
        self._tick(wall)
        known = self._replicas.known.get(replica)
        if known is not None and known.registered:
            self._sender = replica
            for key in sorted(self._holdings.held.get(replica, {})):
                self._needs.lose(replica, key)
            self._replicas.end(replica)

    def __repr__(self) -> str:
        return f"<Ledger {self._replicas!r} {self._holdings!r}>"

    def _tick(self, wall: float) -> float:
        """Return the ledger's time: after a step back of the clock it goes on from where it was."""
        now = wall + self._offset
        if now < self._latest:
            self._offset += self._latest - now
            now = self._latest
        self._latest = now
        self._needs.begin(now, wall)
        self._tallies.expire(now)
        self._claims.expire(now)
        return now

    def _reply(self, status: str, last: int, now: float, messages: list[Any], results: list[Any]) -> Reply:
        return Reply(status, self.generation, last, now, self._replicas.live, messages, results)

    def _op(self, op: list[Any], replica: str, applied: int, now: float) -> Any:
        name = op[0]
        if name == "ask":
            return self._needs.ask(replica, op)
        if name == "leave":
            return self._needs.leave(replica, op)
        if name == "register":
            self._holdings.replace(replica, op[1])
            return [
                self._messages.number,
                self._messages.kept(now),
                applied,
                now - self._began if self._lost else -1,
            ]
        return self._others[name](replica, op, now)

    def _totals(self, replica: str, op: list[Any], _now: float) -> list[int]:
        self._needs.wait(replica, op[1], op[2])
        return [self._holdings.watch(key) for key in op[1]]

    def _tally(self, _replica: str, op: list[Any], now: float) -> list[int]:
        return self._tallies.add(op[1], op[2], op[3], now)

    def _set(self, replica: str, op: list[Any], now: float) -> list[object]:
        return self._messages.set(op, now, replica)

    def _claim(self, replica: str, op: list[Any], now: float) -> int:
        return self._claims.claim(op[1], op[2], now, replica)

    def _forget(self, replica: str, _op: list[Any], _now: float) -> int:
        self._holdings.replace(replica, {})
        self._replicas.end(replica)
        return 0

    def _reap(self, now: float) -> None:
        left = MOST_TAKEN
        for replica in self._replicas.due(now):
            held = self._holdings.held.get(replica, {})
            lost = sorted(list(held)[:left])
            for key in lost:
                self._needs.lose(replica, key)
            left -= len(lost)
            if held:
                self._replicas.again(replica, now)
            elif self._replicas.remember(replica, now):
                self._holdings.held.pop(replica, None)

    def _freed(self, key: str) -> None:
        self._messages.post("freed", key, self._latest, self._sender)


def generation_of(replica: str, number: int, now: float) -> str:
    """Return the id of content that begins with this batch."""
    return hashlib.sha1(f"{now:.17g} {replica} {number}".encode(), usedforsecurity=False).hexdigest()[:16]
