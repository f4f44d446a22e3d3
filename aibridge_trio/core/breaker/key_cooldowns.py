"""Callers' own keys that their provider has told to wait: one caller's quota is not everybody's illness.

1. A 429 for a key cools down that key alone, until the provider's own time; a shorter word never cuts it.
2. It counts against the provider's breaker only if three different keys or more, with this one, were told so
   within the window: then it is no longer one caller's doing.
3. At most `room` keys are remembered; beyond, the one that was cooled the longest ago is forgotten, and counted.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice

# How many keys told to wait within the window are a provider's overload.
_MANY = 3
# A key costs some 400 bytes, so some 4 MB at most. Only keys that a provider has answered 429 stand here.
_ROOM = 10_000
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Cooled:
    """One key that rests: what may be shown of it, and for how many seconds more."""

    hint: str
    left: float


@dataclass(frozen=True, slots=True)
class KeyCooldownStats:
    """Keys that rest now, how often one was cooled, how many were forgotten for room, and some of them."""

    resting: int
    total: int
    evictions: int
    shown: tuple[Cooled, ...]


class KeyCooldowns:
    """The keys of one provider that rest; `window` in seconds."""

    def __init__(self, window: float, room: int = _ROOM) -> None:
        self._window = window
        self._room = room
        # In the order in which they were cooled.
        self._until: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        # Each key stands once; what was extended meanwhile goes back when its first time comes.
        self._due: list[tuple[float, bytes]] = []
        self._told: OrderedDict[bytes, float] = OrderedDict()
        self._total = 0
        self._evictions = 0

    def left(self, key: bytes, now: float) -> float | None:
        """Return how many seconds a key has to rest, None if it may come."""
        self._expire(now)
        entry = self._until.get(key)
        return None if entry is None else entry[0] - now

    def cool(self, key: bytes, hint: str, seconds: float, now: float) -> bool:
        """Let a key rest; tell whether so many were told to that the provider itself is overloaded."""
        self._expire(now)
        until = now + seconds
        known = self._until.get(key)
        if known is None and until > now:
            heapq.heappush(self._due, (until, key))
            self._total += 1
        if until > now or known:
            self._until[key] = (max(until, known[0]) if known else until, hint)
            self._until.move_to_end(key)
        if len(self._until) > self._room:
            forgotten, _ = self._until.popitem(last=False)
            self._evictions += 1
            self._due = [entry for entry in self._due if entry[1] != forgotten]
            heapq.heapify(self._due)
        return self._told_with(key, now) >= _MANY

    def statistics(self, now: float) -> KeyCooldownStats:
        """Return what rests at `now`."""
        self._expire(now)
        latest = islice(reversed(self._until.values()), _SHOWN)
        return KeyCooldownStats(
            resting=len(self._until),
            total=self._total,
            evictions=self._evictions,
            shown=tuple(Cooled(hint, until - now) for until, hint in latest),
        )

    def __repr__(self) -> str:
        return f"<Credentials resting={len(self._until)}>"

    def _told_with(self, key: bytes, now: float) -> int:
        """Count the keys told within the window, this one included; more than `_MANY` need not be kept."""
        self._told[key] = now
        self._told.move_to_end(key)
        while len(self._told) > _MANY or next(iter(self._told.values())) + self._window <= now:
            self._told.popitem(last=False)
        return len(self._told)

    def _expire(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, key = heapq.heappop(self._due)
            until, _ = self._until[key]
            if until > now:
                heapq.heappush(self._due, (until, key))
            else:
                del self._until[key]
