"""What callers have spent at all workers, to be saved for the next start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from aibridge_trio.core.budgets import Budgets, Snapshot
from aibridge_trio.core.limits import store_keys
from aibridge_trio.core.sharing.ledger_budgets import LedgerBudgets


class CommonBudgets(Protocol):
    """The budgets of all workers."""

    def know(self, names: Iterable[str]) -> None:
        """Know callers from now on."""

    def take(self, saved: object) -> None:
        """Count what was saved, after an earlier time what has come since. Raises ValueError for anything else."""

    def snapshot(self) -> Snapshot:
        """Return what was spent; it can run in a thread."""

    def begins(self, number: int) -> Snapshot | None:
        """Return what a new process of a worker takes over."""

    def heard(self, number: int, spent: Snapshot | None) -> None:
        """Note what a worker has counted."""


class CountedBudgets:
    """Those that the arbiter counts: workers need take over nothing, for they ask it.

    key_of_name  Returns the key by which workers name a known caller.
    wall         Returns the Unix time (seconds).
    """

    def __init__(
        self, counted: LedgerBudgets, key_of_name: Callable[[str], bytes], wall: Callable[[], float]
    ) -> None:
        self._counted = counted
        self._key_of_name = key_of_name
        self._wall = wall
        self._names: dict[str, str] = {}
        self._taken: Snapshot | None = None

    def know(self, names: Iterable[str]) -> None:
        """Know callers by their keys from now on."""
        for name in names:
            self._names[self._key(name)] = name

    def take(self, saved: object) -> None:
        """Count what was saved, after an earlier time what has come since. Raises ValueError for anything else."""
        present = Budgets()
        present.restore(self.snapshot())
        self._taken = present.restore(saved, self._taken)
        self.know(self._taken)
        spent = present.snapshot()
        for name in self._taken:
            if name in spent:
                pairs = {per: (number, tokens) for per, (number, tokens) in spent[name].items()}
                self._counted.replace(self._key(name), pairs, self._wall())

    def snapshot(self) -> Snapshot:
        """Return what was spent; it can run in a thread."""
        names = self._names
        return {
            names[key]: {per: list(pair) for per, pair in account.items()}
            for key, account in self._counted.accounts()
            if key in names
        }

    def begins(self, _number: int) -> None:
        """Return nothing."""

    def heard(self, _number: int, _spent: Snapshot | None) -> None:
        """Do nothing."""

    def _key(self, name: str) -> str:
        return store_keys.SPENT + store_keys.of_caller(self._key_of_name(name))

    def __repr__(self) -> str:
        return f"<CountedBudgets {self._counted!r}>"


class SummedBudgets:
    """Those that a store counts: this is what the workers of this machine have counted themselves."""

    def __init__(self) -> None:
        self._sum = Budgets()
        self._taken: Snapshot | None = None
        # By worker: what its process has begun with, or had counted by its last report.
        self._before: dict[int, Snapshot] = {}

    def know(self, _names: Iterable[str]) -> None:
        """Do nothing: workers name callers by their names."""

    def take(self, saved: object) -> None:
        """Count what was saved, after an earlier time what has come since. Raises ValueError for anything else."""
        self._taken = self._sum.restore(saved, self._taken)

    def snapshot(self) -> Snapshot:
        """Return what was spent; it can run in a thread."""
        return self._sum.snapshot()

    def begins(self, number: int) -> Snapshot:
        """Return what a new process of a worker takes over: all that is known."""
        self._before[number] = self._sum.snapshot()
        return self._before[number]

    def heard(self, number: int, spent: Snapshot | None) -> None:
        """Add what a worker has counted since."""
        if spent is not None:
            self._before[number] = self._sum.restore(spent, self._before.get(number))

    def __repr__(self) -> str:
        return f"<SummedBudgets {self._sum!r}>"
