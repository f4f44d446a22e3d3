"""A bounded queue that is fair between callers.

1. Turns go round by caller, not by request: one caller's 500 requests delay another's by at most one turn.
2. A caller's own requests are served in the order in which they came, except those whose lane is blocked.
3. When the queue is full, a new request is accepted only if some caller has more waiting than its own caller
   would have with it. Then the youngest request of the caller with the most waiting is pushed out. So no caller
   shuts out others by coming first, and no two callers push each other out by turns.

A lane is a request's provider, or those of which it needs one: what it waits for besides its turn.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

L = TypeVar("L", bound=Hashable)
T = TypeVar("T", bound=Hashable)


class FairQueue(Generic[L, T]):
    """Holds at most `size` items, each under its caller and lane."""

    def __init__(self, size: int) -> None:
        self._size = size
        # Callers in the order of their turns; their items by lane, in the order in which they came.
        self._callers: OrderedDict[Hashable, dict[L, deque[tuple[int, T]]]] = OrderedDict()
        self._where: dict[T, tuple[Hashable, L, int]] = {}
        self._lengths: dict[Hashable, int] = {}
        # Callers by their number of items, so that the longest is found without a search.
        self._by_length: list[OrderedDict[Hashable, None]] = [OrderedDict()]
        self._lanes: Counter[L] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return len(self._where)

    @property
    def size(self) -> int:
        """How many items it holds at most."""
        return self._size

    @property
    def callers(self) -> int:
        """How many callers have items in it."""
        return len(self._callers)

    @property
    def lanes(self) -> Iterable[L]:
        """The lanes that have items."""
        return self._lanes.keys()

    def __iter__(self) -> Iterator[T]:
        return iter(self._where)

    def waiting(self, caller: Hashable) -> int:
        """Return how many items a caller has in it."""
        return self._lengths.get(caller, 0)

    def waiting_in(self, caller: Hashable, counts: Callable[[L], bool]) -> int:
        """Return how many items a caller has in lanes for which `counts` returns true."""
        return sum(len(items) for lane, items in self._callers.get(caller, {}).items() if counts(lane))

    def accepts(self, caller: Hashable) -> bool:
        """Return whether one more item of this caller may be pushed."""
        return len(self) < self._size or self._longest() > self.waiting(caller) + 1

    def push(self, caller: Hashable, lane: L, item: T) -> T | None:
        """Add an item, which must be accepted; return the item that it pushed out, if any."""
        pushed_out = None
        if len(self) >= self._size:
            greediest = next(iter(self._by_length[self._longest()]))
            pushed_out = self._youngest(greediest)
            self.remove(pushed_out)
        self._count += 1
        self._callers.setdefault(caller, {}).setdefault(lane, deque()).append((self._count, item))
        self._where[item] = (caller, lane, self._count)
        self._lanes[lane] += 1
        self._resize(caller, +1)
        return pushed_out

    def remove(self, item: T) -> bool:
        """Remove an item, wherever it stands; return whether it was in the queue."""
        found = self._where.pop(item, None)
        if found is None:
            return False
        caller, lane, number = found
        lanes = self._callers[caller]
        lanes[lane].remove((number, item))
        if not lanes[lane]:
            del lanes[lane]
        self._lanes[lane] -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]
        if not lanes:
            del self._callers[caller]
        self._resize(caller, -1)
        return True

    def pop(self, can_go: Callable[[Hashable, L], bool]) -> T | None:
        """Remove and return the next item that can go by its caller and lane, None without one.

        Its caller then goes behind all others.
        """
        for caller in self._callers:
            if item := self.pop_from(caller, can_go):
                return item
        return None

    def pop_from(self, caller: Hashable, can_go: Callable[[Hashable, L], bool]) -> T | None:
        """Remove and return this caller's next item that can go, None without one; the caller's turn is over."""
        heads = [lane[0] for name, lane in self._callers.get(caller, {}).items() if can_go(caller, name)]
        if not heads:
            return None
        item = min(heads, key=lambda head: head[0])[1]
        self._callers.move_to_end(caller)
        self.remove(item)
        return item

    def turns_ahead(self, caller: Hashable) -> int:
        """Return how many turns come before that of one more item of this caller, if no lane is blocked.

        The caller's own items go first. Each of its turns comes after one turn of every caller before it in the
        round; in the last round the callers behind it come later.
        """
        turns = rounds = own = self.waiting(caller)
        if not own:  # it will be the last in the round
            return len(self._callers)
        rounds += 1
        for other, length in ((each, self._lengths[each]) for each in self._callers):
            if other == caller:
                rounds = own
            else:
                turns += min(length, rounds)
        return turns

    def __repr__(self) -> str:
        return f"<FairQueue {len(self)} of {self._size}, {self.callers} callers>"

    def _longest(self) -> int:
        return len(self._by_length) - 1

    def _youngest(self, caller: Hashable) -> T:
        return max((lane[-1] for lane in self._callers[caller].values()), key=lambda last: last[0])[1]

    def _resize(self, caller: Hashable, by: int) -> None:
        before = self._lengths.get(caller, 0)
        after = before + by
        if before:
            del self._by_length[before][caller]
        if after:
            self._lengths[caller] = after
            while len(self._by_length) <= after:
                self._by_length.append(OrderedDict())
            self._by_length[after][caller] = None
        else:
            del self._lengths[caller]
        while len(self._by_length) > 1 and not self._by_length[-1]:
            self._by_length.pop()
