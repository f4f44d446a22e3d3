"""What all workers save together, for the next start.

Budgets are those of all. Breakers are the same in all workers: those of the last worker that reported are saved.
What `--adaptive` has learned is each worker's own part: worker N takes over what worker N had. With another number
of workers it begins anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.core.snapshots import Saved, number
from aibridge_trio.workers.budgets import CommonBudgets


class CommonState:
    """The state of so many workers; `ask` returns what each has learned, by its number.

    It is saved by SavedState; see State there.
    """

    def __init__(
        self,
        workers: int,
        budgets: CommonBudgets,
        ask: Callable[[], Awaitable[dict[int, Saved]]],
        wall: Callable[[], float],
    ) -> None:
        self._workers = workers
        self._budgets = budgets
        self._ask = ask
        self._wall = wall
        self._breakers: Saved | None = None  # as they were saved
        self._served = False
        self._own: dict[int, Saved] = {}
        self._latest: Saved | None = None  # of the last worker that reported

    def know(self, callers: KnownCallers) -> None:
        """Know the budgets of these callers from now on."""
        self._budgets.know(each.name for each in callers.callers if each.terms.budget)

    def take(self, saved: Saved, *, learned: bool) -> None:
        """Take over what was saved; of budgets what has come since the last time. Raises ValueError."""
        at = number(saved, "saved_at")
        if "budgets" in saved:
            self._budgets.take(saved["budgets"])
        if not learned:
            return
        self._breakers = {"saved_at": at, "providers": _only(saved.get("providers"), "breakers")}
        own = saved.get("workers")
        if isinstance(own, list) and len(own) == self._workers:
            self._own = {place: each for place, each in enumerate(own, 1) if _is_dated(each)}

    def begins(self, number: int) -> tuple[Saved, ...]:
        """Return what a new process of a worker takes over."""
        found = [None if self._served else self._breakers, self._own.get(number)]
        if (spent := self._budgets.begins(number)) is not None:
            found.append({"saved_at": self._wall(), "budgets": spent})
        return tuple(each for each in found if each)

    def served(self) -> None:
        """Note that workers serve: from now on a new process learns from the others how breakers are."""
        self._served = True

    def heard(self, number: int, saved: Saved) -> None:
        """Note what a worker would save."""
        self._budgets.heard(number, saved.get("budgets"))
        self._latest = saved
        self._own[number] = {"saved_at": saved["saved_at"], "providers": _only(saved["providers"], "learned")}

    async def snapshot(self) -> Callable[[], Saved]:
        """Return what gives what is to be saved: it runs in a thread."""
        for worker, saved in (await self._ask()).items():
            self.heard(worker, saved)
        latest = self._latest or self._breakers
        at = latest["saved_at"] if latest else self._wall()
        providers = _only(latest["providers"], "breakers") if latest else {}
        own = [self._own.get(each) for each in range(1, self._workers + 1)]
        return lambda: {
            "saved_at": at,
            "budgets": self._budgets.snapshot(),
            "providers": providers,
            "workers": own,
        }

    def __repr__(self) -> str:
        return f"<CommonState of {self._workers} {self._budgets!r}>"


def _only(providers: Any, name: str) -> Saved:
    """Return one part of each provider."""
    if not isinstance(providers, dict):
        return {}
    return {key: {name: each.get(name)} for key, each in providers.items() if isinstance(each, dict)}


def _is_dated(saved: Any) -> bool:
    try:
        return isinstance(saved, dict) and number(saved, "saved_at") >= 0
    except ValueError:
        return False
