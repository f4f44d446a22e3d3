"""What a replica has used, and the store does not know yet: kept while the store is away, in sums for each key.

Memory is bounded: beyond 10,000 keys the oldest are forgotten. What is older than its span counts no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeVar

from aibridge_trio.core.sharing.needs import Leave, Settled

# Of each kind.
_MOST_KEYS = 10_000
# In one batch.
_MOST_AT_ONCE = 100


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Outbox:
    """Uses of rates, token windows and budgets that are to be posted."""

    def __init__(self) -> None:
        # By key and span: what was used, and when last.
        self._uses: dict[tuple[str, float], tuple[int, float]] = {}
        self._budgets: dict[str, int] = {}
        # By key, span and the store's time of the use: when it was given back.
        self._uncounted: dict[tuple[str, float, float], float] = {}

    def __len__(self) -> int:
        return len(self._uses) + len(self._budgets) + len(self._uncounted)

    def add(self, leave: Leave, now: float) -> None:
        """Keep what a request used. It holds nothing any more: holdings and estimates are left out."""
        for each in leave.settled:
            if each.used > 0:
                self._use(each.key, each.span, each.used, now)
        if leave.budget is not None and leave.budget[2] > 0:
            key, _, used = leave.budget
            self._budgets[key] = self._budgets.get(key, 0) + used
            _bound(self._budgets)
        for key, span, at in leave.uncounted:
            if at > 0:
                self._uncounted[key, span, at] = now
                _bound(self._uncounted)
            else:
                self._use(key, span, -1, now)

    def take(self, now: float) -> Leave:
        """Return the next part of what is to be posted, and keep it no longer; nothing if there is nothing."""
        uses = tuple(
            Settled(key, span, 0, used)
            for (key, span), (used, at) in _popped(self._uses)
            if used > 0 and at + span > now
        )
        uncounted = tuple(each for each, at in _popped(self._uncounted) if at + each[1] > now)
        # One budget at a time: a post has one.
        budget = next(((key, 0, used) for key, used in _popped(self._budgets, 1)), None)
        return Leave((), uses, budget, uncounted)

    def _use(self, key: str, span: float, used: int, now: float) -> None:
        before, at = self._uses.get((key, span), (0, now))
        if at + span <= now:
            before = 0
        self._uses[key, span] = (max(0, before + used), now)
        _bound(self._uses)

    def __repr__(self) -> str:
        return f"<Outbox uses={len(self._uses)} budgets={len(self._budgets)} uncounted={len(self._uncounted)}>"


def _bound(kept: dict[Any, Any]) -> None:
    if len(kept) > _MOST_KEYS:
        del kept[next(iter(kept))]


def _popped(kept: dict[_Key, _Value], most: int = _MOST_AT_ONCE) -> Iterator[tuple[_Key, _Value]]:
    for key in list(islice(kept, most)):
        yield key, kept.pop(key)
