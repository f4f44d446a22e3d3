"""The rate limit: an exact sliding log per caller, and turns that are told to the requests that it refuses.

A request is refused if and only if `limit` admissions of its caller lie in (now − 1 s, now]. So a caller has
`limit` at once after a silent second, and never more than `limit` in any such span; a refused request counts
nothing. (A token bucket or GCRA with burst N admits up to 2N − 1 in one second.)

Each refused request of a caller is told a later turn than the one before it, so that requests which were
refused together do not come back together. A turn that was told is no reservation; if all keep to their turns,
and no other request comes, each is admitted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

_SPAN = 1.0
# Callers remembered at once. A caller costs some 900 bytes, so some 90 MB whatever callers send.
_MAX_CALLERS = 100_000
# Turns lie further apart than 1/limit by so much: at exactly that, of two requests a second apart the later one
# would be refused whenever the earlier one is a millisecond late. Clients are late by tens of them.
_APART = 1.05
# Chance lengthens the first wait of a line by no more than this share, as all waits.
_SPREAD = 0.2
# No caller is told to stay away for longer (seconds): SDKs give up instead of waiting.
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What a caller has left. Seconds: `reset` until all of it is back, `wait` until the turn of this request.

    `wait` is None if this request was admitted. `spread` is to be added to it: chance, below 1/limit, the same for
    all turns of one line, so that the lines of different callers do not begin together.
    """

    limit: int
    remaining: int
    reset: float
    wait: float | None = None
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class RateStats:
    """Callers admitted within the last second, and how many were forgotten for want of room."""

    callers: int
    evictions: int


@dataclass(slots=True)
class _Line:
    """The turns that a caller was told and that lie ahead: the last `limit` of them, which decide the next one."""

    turns: deque[float]
    spread: float = field(default=0.0)

    def over(self, now: float) -> bool:
        return not self.turns or self.turns[-1] + self.spread <= now


class RateLimiter:
    """Admits at most `limit` requests of each caller in any second; the clock is the caller's.

    `chance` gives a number in [0, 1).
    """

    def __init__(
        self, limit: int, max_callers: int = _MAX_CALLERS, chance: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._limit = limit
        self._max_callers = max_callers
        self._chance = chance
        # Ordered by the last admission: expiry and eviction both take from the front.
        self._admissions: OrderedDict[Hashable, deque[float]] = OrderedDict()
        # Ordered by the last refusal. A turn lies a minute ahead at most, so a line is forgotten a minute later.
        self._lines: OrderedDict[Hashable, _Line] = OrderedDict()
        self._evictions = 0

    def take(self, caller: Hashable, now: float) -> Budget:
        """Admit one request of `caller`, or refuse it and tell it its turn."""
        if not self.has_room(caller, now):
            return self.refuse(caller, now)
        self.admit(caller, now)
        return self.budget(caller, now)

    def has_room(self, caller: Hashable, now: float) -> bool:
        """Tell whether one more request of `caller` would be admitted."""
        return len(self._times(caller, now)) < self._limit

    def admit(self, caller: Hashable, now: float) -> None:
        """Count one request of a caller that has room."""
        self._expire(now)
        times = self._admissions.get(caller)
        if times is None:
            times = self._admissions[caller] = deque()
        times.append(now)
        self._admissions.move_to_end(caller)
        if len(self._admissions) > self._max_callers:
            self._admissions.popitem(last=False)
            self._evictions += 1

    def give_back(self, caller: Hashable, at: float) -> None:
        """Count an admission of `caller` no more: it was of this very moment, and came to nothing."""
        times = self._admissions.get(caller)
        if times and at in times:
            times.remove(at)
            if not times:
                del self._admissions[caller]

    def refuse(self, caller: Hashable, now: float, ahead: int = 0) -> Budget:
        """Refuse one request of `caller` and tell it its turn; `ahead` of its requests wait and go before it."""
        self._expire(now)
        line = self._lines.get(caller)
        if line is None or line.over(now):
            first = self.turn(caller, now, ahead) - now
            spread = self._chance() * min(_SPAN / self._limit, first * _SPREAD)
            line = self._lines[caller] = _Line(deque(maxlen=self._limit), spread)
        self._lines.move_to_end(caller)
        turns = line.turns
        while turns and turns[0] + line.spread <= now:
            turns.popleft()
        # As many turns as the limit lie a second apart by themselves: then the last of them decides.
        turn = self.turn(caller, now, ahead + len(turns) % self._limit)
        if turns:
            turn = max(turn, turns[-1] + _SPAN * _APART / self._limit)
        turn = min(turn, now + _LONGEST_WAIT - line.spread)
        turns.append(turn)
        if len(self._lines) > self._max_callers:
            self._lines.popitem(last=False)
        times = self._times(caller, now)
        reset = times[-1] + _SPAN - now if times else 0.0
        return Budget(self._limit, self._limit - len(times), reset, turn - now, line.spread)

    def turn(self, caller: Hashable, now: float, ahead: int = 0) -> float:
        """Return when one more request is admitted, if `ahead` others are before it.

        Each of them is admitted as early as it may be: at once while there is room, and each further one a second
        after the one that came `limit` before it.
        """
        times = self._times(caller, now)
        seconds, index = divmod(len(times) + ahead, self._limit)
        since = times[index] if index < len(times) else now
        return since + seconds * _SPAN

    def budget(self, caller: Hashable, now: float) -> Budget:
        """Return what `caller` has left."""
        times = self._times(caller, now)
        reset = times[-1] + _SPAN - now if times else 0.0
        return Budget(self._limit, self._limit - len(times), reset)

    def statistics(self, now: float) -> RateStats:
        """Return how many callers are remembered."""
        self._expire(now)
        return RateStats(callers=len(self._admissions), evictions=self._evictions)

    def __repr__(self) -> str:
        return f"<RateLimiter limit={self._limit}/s callers={len(self._admissions)}>"

    def _times(self, caller: Hashable, now: float) -> deque[float]:
        """Return a caller's admissions of the last second; not to be changed."""
        times = self._admissions.get(caller)
        if times is None:
            return _NONE
        while times and times[0] + _SPAN <= now:
            times.popleft()
        return times

    def _expire(self, now: float) -> None:
        while self._admissions:
            oldest = next(iter(self._admissions))
            times = self._admissions[oldest]
            if times and times[-1] + _SPAN > now:
                break
            del self._admissions[oldest]
        while self._lines:
            oldest = next(iter(self._lines))
            if not self._lines[oldest].over(now):
                break
            del self._lines[oldest]


_NONE: deque[float] = deque(maxlen=0)
