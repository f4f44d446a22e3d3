"""A rate limit: an exact sliding log per caller, and a turn to come back at for each refused request.

A request is refused if and only if `amount` admissions of its caller lie in (now − span, now]. So a caller has
`amount` at once after a silent span, and never more than `amount` in any such span; a refused request is not
counted. (A token bucket or GCRA with burst N admits up to 2N − 1 in one span.) Of amounts above 256 an admission
counts for up to a 256th of the span longer: see rate_log.py.

Each refused request of a caller gets a later turn than the one before it, so that requests that were refused
together do not come back together. A turn is no reservation; if all requests keep to their turns, and no other
comes, each is admitted.

Where replicas share a rate, the store has counted what all of them admitted, and a caller that it has denied is
refused here, too, until the turn that the store named (`bar`). While the store is away each replica admits its
part.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from aibridge_trio.core.limits import rate_log
from aibridge_trio.core.limits.rate_log import RateLog
from aibridge_trio.core.sharing.parts import part
from aibridge_trio.core.terms import Rate

# Callers remembered at once, whatever callers send: at some 350 bytes each with few admissions, and as much again
# with turns, 70 MB. An amount above 256 that is used up costs 6 KB, and as much again for turns.
MAX_CALLERS = 100_000
# Turns lie further apart than span/amount by this factor. At exactly that, of two requests a span apart the later
# one is refused whenever the earlier one is a millisecond late, and clients are late by tens of milliseconds.
_APART = 1.05
# The random spread is at most this part of a sequence's first wait, as the jitter of all waits is.
_SPREAD = 0.2
# Turns of others put a turn off to so many seconds from now at most: beyond it SDKs give up instead of waiting.
_LONGEST_WAIT = 60.0


class Budget(NamedTuple):
    """What is left of a rate: `remaining` of `limit`, all of it again in `reset` seconds.

    `wait` is the time (seconds) until the turn of a refused request, None if the request was admitted. `spread` is
    a random time below span/limit to add to it, the same for all turns of one sequence, so that the sequences of
    different callers do not begin together. `class_name` is the class whose rate refuses it, "" for the caller's.
    """

    limit: int
    remaining: int
    reset: float
    wait: float | None = None
    spread: float = 0.0
    class_name: str = ""


@dataclass(frozen=True, slots=True)
class RateStats:
    """Callers with admissions within the last span, and how many were evicted because there were too many."""

    callers: int
    evictions: int


@dataclass(slots=True)
class _Turns:
    """A sequence of turns: the last `amount` ones of a caller that lie ahead. They decide the next one."""

    turns: RateLog
    spread: float = field(default=0.0)

    def over(self, now: float) -> bool:
        return not self.turns or self.turns.times[-1] + self.spread <= now


class RateLimiter:
    """Admits at most `rate.amount` requests of each caller in any `rate.span` seconds.

    `now` is passed in everywhere, in seconds on any monotonic clock. `chance` returns a random number in [0, 1).
    """

    def __init__(
        self, rate: Rate, max_callers: float = MAX_CALLERS, chance: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._parts = self._replicas = 1
        # Until when the store has denied callers; of few, in the order in which it did.
        self._barred: OrderedDict[Hashable, float] = OrderedDict()
        self.apply(rate)
        self._max_callers = max_callers
        self._chance = chance
        # Ordered by the last admission: expiry and eviction both take from the front.
        self._admissions: OrderedDict[Hashable, RateLog] = OrderedDict()
        # Ordered by the last refusal. Most turns lie a minute ahead at most, so a sequence is forgotten soon
        # after.
        self._sequences: OrderedDict[Hashable, _Turns] = OrderedDict()
        self._evictions = 0

    def apply(self, rate: Rate) -> None:
        """Replace the rate. What was admitted stays counted, as far as the span before remembers it."""
        self.rate = rate
        self._limit, self._span = part(rate.amount, self._parts), rate.span
        sequences = self._replicas if self._parts == 1 else 1  # each replica gives turns of the whole rate
        self._apart = _APART * self._span * sequences / self._limit
        self._width = rate_log.width(rate.amount, rate.span)

    def charge(self, caller: Hashable, now: float) -> Budget:
        """Admit and count one request of `caller`, or refuse it and give it a turn; see `Budget.wait`."""
        log = self._admissions.get(caller)
        used = 0 if log is None else log.total
        if log is not None and used and log.times[0] + self._span <= now:
            used = log.expire(now, self._span)
        if used >= self._limit or (self._barred and self._bar(caller, now)):
            return self.refuse(caller, now)
        if log is None:
            self._admit(caller, log, now)
        else:
            self._admissions.move_to_end(caller)
            log.add(now, self._width)
        return Budget(self._limit, self._limit - used - 1, self._span)

    def allows(self, caller: Hashable, now: float) -> bool:
        """Return whether one more request of `caller` would be admitted."""
        log = self._admissions.get(caller)
        if self._barred and self._bar(caller, now):
            return False
        return log is None or log.expire(now, self._span) < self._limit

    def admit(self, caller: Hashable, now: float) -> None:
        """Count one request of a caller, which the limit must allow."""
        self._admit(caller, self._admissions.get(caller), now)

    def refund(self, caller: Hashable, at: float) -> None:
        """Undo an admission of `caller` that was counted at `at`: its request did not go up."""
        log = self._admissions.get(caller)
        if log is not None:
            log.remove(at, self._width)
            if not log:
                del self._admissions[caller]

    def refuse(self, caller: Hashable, now: float, ahead: int = 0) -> Budget:
        """Refuse one request of `caller` and give it a turn, behind `ahead` queued requests of the same caller.

        In few calls: a caller that does not heed its limit must not cost much.
        """
        earliest = turn = self.turn(caller, now, ahead)
        sequence = self._sequences.get(caller)
        if sequence is None or not sequence.turns.total or sequence.turns.times[-1] + sequence.spread <= now:
            sequence = self._new_sequence(caller, now, earliest)
        self._sequences.move_to_end(caller)
        turns, spread = sequence.turns, sequence.spread
        if turns.total and turns.times[0] + spread <= now:
            turns.expire(now, spread)
        if turns.total:
            # `amount` turns take a span by themselves: then only the last one decides.
            if behind := turns.total % self._limit:
                turn = self.turn(caller, now, ahead + behind)
            if turn < (next_one := turns.times[-1] + self._apart):
                turn = next_one
        if turn > earliest and turn > (latest := now + _LONGEST_WAIT - spread):
            turn = max(earliest, latest)
        turns.add(turn, self._width)
        while turns.total > self._limit:
            turns.drop_first()
        log = self._admissions.get(caller)
        if self._barred or log is None or not log.total:
            return self.budget(caller, now)._replace(wait=turn - now, spread=spread)
        remaining = self._limit - log.total
        reset = log.times[-1] + self._span - now
        return Budget(self._limit, max(0, remaining), reset, turn - now, spread)

    def _new_sequence(self, caller: Hashable, now: float, earliest: float) -> _Turns:
        self._expire(now)
        spread = self._chance() * min(self._span / self._limit, (earliest - now) * _SPREAD)
        sequence = self._sequences[caller] = _Turns(RateLog(), spread)
        if len(self._sequences) > self._max_callers:
            self._sequences.popitem(last=False)
        return sequence

    def turn(self, caller: Hashable, now: float, ahead: int = 0) -> float:
        """Return when one more request is admitted, if `ahead` others go before it.

        Each of them is admitted as early as possible: at once while the limit allows it, and each further one a
        span after the one that came `amount` before it.
        """
        log = self._admissions.get(caller)
        used = 0
        if log is not None and (used := log.total) and log.times[0] + self._span <= now:
            used = log.expire(now, self._span)
        limit = self._limit
        index = used + ahead % limit - limit
        free = log.at(index) + self._span if log is not None and index >= 0 else now
        if self._barred:
            free = max(free, self._bar(caller, now))
        return free + ahead // limit * self._span

    def budget(self, caller: Hashable, now: float) -> Budget:
        """Return what is left of a caller's rate."""
        log = self._admissions.get(caller)
        if self._barred and (until := self._bar(caller, now)):
            return Budget(self._limit, 0, until - now)
        if log is None or not log.expire(now, self._span):
            return Budget(self._limit, self._limit, 0.0)
        return Budget(self._limit, max(0, self._limit - log.total), log.times[-1] + self._span - now)

    def divide(self, parts: int, replicas: int) -> None:
        """Admit this replica's part of the rate, as one of so many; `replicas` give turns."""
        self._parts, self._replicas = parts, replicas
        self.apply(self.rate)

    def exceeds(self, caller: Hashable, now: float) -> bool:
        """Return whether more was admitted of a caller than the rate allows, or this replica's part of it."""
        log = self._admissions.get(caller)
        return log is not None and log.expire(now, self._span) > self._limit

    def bar(self, caller: Hashable, until: float) -> None:
        """Refuse all requests of a caller until then: the store has denied one."""
        self._barred[caller] = max(until, self._barred.pop(caller, until))
        if len(self._barred) > self._max_callers:
            self._barred.popitem(last=False)

    def statistics(self, now: float) -> RateStats:
        """Return how many callers are remembered, and how many were evicted."""
        self._expire(now)
        return RateStats(callers=len(self._admissions), evictions=self._evictions)

    def hand_over(self, caller: Hashable, to: RateLimiter | None) -> None:
        """Let another limiter go on with what this one knows of a caller; None forgets it."""
        log, sequence = self._admissions.pop(caller, None), self._sequences.pop(caller, None)
        if to is not None:
            to.take_over(caller, log, sequence)

    def take_over(self, caller: Hashable, log: RateLog | None, sequence: _Turns | None) -> None:
        """Go on with what another limiter knows of a caller; `sort` must follow."""
        if log is not None:
            self._admissions[caller] = log
        if sequence is not None:
            self._sequences[caller] = sequence

    def sort(self) -> None:
        """Restore the order of its callers, after some were handed over to it."""
        self._admissions = OrderedDict(sorted(self._admissions.items(), key=lambda item: item[1].times[-1:]))

    def __repr__(self) -> str:
        return f"<RateLimiter limit={self._limit}/{self._span:g}s callers={len(self._admissions)}>"

    def _bar(self, caller: Hashable, now: float) -> float:
        """Return until when the store has denied a caller, 0 if it has not."""
        until = self._barred.get(caller, 0.0)
        if until and until <= now:
            del self._barred[caller]
            return 0.0
        return until

    def _admit(self, caller: Hashable, log: RateLog | None, now: float) -> None:
        if log is None:
            self._expire(now)
            log = self._admissions[caller] = RateLog()
            if len(self._admissions) > self._max_callers:
                self._admissions.popitem(last=False)
                self._evictions += 1
        else:
            self._admissions.move_to_end(caller)
        log.add(now, self._width)

    def _expire(self, now: float) -> None:
        while self._admissions:
            oldest = next(iter(self._admissions))
            times = self._admissions[oldest].times
            if times and times[-1] + self._span > now:
                break
            del self._admissions[oldest]
        while self._barred and next(iter(self._barred.values())) <= now:
            self._barred.popitem(last=False)
        while self._sequences:
            oldest = next(iter(self._sequences))
            if not self._sequences[oldest].over(now):
                break
            del self._sequences[oldest]
