"""Bounds on what one connection of a caller may take: time, and bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

# How long (seconds) a connection may idle: longer than callers' pools keep one (httpx 5, undici 4, hyper 90), so
# that callers close first, and no request meets a closing connection.
KEEP_ALIVE = 120.0
# From the first byte of a head to its last (seconds).
HEAD_TIMEOUT = 30.0
# A body must arrive at BODY_RATE (bytes per second) on average: waiting uses this budget (seconds) up, and
# arriving bytes refill it. It is longer than UPLOAD_SILENCE, after which applications here respond by themselves.
BODY_TIMEOUT = 75.0
BODY_RATE = 500
# What arrives after an early response is read and discarded, for this long (seconds) and this much (bytes: what
# the default --max-body would have let in). If the connection closed first, the caller could lose the response.
DISCARD_SECONDS = 5.0
DISCARD_BYTES = 32 * 1024 * 1024
# Unfinished heads (bytes): what each may hold outside the budget, and the budget of all of them beyond that. An
# ordinary head is shorter and arrives at once; thousands of long unfinished ones would take hundreds of megabytes.
FREE_HEAD = 8 * 1024
ALL_HEADS = 16 * 1024 * 1024


class HeadBudget:
    """The memory budget for unfinished heads of all connections of a server; FREE_HEAD bytes each are free."""

    def __init__(self, budget: int = ALL_HEADS) -> None:
        self._left = budget
        self._unfinished: OrderedDict[Callable[[], object], None] = OrderedDict()

    def begin(self, drop: Callable[[], object]) -> None:
        """Add a head that did not arrive in one piece; `drop` ends its connection."""
        self._unfinished[drop] = None

    def end(self, drop: Callable[[], object], size: int) -> None:
        """Remove such a head, `size` bytes of which have been counted."""
        self._unfinished.pop(drop, None)
        self.grow(size, 0)

    def drop_oldest(self) -> bool:
        """Drop the connection whose head began first; return whether there was one."""
        if not self._unfinished:
            return False
        drop, _ = self._unfinished.popitem(last=False)
        drop()
        return True

    def grow(self, before: int, size: int) -> bool:
        """Count the growth of a head from `before` to `size` bytes; return False if it exceeds the budget."""
        more = max(0, size - FREE_HEAD) - max(0, before - FREE_HEAD)
        if more > self._left:
            return False
        self._left -= more
        return True

    def __repr__(self) -> str:
        return f"<HeadBudget unfinished={len(self._unfinished)} left={self._left}>"
