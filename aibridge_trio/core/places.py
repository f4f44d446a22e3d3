"""Who may be in flight, who waits, and who is turned away: slots, shares and the queue, composed.

1. A request is in flight with a slot of the bridge, a share of its caller's and one of its provider's.
2. Who lacks one of them waits, if there is a queue with room, holding none of them; else it is refused.
3. No slot is free while somebody waits who could use it: what is given back goes to the next in turn at once.
4. Who cannot be served in time is told at once: whose turn would come, at this pace, later than it can wait.
5. A limit in shadow refuses nobody and makes nobody wait: `would` tells what it would have done. Who lacked it
   holds nothing of it, so that the others are counted as if that one had not come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from aibridge_trio.core.drain import Drain
from aibridge_trio.core.queue import FairQueue
from aibridge_trio.core.shares import Share

Limit = Literal["capacity", "caller_capacity", "provider_capacity"]
Reason = Literal[Limit, "queue_full", "queue_timeout", "queue_deadline"]
# When to come back (seconds) where nobody knows: it depends on answers that may end at any moment.
_SOON = 1.0
# The pace of the last minute says nothing of later.
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """In all, of one caller, to one provider: 0 is unlimited. A queue of 0 is none; its timeout is in seconds."""

    max_concurrency: int = 0
    per_caller: int = 0
    per_provider: int = 0
    queue_size: int = 0
    queue_timeout: float = 10.0


class Refusal(NamedTuple):
    """No: come back after `wait` seconds. `expected` is how many its turn would have taken, 0 if nobody knows."""

    reason: Reason
    wait: float
    expected: float = 0.0


class Slots(Protocol):
    """Counts who is in flight in all."""

    def free(self) -> bool:
        """Tell whether one is free."""

    def take(self, holder: Hashable) -> None:
        """Take a free one."""

    def give(self, holder: Hashable) -> None:
        """Give one back."""


class Place:
    """One request's place: what it holds, and since when; or that it waits, and until when at most.

    `served` is set by who has seen that it was worth a place: a provider answered.
    """

    __slots__ = (
        "caller",
        "caller_share",
        "provider",
        "provider_share",
        "pushed_out",
        "served",
        "since",
        "slot",
        "until",
        "waits",
        "would",
    )

    def __init__(self) -> None:
        self.caller: Hashable = None
        self.provider = ""
        self.slot = self.caller_share = self.provider_share = False
        self.waits = self.pushed_out = self.served = False
        self.since = self.until = 0.0
        self.would: tuple[Limit, ...] = ()

    def __repr__(self) -> str:
        return f"<Place {'waits' if self.waits else 'in flight' if self.slot else 'outside'}>"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What waits now; `pace` is how many places become free a second, None if nobody knows."""

    waiting: int
    callers: int
    pace: float | None


