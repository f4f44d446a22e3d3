"""What all replicas together use of their limits: asks are granted or denied, and what is left is given back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aibridge_trio.core.sharing.ledger_budgets import LedgerBudgets
from aibridge_trio.core.sharing.ledger_checks import MOST
from aibridge_trio.core.sharing.ledger_expiry import Expiring
from aibridge_trio.core.sharing.ledger_holdings import Holdings
from aibridge_trio.core.sharing.ledger_uses import Turns, UseLog, name_of, next_turn
from aibridge_trio.core.sharing.ledger_waits import Waits
from aibridge_trio.core.sharing.wire import BUDGET, USE

_MOST = 500_000


class Needs:
    """Holdings, uses and budgets. `now` is the ledger's time, `wall` the Unix time, for budgets: see `begin`."""

    def __init__(self, holdings: Holdings) -> None:
        self.holdings = holdings
        self._waits = Waits()
        self.now = self.wall = 0.0
        self._logs: Expiring[UseLog] = Expiring(_MOST)
        self._turns: Expiring[Turns] = Expiring(_MOST)
        self.budgets = LedgerBudgets()

    def begin(self, now: float, wall: float) -> None:
        """Begin a batch: forget some of what is out of date."""
        self.now, self.wall = now, wall
        self._logs.expire(now)
        self._turns.expire(now)
        self._waits.expire(now)
        self.budgets.expire(wall)

    def ask(self, replica: str, op: list[Any]) -> list[Any]:
        """Grant all of it or nothing; return the op's result."""
        _, holdings, uses, budget = op
        short: list[str] = []
        taken, refuses = self._free(replica, holdings, short)
        spent = 0
        if budget:
            key, tokens, per, _ = budget
            spent = self.budgets.spent(key, per, self.wall)
            if not refuses and spent + self.holdings.totals.get(BUDGET + key, 0) >= tokens:
                refuses = key
        counted = [self._find(each) for each in uses]
        fits, denied = self._fitting(uses, counted, short)
        wait = 0.0
        if denied and not refuses:
            refuses, wait = self._turn(uses, counted, denied)
        if not refuses:
            for key, amount in taken.items():
                self.holdings.add(replica, key, amount)
                self._waits.end(replica, key)
            if budget:
                self.holdings.add(replica, BUDGET + budget[0], budget[3])
            for index in fits:
                self._count(replica, uses[index], counted[index])
        totals = [self.holdings.totals.get(each[0], 0) for each in holdings]
        left = [self._left(use, found) for use, found in zip(uses, counted, strict=True)]
        return [0, refuses, wait, totals, left, spent] if refuses else [1, totals, left, spent, short]

    def wait(self, replica: str, keys: Collection[str], waiting: Collection[str]) -> None:
        """Note for which limits requests of a replica wait, and that none do for the others of these."""
        held = self.holdings.held[replica]
        for key in keys:
            if key not in waiting:
                self._waits.end(replica, key)
        for key in waiting:
            self._waits.wait(replica, key, held.get(key, 0), self.now)

    def leave(self, replica: str, op: list[Any]) -> int:
        """Give back what was granted; return the op's result."""
        _, holdings, settled, budget, uncounted = op
        take = self.holdings.take
        for key, amount in holdings:
            take(replica, key, amount)
        for key, span, estimate, used in settled:
            name = name_of(key, span)
            take(replica, USE + name, estimate)
            self._settle(name, span, used)
        if budget:
            key, estimate, used = budget
            take(replica, BUDGET + key, estimate)
            self.budgets.spend(key, used, self.wall)
        for key, span, at in uncounted:
            log = self._logs.get(name_of(key, span))
            if log is not None and at + span > self.now:
                log.uncount(at)
        return 0

    def lose(self, replica: str, key: str) -> None:
        """Take a key from a silent replica: what ran then is used now."""
        amount = self.holdings.take(replica, key, self.holdings.held[replica][key])
        if key.startswith(USE):
            name = key[len(USE) :]
            self._settle(name, span_of(name), amount)
        elif key.startswith(BUDGET):
            self.budgets.spend(key[len(BUDGET) :], amount, self.wall)

    def _free(self, replica: str, holdings: list[list[Any]], short: list[str]) -> tuple[dict[str, int], str]:
        """Return what can be held, and the first key that refuses; soft ones in the way are added to `short`."""
        totals, held, refuses = self.holdings.totals, self.holdings.held[replica], ""
        taken: dict[str, int] = {}
        for key, limit, amount, soft in holdings:
            more = taken.get(key, 0) + amount
            ordered = not soft and limit < MOST
            if totals.get(key, 0) + more <= limit and not (
                ordered and self._waits.bar(replica, key, held.get(key, 0), self.now)
            ):
                taken[key] = more
            elif soft:
                short.append(key)
            elif not refuses:
                refuses = key
        return taken, refuses

    def __repr__(self) -> str:
        return f"<Needs {self.holdings!r}, {len(self._logs)} logs>"

    def _find(self, use: list[Any]) -> tuple[str, UseLog]:
        """Return a use's name and its log."""
        span = use[2]
        name = name_of(use[0], span)
        log = self._logs.get(name)
        if log is None:
            log = UseLog()
            self._logs.put(name, log, self.now + span)
        else:
            log.expire(self.now, span)
        return name, log

    def _fitting(
        self, uses: list[Any], counted: list[tuple[str, UseLog]], short: list[str]
    ) -> tuple[list[int], list[int]]:
        """Return which uses fit, and which refuse; soft ones that do not fit are added to `short`."""
        fits: list[int] = []
        denied: list[int] = []
        taken: dict[str, int] = {}
        for index, (key, amount, _, count, running, soft) in enumerate(uses):
            name, log = counted[index]
            counts = log.total + taken.get(name, 0)
            if running:
                counts += self.holdings.totals.get(USE + name, 0)
            if counts + count <= amount or (running and not counts):
                fits.append(index)
                taken[name] = taken.get(name, 0) + count
            elif soft:
                short.append(key)
            else:
                denied.append(index)
        return fits, denied

    def _turn(self, uses: list[Any], counted: list[tuple[str, UseLog]], denied: list[int]) -> tuple[str, float]:
        """Give the use with the longest wait a turn; return its key and the wait."""
        latest, chosen, found = -1.0, denied[0], Turns()
        for index in denied:
            name, log = counted[index]
            runs = self.holdings.totals.get(USE + name, 0) if uses[index][4] else 0
            turns = self._turns.get(name) or Turns()
            turns.expire(self.now)
            turn = next_turn(log, turns, runs, uses[index], self.now)
            if turn > latest:
                latest, chosen, found = turn, index, turns
        key, amount, _, count, _, _ = uses[chosen]
        found.add(latest, min(count, amount))
        self._turns.put(counted[chosen][0], found, latest)
        return key, latest - self.now

    def _count(self, replica: str, use: list[Any], counted: tuple[str, UseLog]) -> None:
        _, amount, span, count, running, _ = use
        name, log = counted
        if running:
            self.holdings.add(replica, USE + name, count)
        elif count:
            log.count(self.now, count, amount, span)
            self._logs.put(name, log, self.now + span)

    def _settle(self, name: str, span: float, used: int) -> None:
        if not used:
            return
        log = self._logs.get(name) or UseLog()
        log.expire(self.now, span)
        log.settle(self.now, used, span)
        self._logs.put(name, log, self.now + span)

    def _left(self, use: list[Any], counted: tuple[str, UseLog]) -> list[float]:
        _, amount, span, _, running, _ = use
        name, log = counted
        runs = self.holdings.totals.get(USE + name, 0) if running else 0
        return [max(0, amount - log.total - runs), log.reset(self.now, span)]


def span_of(name: str) -> float:
    """Return the span in a use's name."""
    return float(name.partition(":")[0])
