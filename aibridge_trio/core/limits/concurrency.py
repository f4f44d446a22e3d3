"""Who may be in flight, who waits, and who is turned away: slots, shares, rate and the queue, composed.

1. A request is in flight with a slot of the bridge, a share of its caller's and one of its provider's, and is
   counted against its caller's rate then.
2. What lacks one of them waits, if there is a queue with room, holding none and not counted; else it is refused.
3. Nothing is free while a request waits that could use it: what is given back goes to the next in turn at once,
   and what time gives back (the rate) when `advance` is called, at `due` at the latest.
4. Who cannot be served in time is told at once: whose turn is expected later than it can wait.
5. A limit in shadow refuses nobody and makes nobody wait: `would` tells what it would have done. Who lacked it
   holds nothing of it, so that the others are counted as if that one had not come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.keyed_limit import KeyedLimit, Slots
from aibridge_trio.core.limits.rate import RateLimiter
from aibridge_trio.core.limits.rate_waiters import RateTurns
from aibridge_trio.core.limits.release_rate import ReleaseRate

Limit = Literal["capacity", "caller_capacity", "provider_capacity", "rate_limit"]
Reason = Literal[Limit, "queue_full", "queue_timeout", "queue_deadline"]
# When to come back (seconds) where nobody knows: it depends on answers that may end at any moment.
_SOON = 1.0
# What is expected now says nothing of later, and that something is due this very moment is no certainty.
_LONGEST_WAIT, _SHORTEST_WAIT = 60.0, 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """In all, of one caller, to one provider: 0 is unlimited. A queue of 0 is none; its timeout is in seconds."""

    max_concurrency: int = 0
    per_caller: int = 0
    per_provider: int = 0
    queue_size: int = 0
    queue_timeout: float = 10.0


class Refusal(NamedTuple):
    """No: come back after `wait` seconds. `expected` is how many its turn would have taken, 0 if that is unknown.

    `spread` is what the rate limit adds to its waits, in place of the usual jitter.
    """

    reason: Reason
    wait: float
    expected: float = 0.0
    spread: float | None = None


@dataclass(slots=True, eq=False, repr=False)
class Lease:
    """One request's place: what it holds, and since when; or that it waits, and until when at most.

    `served` is set when the request goes up to its provider: only then does it tell how long slots are held.
    `rated_at` is when it was counted against its caller's rate.
    """

    caller: Hashable = None
    provider: str = ""
    slot: bool = False
    caller_share: bool = False
    provider_share: bool = False
    waits: bool = False
    pushed_out: bool = False
    served: bool = False
    since: float = 0.0
    until: float = 0.0
    rated_at: float | None = None
    would: tuple[Limit, ...] = ()

    def __repr__(self) -> str:
        return f"<Place {'waits' if self.waits else 'in flight' if self.slot else 'outside'}>"


@dataclass(frozen=True, slots=True)
class QueueStats:
    """What waits now; `pace` is how many slots become free a second, None if that is unknown."""

    waiting: int
    callers: int
    pace: float | None


class ConcurrencyLimiter:
    """Gives places and takes them back. `wake` is told who waits no longer: it has its turn, or is pushed out.

    `rate` is the rate limit that requests wait for; one that refuses at once stands elsewhere.
    """

    def __init__(
        self,
        limits: Limits,
        slots: Slots,
        wake: Callable[[Lease], None],
        shadow: Collection[str] = (),
        rate: RateLimiter | None = None,
    ) -> None:
        self.limits = limits
        self._slots = slots
        self._wake = wake
        self._shadow = frozenset(shadow)
        self._shared = bool(limits.per_caller or limits.per_provider)
        self._callers = KeyedLimit(limits.per_caller)
        self._providers = KeyedLimit(limits.per_provider)
        self._queue: FairQueue[Lease] = FairQueue(limits.queue_size)
        self._drain = ReleaseRate(limits.max_concurrency)
        self._rate = RateTurns(rate, self._queue.waiting)

    def enter(self, place: Lease) -> Refusal | None:
        """Take a slot if one is free; refuse if none is and nobody may wait."""
        if self._slots.free():
            self._slots.take(place)
            place.slot = True
        elif not self.limits.queue_size and "capacity" not in self._shadow:
            return Refusal("capacity", _SOON)
        return None

    def charge(self, place: Lease, caller: Hashable, now: float) -> None:
        """Count a request against its caller's rate, if it could be in flight; else it will be when it is."""
        if place.slot or "capacity" in self._shadow:
            self.advance(now)
            if self._rate.has_room(caller, now):
                place.rated_at = self._rate.admit(caller, now)

    def claim(
        self, place: Lease, caller: Hashable, provider: str, now: float, patience: float = math.inf
    ) -> Refusal | None:
        """Take the shares; or begin to wait (`place.waits`), for no longer than `patience`; or refuse."""
        if self.take(place, caller, provider, now):
            return None
        bars = self._bars(place, now)
        if not self.limits.queue_size:
            return Refusal(bars[0], _SOON)
        return self._begin_to_wait(place, now, patience, bars)

    def take(self, place: Lease, caller: Hashable, provider: str, now: float) -> bool:
        """Take the shares, if nothing bars that; tell whether they were taken."""
        self.advance(now)
        place.caller, place.provider, place.since = caller, provider, now
        if not place.slot and self._slots.free():  # one has become free since it entered
            self._slots.take(place)
            place.slot = True
        if self._bars(place, now):
            return False
        self._settle(place, now)
        return True

    def leave(self, place: Lease, now: float) -> None:
        """Take back what a place holds, or let it leave the queue."""
        if place.waits:
            place.waits = False
            self._queue.remove(place)
        if place.caller_share:
            place.caller_share = False
            self._callers.give(place.caller)
        if place.provider_share:
            place.provider_share = False
            self._providers.give(place.provider)
        if place.slot:
            place.slot = False
            self._slots.give(place)
            # What was refused tells nothing of how long slots are held, but its own is free all the same.
            self._drain.given(place, now, tells=place.served)
        if len(self._queue):
            self._seat_all(now)

    def uncount(self, place: Lease) -> None:
        """Count a request no more that left in the moment of its turn."""
        if place.rated_at is not None:
            self._rate.give_back(place.caller, place.rated_at)
            place.rated_at = None

    def give_up(self, place: Lease, now: float) -> Refusal:
        """Say no to one that has waited for too long, or was pushed out; it must leave."""
        if place.pushed_out:
            return Refusal("queue_full", self._time_to_room(now))
        # If it comes again it is behind those that wait now, but not behind itself.
        turns = self._queue.ahead(place.caller)
        known = None if self._slots.free() else self._drain.wait(max(1, turns), now)
        return Refusal("queue_timeout", _told(known))

    def advance(self, now: float) -> None:
        """Give turns to those whose rate has admitted them by now."""
        while (caller := self._rate.next(now)) is not None:
            while self._has_slot() and (place := self._queue.next_of(caller, partial(self._is_free, now))):
                self._seat(place, now)

    def due(self) -> float:
        """Return when to advance at the latest; infinity if nothing falls due."""
        return self._rate.due()

    def statistics(self, now: float) -> QueueStats:
        """Return what waits."""
        return QueueStats(len(self._queue), self._queue.callers, self._drain.pace(now))

    def __repr__(self) -> str:
        return f"<Places {self._queue!r} {self._callers!r} {self._providers!r}>"

    def _bars(self, place: Lease, now: float) -> list[Limit]:
        """Return what a place lacks, and note what of it is in shadow."""
        rated = place.rated_at is not None or not self._rate.limited
        if place.slot and not self._shared and rated:
            return []
        lacking: list[Limit] = [] if place.slot else ["capacity"]
        if not self._callers.has_room(place.caller):
            lacking.append("caller_capacity")
        if not self._providers.has_room(place.provider):
            lacking.append("provider_capacity")
        if not rated and not self._rate.has_room(place.caller, now):
            lacking.append("rate_limit")
        if not (lacking and self._shadow):
            return lacking
        place.would = tuple(limit for limit in lacking if limit in self._shadow)
        return [limit for limit in lacking if limit not in self._shadow]

    def _settle(self, place: Lease, now: float) -> None:
        """Give a place that has its slot all else that it lacks."""
        if self._shared:
            place.caller_share = self._callers.take(place.caller)
            place.provider_share = self._providers.take(place.provider)
        if place.rated_at is None:
            place.rated_at = self._rate.admit(place.caller, now)
        if place.slot and self.limits.queue_size:
            self._drain.taken(place, now)

    def _begin_to_wait(self, place: Lease, now: float, patience: float, bars: list[Limit]) -> Refusal | None:
        patience = min(patience, self.limits.queue_timeout)
        if "rate_limit" in bars:
            ahead = self._queue.waiting_in(place.caller, self._lane_is_free)
            if budget := self._rate.refuse(place.caller, now, ahead, patience):
                return Refusal("rate_limit", budget.wait or 0.0, spread=budget.spread)
        if not self._queue.has_room(place.caller):
            return Refusal("queue_full", self._time_to_room(now))
        # When a share becomes free is its holders' business, of which slots tell nothing.
        if "capacity" in bars and set(bars) <= {"capacity", "rate_limit"}:
            expected = self._drain.wait(self._queue.ahead(place.caller) + 1, now)
            if expected is not None and expected > patience:
                return Refusal("queue_deadline", _told(expected), expected)
        if place.rated_at is not None:  # it goes up later, and is counted then
            self._rate.give_back(place.caller, place.rated_at)
            place.rated_at = None
        place.waits, place.until = True, now + patience
        pushed_out = self._queue.push(place.caller, place.provider, place)
        if pushed_out:
            pushed_out.waits, pushed_out.pushed_out = False, True
            self._wake(pushed_out)
        self._rate.begin(place.caller, now)
        if place.slot:  # it may be wanted by one that came since this one was at the door
            place.slot = False
            self._slots.give(place)
            self._seat_all(now)
        return None

    def _seat_all(self, now: float) -> None:
        """Give what is free to those whose turn it is."""
        some = any(self._lane_is_free(lane) for lane in self._queue.lanes)  # else without asking each that waits
        while some and self._has_slot() and (place := self._queue.next(partial(self._is_free, now))):
            self._seat(place, now)

    def _seat(self, place: Lease, now: float) -> None:
        """Let one that waited have its turn."""
        if self._slots.free():
            self._slots.take(place)
            place.slot = True
        place.waits, place.since = False, now
        self._settle(place, now)
        self._wake(place)

    def _has_slot(self) -> bool:
        return self._slots.free() or "capacity" in self._shadow

    def _is_free(self, now: float, caller: Hashable, provider: str) -> bool:
        has_room = self._callers.has_room(caller) or "caller_capacity" in self._shadow
        return has_room and self._lane_is_free(provider) and self._rate.has_room(caller, now)

    def _lane_is_free(self, provider: str) -> bool:
        return self._providers.has_room(provider) or "provider_capacity" in self._shadow

    def _time_to_room(self, now: float) -> float:
        """Return after how many seconds one of those that wait is expected to have left the queue."""
        leaves = [place.until - now for place in self._queue]
        if self._has_slot():  # something else is waited for
            leaves += [self._rate.due() - now, _SOON if self._shared else math.inf]
        else:
            leaves.append(_told(self._drain.wait(1, now)))
        return _told(min(leaves))


def _told(known: float | None) -> float:
    """Return what is told of a time that is expected, or unknown."""
    return _SOON if known is None else min(max(known, _SHORTEST_WAIT), _LONGEST_WAIT)
