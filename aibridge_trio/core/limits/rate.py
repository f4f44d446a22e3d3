"""The rate limit: an exact sliding log per caller, and a turn to come back at for each refused request.

A request is refused if and only if `limit` admissions of its caller lie in (now − 1 s, now]. So a caller has
`limit` at once after a silent second, and never more than `limit` in any such span; a refused request is not
counted. (A token bucket or GCRA with burst N admits up to 2N − 1 in one second.)

Each refused request of a caller gets a later turn than the one before it, so that requests that were refused
together do not come back together. A turn is no reservation; if all requests keep to their turns, and no other
comes, each is admitted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

_SPAN = 1.0
# Callers remembered at once: at some 900 bytes each 90 MB at most, whatever callers send.
_MAX_CALLERS = 100_000
# Turns lie further apart than 1/limit by this factor. At exactly 1/limit, of two requests a second apart the later
# one is refused whenever the earlier one is a millisecond late, and clients are late by tens of milliseconds.
_APART = 1.05
# The random spread is at most this part of a sequence's first wait, as the jitter of all waits is.
_SPREAD = 0.2
# The longest wait that a caller gets (seconds): beyond it SDKs give up instead of waiting.
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a caller's rate: `remaining` of `limit`, all of it again in `reset` seconds.

    `wait` is the time (seconds) until the turn of a refused request, None if the request was admitted. `spread`
    is a random time below 1/limit to add to it, the same for all turns of one sequence, so that the sequences of
    different callers do not begin together.
    """

    limit: int
    remaining: int
    reset: float
    wait: float | None = None
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class RateStats:
    """Callers with admissions within the last second, and how many were evicted because there were too many."""

    callers: int
    evictions: int


@dataclass(slots=True)
class _Turns:
    """A sequence of turns: the last `limit` ones of a caller that lie ahead. They decide the next one."""

    turns: deque[float]
    spread: float = field(default=0.0)

    def over(self, now: float) -> bool:
        return not self.turns or self.turns[-1] + self.spread <= now


class RateLimiter:
    """Admits at most `limit` requests of each caller in any second.

    `now` is passed in everywhere, in seconds on any monotonic clock. `chance` returns a random number in [0, 1).
    """

    def __init__(
        self, limit: int, max_callers: int = _MAX_CALLERS, chance: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._limit = limit
        self._max_callers = max_callers
        self._chance = chance
        # Ordered by the last admission: expiry and eviction both take from the front.
        self._admissions: OrderedDict[Hashable, deque[float]] = OrderedDict()
        # Ordered by the last refusal. A turn lies a minute ahead at most, so a sequence is forgotten a minute
        # later.
        self._sequences: OrderedDict[Hashable, _Turns] = OrderedDict()
        self._evictions = 0

    def charge(self, caller: Hashable, now: float) -> Budget:
        """Admit and count one request of `caller`, or refuse it and give it a turn; see `Budget.wait`."""
        if not self.allows(caller, now):
            return self.refuse(caller, now)
        self.admit(caller, now)
        return self.budget(caller, now)

    def allows(self, caller: Hashable, now: float) -> bool:
        """Return whether one more request of `caller` would be admitted."""
        return len(self._times(caller, now)) < self._limit

    def admit(self, caller: Hashable, now: float) -> None:
        """Count one request of a caller, which the limit must allow."""
        self._expire(now)
        times = self._admissions.get(caller)
        if times is None:
            times = self._admissions[caller] = deque()
        times.append(now)
        self._admissions.move_to_end(caller)
        if len(self._admissions) > self._max_callers:
            self._admissions.popitem(last=False)
            self._evictions += 1

    def refund(self, caller: Hashable, at: float) -> None:
        """Undo an admission of `caller` that was counted at `at`: its request did not go up."""
        times = self._admissions.get(caller)
        if times and at in times:
            times.remove(at)
            if not times:
                del self._admissions[caller]

    def refuse(self, caller: Hashable, now: float, ahead: int = 0) -> Budget:
        """Refuse one request of `caller` and give it a turn, behind `ahead` queued requests of the same caller."""
        self._expire(now)
        sequence = self._sequences.get(caller)
        if sequence is None or sequence.over(now):
            first = self.turn(caller, now, ahead) - now
            spread = self._chance() * min(_SPAN / self._limit, first * _SPREAD)
            sequence = self._sequences[caller] = _Turns(deque(maxlen=self._limit), spread)
        self._sequences.move_to_end(caller)
        turns = sequence.turns
        while turns and turns[0] + sequence.spread <= now:
            turns.popleft()
        # `limit` turns span a second by themselves: then only the last one decides.
        turn = self.turn(caller, now, ahead + len(turns) % self._limit)
        if turns:
            turn = max(turn, turns[-1] + _SPAN * _APART / self._limit)
        turn = min(turn, now + _LONGEST_WAIT - sequence.spread)
        turns.append(turn)
        if len(self._sequences) > self._max_callers:
            self._sequences.popitem(last=False)
        times = self._times(caller, now)
        reset = times[-1] + _SPAN - now if times else 0.0
        return Budget(self._limit, self._limit - len(times), reset, turn - now, sequence.spread)

    def turn(self, caller: Hashable, now: float, ahead: int = 0) -> float:
        """Return when one more request is admitted, if `ahead` others go before it.

        Each of them is admitted as early as possible: at once while the limit allows it, and each further one a
        second after the one that came `limit` before it.
        """
        times = self._times(caller, now)
        seconds, index = divmod(len(times) + ahead, self._limit)
        since = times[index] if index < len(times) else now
        return since + seconds * _SPAN

    def budget(self, caller: Hashable, now: float) -> Budget:
        """Return what is left of a caller's rate."""
        times = self._times(caller, now)
        reset = times[-1] + _SPAN - now if times else 0.0
        return Budget(self._limit, self._limit - len(times), reset)

    def statistics(self, now: float) -> RateStats:
        """Return how many callers are remembered, and how many were evicted."""
        self._expire(now)
        return RateStats(callers=len(self._admissions), evictions=self._evictions)

    def __repr__(self) -> str:
        return f"<RateLimiter limit={self._limit}/s callers={len(self._admissions)}>"

    def _times(self, caller: Hashable, now: float) -> deque[float]:
        """Return a caller's admissions of the last second; read-only."""
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
        while self._sequences:
            oldest = next(iter(self._sequences))
            if not self._sequences[oldest].over(now):
                break
            del self._sequences[oldest]


_NONE: deque[float] = deque(maxlen=0)