class Places:
    """Gives places and takes them back. `wake` is told who waits no longer: it has its turn, or is pushed out."""

    def __init__(
        self, limits: Limits, slots: Slots, wake: Callable[[Place], None], shadow: Collection[str] = ()
    ) -> None:
        self.limits = limits
        self._slots = slots
        self._wake = wake
        self._shadow = frozenset(shadow)
        self._shared = bool(limits.per_caller or limits.per_provider)
        self._callers = Share(limits.per_caller)
        self._providers = Share(limits.per_provider)
        self._queue: FairQueue[Place] = FairQueue(limits.queue_size)
        self._drain = Drain(limits.max_concurrency)

    def enter(self, place: Place) -> Refusal | None:
        """Take a slot if one is free; refuse if none is and nobody may wait."""
        if self._slots.free():
            self._slots.take(place)
            place.slot = True
        elif not self.limits.queue_size and "capacity" not in self._shadow:
            return Refusal("capacity", _SOON)
        return None

    def claim(
        self, place: Place, caller: Hashable, provider: str, now: float, patience: float = math.inf
    ) -> Refusal | None:
        """Take the shares; or begin to wait (`place.waits`), for no longer than `patience`; or refuse."""
        if self.take(place, caller, provider, now):
            return None
        bars = self._bars(place)
        if not self.limits.queue_size:
            return Refusal(bars[0], _SOON)
        return self._begin_to_wait(place, now, patience, slot_only=bars == ["capacity"])

    def take(self, place: Place, caller: Hashable, provider: str, now: float) -> bool:
        """Take the shares, if nothing bars that; tell whether they were taken."""
        place.caller, place.provider, place.since = caller, provider, now
        if not place.slot and self._slots.free():  # one has become free since it entered
            self._slots.take(place)
            place.slot = True
        if self._bars(place):
            return False
        self._share(place)
        return True

    def leave(self, place: Place, now: float) -> None:
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
            # Who was refused tells nothing of how long serving takes, but its place is free all the same.
            self._drain.departed(now - place.since if place.served else None, now)
        if len(self._queue):
            self._seat(now)

    def give_up(self, place: Place, now: float) -> Refusal:
        """Say no to one that has waited for too long, or was pushed out; it must leave."""
        reason: Reason = "queue_full" if place.pushed_out else "queue_timeout"
        return Refusal(reason, self._time_to_drain(now))

    def statistics(self, now: float) -> Statistics:
        """Return what waits."""
        return Statistics(len(self._queue), self._queue.callers, self._drain.pace(now))

    def __repr__(self) -> str:
        return f"<Places {self._queue!r} {self._callers!r} {self._providers!r}>"

    def _bars(self, place: Place) -> list[Limit]:
        """Return what a place lacks, and note what of it is in shadow."""
        if place.slot and not self._shared:
            return []
        lacking: list[Limit] = [] if place.slot else ["capacity"]
        if not self._callers.has_room(place.caller):
            lacking.append("caller_capacity")
        if not self._providers.has_room(place.provider):
            lacking.append("provider_capacity")
        if not (lacking and self._shadow):
            return lacking
        place.would = tuple(limit for limit in lacking if limit in self._shadow)
        return [limit for limit in lacking if limit not in self._shadow]

    def _share(self, place: Place) -> None:
        if not self._shared:
            return
        place.caller_share = self._callers.take(place.caller)
        place.provider_share = self._providers.take(place.provider)

    def _begin_to_wait(self, place: Place, now: float, patience: float, *, slot_only: bool) -> Refusal | None:
        patience = min(patience, self.limits.queue_timeout)
        if not len(self._queue):
            self._drain.begin(now)
        if not self._queue.has_room(place.caller):
            return Refusal("queue_full", self._time_to_drain(now))
        # When a share becomes free is its holders' business, which the pace of all does not tell.
        expected = self._drain.wait(self._queue.ahead(place.caller) + 1, now) if slot_only else None
        if expected is not None and expected > patience:
            return Refusal("queue_deadline", self._time_to_drain(now), expected)
        place.waits, place.until = True, now + patience
        pushed_out = self._queue.push(place.caller, place.provider, place)
        if pushed_out:
            pushed_out.waits, pushed_out.pushed_out = False, True
            self._wake(pushed_out)
        if place.slot:  # it may be wanted by who came since this one was at the door
            place.slot = False
            self._slots.give(place)
            self._seat(now)
        return None

    def _seat(self, now: float) -> None:
        """Give what is free to those whose turn it is."""
        if not any(self._lane_is_free(lane) for lane in self._queue.lanes):
            return  # without asking each who waits
        while self._has_slot() and (place := self._queue.next(self._is_free)):
            if self._slots.free():
                self._slots.take(place)
                place.slot = True
            place.waits, place.since = False, now
            self._share(place)
            self._wake(place)

    def _has_slot(self) -> bool:
        return self._slots.free() or "capacity" in self._shadow

    def _is_free(self, caller: Hashable, provider: str) -> bool:
        has_room = self._callers.has_room(caller) or "caller_capacity" in self._shadow
        return has_room and self._lane_is_free(provider)

    def _lane_is_free(self, provider: str) -> bool:
        return self._providers.has_room(provider) or "provider_capacity" in self._shadow

    def _time_to_drain(self, now: float) -> float:
        """How long those who wait will take, as far as anybody knows."""
        known = self._drain.wait(max(1, len(self._queue)), now)
        return min(_SOON if known is None else known, _LONGEST_WAIT)
