"""The rates for queued requests: which callers they admit now, and when the next one is due."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any

from aibridge_trio.core.limits.caller_rates import CallerRates
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.rate import Budget


class RateWaiters:
    """Keeps an alarm for each caller and class with requests in `queue` that only the rate bars.

    Without rates all is admitted. `now` is in seconds on any monotonic clock.

    due     When the first alarm is due; infinity without one. Plain, because every request asks for it.
    """

    def __init__(self, rates: CallerRates | None, queue: FairQueue[Any, Any]) -> None:
        self._rates = rates
        self._queue = queue
        # When the next request of a caller or a class (OfClass) is admitted, at most one alarm for each; numbered,
        # because callers have no order.
        self._alarms: list[tuple[float, int, Hashable]] = []
        self.due = inf
        self._numbers = count()
        self._armed: set[Hashable] = set()

    def apply(self, rates: CallerRates | None, now: float) -> None:
        """Replace the rates, or note that they have changed."""
        self._rates = rates
        self._alarms.clear()
        self._armed.clear()
        self.due = inf
        self.arm_all(now)

    def allows(self, caller: Hashable, now: float) -> bool:
        """Return whether the rate admits one more request of a caller now."""
        return self._rates is None or self._rates.allows(caller, now)

    def class_allows(self, name: str, now: float) -> bool:
        """Return whether the total of a class admits one more request now."""
        return self._rates is None or self._rates.class_allows(name, now)

    def admit(self, caller: Hashable, now: float) -> float | None:
        """Count one request; return the time under which it is counted, None without rates."""
        if self._rates is None:
            return None
        self._rates.admit(caller, now)
        if len(self._queue):
            self.arm(caller, now)
            if barrier := self._rates.class_barrier(caller, now):  # for others of its class that wait
                self._set(*barrier)
        return now

    def refund(self, caller: Hashable, at: float) -> None:
        """Undo the `admit` that counted a request at `at`."""
        if self._rates is not None:
            self._rates.refund(caller, at)

    def arm(self, caller: Hashable, now: float) -> None:
        """Set an alarm for a caller if it has requests queued and its rate does not admit one now."""
        if self._rates is None or caller in self._armed or not self._queue.waiting(caller):
            return
        if barrier := self._rates.barrier(caller, now):
            self._set(*barrier)

    def arm_all(self, now: float) -> None:
        """Set an alarm for each caller that has requests queued and whose rate does not admit one now."""
        if self._rates is not None:
            for caller in self._queue.in_turn:
                self.arm(caller, now)

    def refuse(self, caller: Hashable, now: float, ahead: int, max_wait: float) -> Budget | None:
        """Refuse a request that would be admitted, behind `ahead` others of its caller, after `max_wait` seconds.

        Return None if it would be admitted earlier.
        """
        if self._rates is None or self._rates.turn(caller, now, ahead) - now <= max_wait:
            return None
        return self._rates.refuse(caller, now, ahead)

    def pop_due(self, now: float) -> Hashable:
        """Remove an alarm that is due and return its caller or class, None without one."""
        if self.due > now:
            return None
        key = heappop(self._alarms)[2]
        self.due = self._alarms[0][0] if self._alarms else inf
        self._armed.discard(key)
        return key

    def __repr__(self) -> str:
        return f"<RateWaiters {self._rates!r} alarms={len(self._alarms)}>"

    def _set(self, key: Hashable, at: float) -> None:
        if key not in self._armed:
            self._armed.add(key)
            heappush(self._alarms, (at, next(self._numbers), key))
            self.due = self._alarms[0][0]
