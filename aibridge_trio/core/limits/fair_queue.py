"""Who waits, and who is next: a bounded line that is fair between callers.

1. Turns go round by caller, not by request: one caller's 500 requests cost another at most one turn.
2. A caller's own requests are served in the order in which they came, except those whose lane is blocked.
3. With `size` waiting, a newcomer is let in only at the cost of the youngest request of the caller with the
   longest line, and only if its own line is shorter by two or more: so no caller can shut others out by coming
   first, and no two callers can push each other out by turns.

A lane is what a request waits for besides its turn: its provider.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FairQueue(Generic[T]):
    """At most `size` items wait in it, each under its caller and lane."""

    def __init__(self, size: int) -> None:
        self._size = size
        # Callers in the order of their turns; their items in the order in which they came, by lane.
        self._lines: OrderedDict[Hashable, dict[str, deque[tuple[int, T]]]] = OrderedDict()
        self._where: dict[T, tuple[Hashable, str, int]] = {}
        self._lengths: dict[Hashable, int] = {}
        # Callers by how many of theirs wait, so that the longest line need not be looked for.
        self._by_length: list[OrderedDict[Hashable, None]] = [OrderedDict()]
        self._lanes: Counter[str] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return len(self._where)

    @property
    def size(self) -> int:
        """How many may wait."""
        return self._size

    @property
    def callers(self) -> int:
        """How many callers wait."""
        return len(self._lines)

    @property
    def lanes(self) -> Iterable[str]:
        """The lanes in which anybody waits."""
        return self._lanes.keys()

    def __iter__(self) -> Iterator[T]:
        return iter(self._where)

    def waiting(self, caller: Hashable) -> int:
        """Return how many of a caller's items wait."""
        return self._lengths.get(caller, 0)

    def waiting_in(self, caller: Hashable, counts: Callable[[str], bool]) -> int:
        """Return how many of a caller's items wait in lanes that count."""
        return sum(len(items) for lane, items in self._lines.get(caller, {}).items() if counts(lane))

    def has_room(self, caller: Hashable) -> bool:
        """Tell whether one more item of this caller would be let in."""
        return len(self) < self._size or self._longest() > self.waiting(caller) + 1

    def push(self, caller: Hashable, lane: str, item: T) -> T | None:
        """Let an item wait (there must be room for it); return the one that had to leave for it."""
        pushed_out = None
        if len(self) >= self._size:
            greediest = next(iter(self._by_length[self._longest()]))
            pushed_out = self._youngest(greediest)
            self.remove(pushed_out)
        self._count += 1
        self._lines.setdefault(caller, {}).setdefault(lane, deque()).append((self._count, item))
        self._where[item] = (caller, lane, self._count)
        self._lanes[lane] += 1
        self._resize(caller, +1)
        return pushed_out

    def remove(self, item: T) -> bool:
        """Let an item leave, wherever it stands; tell whether it waited."""
        place = self._where.pop(item, None)
        if place is None:
            return False
        caller, lane, number = place
        lanes = self._lines[caller]
        lanes[lane].remove((number, item))
        if not lanes[lane]:
            del lanes[lane]
        self._lanes[lane] -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]
        if not lanes:
            del self._lines[caller]
        self._resize(caller, -1)
        return True

    def next(self, free: Callable[[Hashable, str], bool]) -> T | None:
        """Take the next item whose caller and lane are free, and end its caller's turn; None without one."""
        for caller in self._lines:
            if item := self.next_of(caller, free):
                return item
        return None

    def next_of(self, caller: Hashable, free: Callable[[Hashable, str], bool]) -> T | None:
        """Take this caller's next item whose lane is free, and end its turn; None without one."""
        heads = [lane[0] for name, lane in self._lines.get(caller, {}).items() if free(caller, name)]
        if not heads:
            return None
        item = min(heads, key=lambda head: head[0])[1]
        self._lines.move_to_end(caller)
        self.remove(item)
        return item

    def ahead(self, caller: Hashable) -> int:
        """Return how many turns come before that of one more item of this caller, if all lanes are free.

        Its own line goes first. Each of its turns is behind one of every caller that is before it in the round; in
        the last round those behind it come later.
        """
        turns = rounds = own = self.waiting(caller)
        if not own:  # it will be the last in the round
            return len(self._lines)
        rounds += 1
        for other, length in ((each, self._lengths[each]) for each in self._lines):
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
        return max((lane[-1] for lane in self._lines[caller].values()), key=lambda last: last[0])[1]

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
