"""A bounded queue that is fair between callers.

1. Turns go round by caller, not by request: one caller's 500 requests delay another's by at most one turn.
2. A caller's own requests are served in the order in which they came, except those whose lane is blocked.
3. Callers of low priority are served behind all others, but get one turn of ten (core/priority.py).
4. When the queue is full, a new request is accepted only if some caller has more waiting than its own caller
   would have with it. Then the youngest request of the caller with the most waiting is pushed out. So no caller
   shuts out others by coming first, and no two callers push each other out by turns.
5. Callers of either priority push out only their like, with one exception: in a full queue a request of normal
   priority pushes out one of low priority, as long as those have more than a tenth of the places.

A lane is a request's provider, or those of which it needs one: what it waits for besides its turn.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from itertools import chain, takewhile
from typing import Generic, TypeVar

from aibridge_trio.core.priority import LOW_TURN, LowTurns

L = TypeVar("L", bound=Hashable)
T = TypeVar("T", bound=Hashable)

# The part of the places that callers of low priority are not pushed out of.
_KEPT_FOR_LOW = 10


class _Round(Generic[L, T]):
    """The callers of one priority in the order of their turns; their items by lane, in the order of arrival."""

    def __init__(self) -> None:
        self.callers: OrderedDict[Hashable, dict[L, deque[tuple[int, T]]]] = OrderedDict()
        self.lengths: dict[Hashable, int] = {}
        self.count = 0
        # Callers by their number of items, so that the longest is found without a search.
        self._by_length: list[OrderedDict[Hashable, None]] = [OrderedDict()]

    @property
    def longest(self) -> int:
        """How many items the caller with the most has."""
        return len(self._by_length) - 1

    def youngest(self) -> T:
        """Return the youngest item of the caller with the most."""
        greediest = next(iter(self._by_length[self.longest]))
        return max((lane[-1] for lane in self.callers[greediest].values()), key=lambda last: last[0])[1]

    def push(self, caller: Hashable, lane: L, item: tuple[int, T]) -> None:
        self.callers.setdefault(caller, {}).setdefault(lane, deque()).append(item)
        self._resize(caller, +1)

    def put_back(self, caller: Hashable, lane: L, item: tuple[int, T]) -> None:
        """Put an item back where it stood: before all that came later. Its caller has the next turn."""
        items = self.callers.setdefault(caller, {}).setdefault(lane, deque())
        before = takewhile(lambda each: each[0] < item[0], items)  # few: those that had their turns with it
        items.insert(sum(1 for _ in before), item)
        self.callers.move_to_end(caller, last=False)
        self._resize(caller, +1)

    def remove(self, caller: Hashable, lane: L, item: tuple[int, T]) -> None:
        lanes = self.callers[caller]
        lanes[lane].remove(item)
        if not lanes[lane]:
            del lanes[lane]
        if not lanes:
            del self.callers[caller]
        self._resize(caller, -1)

    def move_to(self, other: _Round[L, T], caller: Hashable) -> None:
        """Move a caller with all of its items to the end of another round."""
        length = self.lengths[caller]
        self._resize(caller, -length)
        other.callers[caller] = self.callers.pop(caller)
        other._resize(caller, length)

    def _resize(self, caller: Hashable, by: int) -> None:
        before = self.lengths.get(caller, 0)
        after = before + by
        self.count += by
        if before:
            del self._by_length[before][caller]
        if after:
            self.lengths[caller] = after
            while len(self._by_length) <= after:
                self._by_length.append(OrderedDict())
            self._by_length[after][caller] = None
        else:
            del self.lengths[caller]
        while len(self._by_length) > 1 and not self._by_length[-1]:
            self._by_length.pop()


class FairQueue(Generic[L, T]):
    """Holds at most `size` items, each under its caller and lane. With a smaller `size` none has to leave.

    `group_of` returns the group that a caller belongs to, "" for none. `count` is how many there are.
    """

    def __init__(self, size: int, group_of: Callable[[Hashable], str] = lambda _: "") -> None:
        self.size = size
        self._group_of = group_of
        self._groups: Counter[str] = Counter()
        self._normal: _Round[L, T] = _Round()
        self._low: _Round[L, T] = _Round()
        self._low_turns = LowTurns()
        self._where: dict[T, tuple[Hashable, L, int]] = {}
        self.count = 0
        self._lanes: Counter[L] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return len(self._where)

    @property
    def callers(self) -> int:
        """How many callers have items in it."""
        return len(self._normal.callers) + len(self._low.callers)

    @property
    def in_turn(self) -> Iterable[Hashable]:
        """The callers that have items, in the order of their turns, those of low priority last."""
        return chain(self._normal.callers, self._low.callers)

    @property
    def lanes(self) -> Iterable[L]:
        """The lanes that have items."""
        return self._lanes.keys()

    @property
    def groups(self) -> Collection[str]:
        """The groups whose callers have items."""
        return self._groups.keys()

    def __iter__(self) -> Iterator[T]:
        return iter(self._where)

    def waiting(self, caller: Hashable) -> int:
        """Return how many items a caller has in it."""
        return self._normal.lengths.get(caller, 0) or self._low.lengths.get(caller, 0)

    def waiting_in(self, caller: Hashable, counts: Callable[[L], bool]) -> int:
        """Return how many items a caller has in lanes for which `counts` returns true."""
        lanes = self._round_of(caller).callers.get(caller, {})
        return sum(len(items) for lane, items in lanes.items() if counts(lane))

    def accepts(self, caller: Hashable, *, low: bool = False) -> bool:
        """Return whether one more item of this caller, of low priority or not, may be pushed."""
        if len(self) < self.size or (not low and self._low_must_leave):
            return True
        return (self._low if low else self._normal).longest > self.waiting(caller) + 1

    def push(self, caller: Hashable, lane: L, item: T, *, low: bool = False) -> T | None:
        """Add an item, which must be accepted; return the item that it pushed out, if any."""
        pushed_out = None
        if len(self) >= self.size:
            pushed_out = (self._low if low or self._low_must_leave else self._normal).youngest()
            self.remove(pushed_out)
        self._count += 1
        (self._low if low else self._normal).push(caller, lane, (self._count, item))
        self._enter(caller, lane, item, self._count)
        return pushed_out

    @property
    def last_number(self) -> int:
        """The number of the item that was pushed last: its place, for `put_back`."""
        return self._count

    def put_back(self, caller: Hashable, lane: L, item: T, number: int, *, low: bool = False) -> None:
        """Put an item back at its place, whose turn has come in vain, even if the queue is full by now."""
        mine = self._round_of(caller) if self.waiting(caller) else self._low if low else self._normal
        mine.put_back(caller, lane, (number, item))
        self._enter(caller, lane, item, number)

    def remove(self, item: T) -> bool:
        """Remove an item, wherever it stands; return whether it was in the queue."""
        found = self._where.pop(item, None)
        if found is None:
            return False
        self.count -= 1
        caller, lane, number = found
        self._round_of(caller).remove(caller, lane, (number, item))
        self._lanes[lane] -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]
        group = self._group_of(caller)
        self._groups[group] -= 1
        if not self._groups[group]:
            del self._groups[group]
        return True

    def pop(self, can_go: Callable[[Hashable, L], bool], closed: Collection[str] = ()) -> T | None:
        """Remove and return the next item that can go by its caller and lane, None without one.

        Its caller then goes behind all others. Callers of `closed` groups are passed over, without asking.
        """
        rounds = (self._low, self._normal) if self._low_turns.due else (self._normal, self._low)
        for each in rounds:
            for caller in each.callers:
                if closed and self._group_of(caller) in closed:
                    continue
                if item := self.pop_from(caller, can_go):
                    return item
        return None

    def pop_from(self, caller: Hashable, can_go: Callable[[Hashable, L], bool]) -> T | None:
        """Remove and return this caller's next item that can go, None without one; the caller's turn is over."""
        callers = self._round_of(caller).callers
        heads = [lane[0] for name, lane in callers.get(caller, {}).items() if can_go(caller, name)]
        if not heads:
            return None
        item = min(heads, key=lambda head: head[0])[1]
        callers.move_to_end(caller)
        self._low_turns.taken(low=callers is self._low.callers, low_waits=bool(self._low.callers))
        self.remove(item)
        return item

    def turns_ahead(self, caller: Hashable, *, low: bool = False) -> int:
        """Return how many turns come before that of one more item of this caller, if no lane is blocked.

        The caller's own items go first. Each of its turns comes after one turn of every caller of its priority
        before it in the round; in the last round the callers behind it come later. Turns of the other priority
        come in between.
        """
        mine = self._low if low else self._normal
        turns = rounds = own = self.waiting(caller)
        if own:
            rounds += 1
            for other in mine.callers:
                if other == caller:
                    rounds = own
                else:
                    turns += min(mine.lengths[other], rounds)
        else:  # it will be the last in the round
            turns = len(mine.callers)
        most, passed = LOW_TURN - 1, min(self._low_turns.passed, LOW_TURN - 1)
        if low:
            return turns + min(self._normal.count, most - passed + most * turns)
        return turns + min(self._low.count, (turns + passed) // most)

    def reorder(self, is_low: Callable[[Hashable], bool], group_of: Callable[[Hashable], str]) -> None:
        """Move callers whose priority has changed behind the others of their new one, and group them anew."""
        self._group_of = group_of
        self._groups = Counter(group_of(caller) for caller, _, _ in self._where.values())
        for source, target, low in ((self._normal, self._low, True), (self._low, self._normal, False)):
            for caller in [each for each in source.callers if is_low(each) == low]:
                source.move_to(target, caller)

    def __repr__(self) -> str:
        return f"<FairQueue {len(self)} of {self.size}, {self.callers} callers>"

    def _enter(self, caller: Hashable, lane: L, item: T, number: int) -> None:
        self._where[item] = (caller, lane, number)
        self.count += 1
        self._lanes[lane] += 1
        self._groups[self._group_of(caller)] += 1

    @property
    def _low_must_leave(self) -> bool:
        """Whether callers of low priority have more of a full queue than is kept for them."""
        return self._low.count > self.size // _KEPT_FOR_LOW

    def _round_of(self, caller: Hashable) -> _Round[L, T]:
        return self._low if caller in self._low.callers else self._normal
