"""What one connection of a caller may take: time, and bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

# How long (seconds) a connection may idle: longer than the callers' pools keep it (httpx 5, undici 4, hyper 90),
# so that it is they who close, and no request meets a closing connection.
KEEP_ALIVE = 120.0
# From the first byte of a head to its last (seconds).
HEAD_TIMEOUT = 30.0
# A body must come: the patience with it (seconds) is used up while it is waited for, and what comes earns some
# anew. Longer than the minute after which applications here answer a silent upload by themselves.
BODY_TIMEOUT = 75.0
BODY_RATE = 500
# What still comes behind an early answer is read and thrown away, for so long (seconds) and so much (bytes: what
# the default --max-body would have let in): closed before, the caller might lose the answer.
DISCARD_SECONDS = 5.0
DISCARD_BYTES = 32 * 1024 * 1024
# Unfinished heads: what each may hold by itself, and what all of them may hold beyond that (bytes). An ordinary
# head is shorter and comes whole. Thousands of long ones that never end would be hundreds of megabytes.
FREE_HEAD = 8 * 1024
ALL_HEADS = 16 * 1024 * 1024


class HeadBudget:
    """Unfinished heads of all connections of a server, and their bytes, those beyond FREE_HEAD each."""

    def __init__(self, budget: int = ALL_HEADS) -> None:
        self._left = budget
        self._unfinished: OrderedDict[Callable[[], object], None] = OrderedDict()

    def begin(self, drop: Callable[[], object]) -> None:
        """See a head that has not come in one piece; `drop` ends its connection."""
        self._unfinished[drop] = None

    def end(self, drop: Callable[[], object], size: int) -> None:
        """See the end of such a head, `size` bytes of which have been counted."""
        self._unfinished.pop(drop, None)
        self.grow(size, 0)

    def drop_oldest(self) -> bool:
        """Drop the one that began first; tell whether there was one."""
        if not self._unfinished:
            return False
        drop, _ = self._unfinished.popitem(last=False)
        drop()
        return True

    def grow(self, before: int, size: int) -> bool:
        """Let an unfinished head grow from `before` to `size` bytes; tell whether there is room for that."""
        more = max(0, size - FREE_HEAD) - max(0, before - FREE_HEAD)
        if more > self._left:
            return False
        self._left -= more
        return True

    def __repr__(self) -> str:
        return f"<Heads unfinished={len(self._unfinished)} left={self._left}>"
