"""The line: the held requests of one provider.

1. Turns go round by caller, not by request. Callers of low priority have one turn of ten while others wait
   (core/priority.py), as in the queue.
2. Of a caller's requests the oldest goes first that its caller will still wait for (patience.py); the others,
   which its caller has probably given up, come after those, the youngest first.
3. A request that was pushed back goes before its caller's others: it came before them.
4. A caller whose key has no capacity, or whose request is too large for what is left of a quota, is parked: it
   costs no work until that may have changed, and has the next turn when its time has come. All entries of a caller
   have the same key.
5. A caller may hold as much of the line as remains free. So one alone gets half of it, and there is always a
   place for one more caller (Choudhury and Hahne's dynamic thresholds).
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import count

from aibridge_trio.core.adaptive.entry import Entry
from aibridge_trio.core.adaptive.patience import Patience
from aibridge_trio.core.priority import LowTurns

# Callers that one `pop` parks at most: bounds its work.
_MOST_PARKED = 16

# The heap of scheduled ends may have so many that are out of date, and twice as many as there can be valid ones.
_OUT_OF_DATE = 64

# Returns when an entry may go: a time that has passed, one to come, or infinity until its caller is unparked.
WhenFree = Callable[[Entry], float]


class _Lane:
    """The requests of one caller, the oldest first; `given_up` are those that waited longer than it used to.

    `parked` is the number of its scheduled end, None without one: of several only the last counts.
    """

    __slots__ = ("fresh", "given_up", "low", "parked", "parked_until", "resting")

    def __init__(self, *, low: bool) -> None:
        self.low = low
        self.fresh: OrderedDict[Entry, None] = OrderedDict()
        self.given_up: OrderedDict[Entry, None] = OrderedDict()
        self.resting = 0
        self.parked_until: float | None = None
        self.parked: int | None = None

    def __len__(self) -> int:
        return len(self.fresh) + len(self.given_up) + self.resting

    def candidate(self, oldest: float) -> Entry | None:
        """Return the entry that goes next; those that came before `oldest` are given up."""
        while self.fresh:
            entry = next(iter(self.fresh))
            if entry.came >= oldest:
                return entry
            del self.fresh[entry]
            self.given_up[entry] = None
        return next(reversed(self.given_up), None)


class Line:
    """Holds at most `size` entries."""

    def __init__(self, size: int, patience: Patience) -> None:
        self._size = size
        self._patience = patience
        self._lanes: dict[Hashable, _Lane] = {}
        # Callers that may have a turn, in the order of their turns: those of normal and of low priority.
        self._rounds: tuple[OrderedDict[Hashable, None], ...] = (OrderedDict(), OrderedDict())
        self._parked: OrderedDict[Hashable, None] = OrderedDict()  # in the order in which they were
        self._low_turns = LowTurns()
        self._due: list[tuple[float, int, Hashable, Entry | None]] = []
        self._numbers = count()
        self._resting: set[Entry] = set()
        self.count = 0  # a plain attribute: it is asked for with every request

    @property
    def callers(self) -> int:
        """How many callers have entries in it."""
        return len(self._lanes)

    def accepts(self, caller: Hashable) -> bool:
        """Return whether one more entry of this caller may be held."""
        lane = self._lanes.get(caller)
        return (len(lane) if lane else 0) < self._size - self.count

    def push(self, entry: Entry, now: float, *, first: bool = False) -> None:
        """Hold an entry; `first`: before its caller's others. It rests until its `not_before`."""
        lane = self._lanes.get(entry.caller)
        if lane is None:
            lane = self._lanes[entry.caller] = _Lane(low=entry.low)
        elif lane.low != entry.low:
            self._rounds[lane.low].pop(entry.caller, None)
            lane.low = entry.low
            self._tidy(lane, entry.caller)
        self.count += 1
        if entry.not_before > now:
            lane.resting += 1
            self._resting.add(entry)
            self._schedule(entry.not_before, entry.caller, entry)
            return
        self._insert(lane, entry, first=first)

    def remove(self, entry: Entry) -> None:
        """Remove an entry, wherever it stands."""
        lane = self._lanes[entry.caller]
        if entry in self._resting:
            self._resting.remove(entry)
            lane.resting -= 1
        elif entry in lane.fresh:
            del lane.fresh[entry]
        else:
            del lane.given_up[entry]
        self.count -= 1
        self._tidy(lane, entry.caller)

    def pop(self, when_free: WhenFree, now: float) -> Entry | None:
        """Remove and return the entry whose turn it is, None if none can go; its caller goes behind all others.

        Callers whose entry can't go are parked until it can.
        """
        self._wake(now)
        normal, low = self._rounds
        rounds = (low, normal) if self._low_turns.due else (normal, low)
        parked = 0
        for each in rounds:
            while each and parked < _MOST_PARKED:
                caller = next(iter(each))
                lane = self._lanes[caller]
                entry = lane.candidate(now - self._patience.expected(caller))
                assert entry
                free = when_free(entry)
                if free > now:
                    self._park(caller, lane, free)
                    parked += 1
                    continue
                each.move_to_end(caller)
                self._low_turns.taken(low=each is low, low_waits=bool(low))
                self.remove(entry)
                return entry
        return None

    def unpark(self, caller: Hashable | None) -> None:
        """Let a parked caller have turns again: its key may have capacity; with None all of them."""
        if caller is None:
            for each in list(self._parked):  # at most `_MOST_PARKED` for each `pop` since
                self.unpark(each)
            return
        lane = self._lanes.get(caller)
        if lane and lane.parked_until is not None:
            lane.parked_until = lane.parked = None
            del self._parked[caller]
            self._tidy(lane, caller)

    @property
    def has_turns(self) -> bool:
        """Whether there are callers that are not parked: one `pop` does not ask all."""
        return any(self._rounds)

    def next_due(self) -> float:
        """Return when `pop` may find an entry that could not go before; infinity if time alone changes nothing."""
        while self._due and not self._counts(*self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else math.inf

    def __repr__(self) -> str:
        return f"<Line {self.count} of {self._size}, {len(self._lanes)} callers>"

    def _insert(self, lane: _Lane, entry: Entry, *, first: bool) -> None:
        lane.fresh[entry] = None
        if first:
            lane.fresh.move_to_end(entry, last=False)
        self._tidy(lane, entry.caller)

    def _tidy(self, lane: _Lane, caller: Hashable) -> None:
        """Keep a caller in the round while it has entries that can go, and its lane while it has any."""
        turns = self._rounds[lane.low]
        if (lane.fresh or lane.given_up) and lane.parked_until is None:
            turns.setdefault(caller)
        else:
            turns.pop(caller, None)
        if not len(lane):
            del self._lanes[caller]
            self._parked.pop(caller, None)

    def _park(self, caller: Hashable, lane: _Lane, until: float) -> None:
        lane.parked_until = until
        self._parked[caller] = None
        self._tidy(lane, caller)
        lane.parked = self._schedule(until, caller, None) if until < math.inf else None

    def _schedule(self, when: float, caller: Hashable, entry: Entry | None) -> int:
        if len(self._due) > 4 * self.count + _OUT_OF_DATE:
            self._due = [each for each in self._due if self._counts(*each)]
            heapq.heapify(self._due)
        number = next(self._numbers)
        heapq.heappush(self._due, (when, number, caller, entry))
        return number

    def _counts(self, when: float, number: int, caller: Hashable, entry: Entry | None) -> bool:
        """Return whether a scheduled end of a rest or of a parking is still to come."""
        if entry is not None:
            return entry in self._resting and entry.not_before == when
        lane = self._lanes.get(caller)
        return lane is not None and lane.parked == number

    def _wake(self, now: float) -> None:
        """End the rests and the parkings that are over."""
        while self.next_due() <= now:
            _, _, caller, entry = heapq.heappop(self._due)
            lane = self._lanes[caller]
            if entry is None:
                self.unpark(caller)
                if caller in self._rounds[lane.low]:
                    self._rounds[lane.low].move_to_end(caller, last=False)
            else:
                self._resting.remove(entry)
                lane.resting -= 1
                self._insert(lane, entry, first=True)
