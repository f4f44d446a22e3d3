"""What other replicas hold of limits that refused a request lately: the store need not be asked about them.

A limit is full for this replica if what it holds and what others hold is the whole of it. Each answer of the store
renews what is known of others, and while it matters a question every `REFRESH` seconds; what is older than
`FORGOTTEN` seconds counts no more: then the next request asks.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping

from aibridge_trio.core.sharing.needs import Denied, Granted, Holding

REFRESH, FORGOTTEN = 0.1, 1.0
# Limits that are remembered: as many as one op asks for.
MOST = 256


class Others:
    """Counts what the store has granted to this replica, and what others hold.

    `tell` is called with the key of a limit and what others hold of it, whenever that changes. `now` is in seconds
    on any monotonic clock.
    """

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._tell = tell
        self._own: Counter[str] = Counter()
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()  # the amount, and since when
        self._missed = -math.inf  # when a request was refused or had to wait

    def __len__(self) -> int:
        return len(self._known)

    def took(self, holdings: Iterable[tuple[str, int]]) -> None:
        """Note what the store has granted, or holds for this replica."""
        for key, amount in holdings:
            self._own[key] += amount

    def gave_back(self, holdings: Iterable[tuple[str, int]]) -> None:
        """Note what the store was given back."""
        for key, amount in holdings:
            self._own[key] -= amount
            if not self._own[key]:
                del self._own[key]

    def answered(self, needs: Iterable[Holding], answer: Granted | Denied, now: float) -> None:
        """Learn from an answer, after `took`: of limits that are known, and of those that refuse."""
        for need in needs:
            total = answer.totals.get(need.key)
            if total is None:
                continue
            if isinstance(answer, Denied) and need.key == answer.key:
                # Whatever was counted meanwhile: it is full.
                self._set(need.key, max(total, need.limit) - self._own[need.key], now)
            elif need.key in self._known:
                self._set(need.key, total - self._own[need.key], now)

    def told(self, totals: Mapping[str, int], now: float) -> None:
        """Learn what all replicas hold of some limits."""
        for key, total in totals.items():
            if key in self._known:
                self._set(key, total - self._own[key], now)

    def missed(self, now: float) -> None:
        """Note that a request is refused, or waits: then what is known goes on to matter."""
        self._missed = now

    def due(self, now: float, *, waiting: bool) -> list[str]:
        """Forget what is out of date, and return the limits of which the store should be asked."""
        if not waiting and now - self._missed > FORGOTTEN:
            self.forget()
        for key, (_, at) in [*self._known.items()]:
            if now - at > FORGOTTEN:
                self._set(key, 0, now)
        return [*self._known]

    def forget(self) -> None:
        """Forget what others hold."""
        for key in [*self._known]:
            self._set(key, 0, 0.0)

    def __repr__(self) -> str:
        return f"<Others of {len(self)} limits, {len(self._own)} in use>"

    def _set(self, key: str, amount: int, now: float) -> None:
        before, _ = self._known.pop(key, (0, 0.0))
        amount = max(0, amount)
        if amount:
            self._known[key] = amount, now
        if amount != before:
            self._tell(key, amount)
        if len(self._known) > MOST:
            self._set(next(iter(self._known)), 0, now)
