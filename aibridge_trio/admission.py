"""The slot and the rate, in that order.

The slot comes first because it is the cheapest no, and the one that must hold when all else is slow: who is
turned away for want of room has cost no hash and no entry in a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import trio

from aibridge_trio.core.rate import RateLimiter
from aibridge_trio.errors import AtCapacity, RateLimited
from aibridge_trio.identity import Caller
from aibridge_trio.message import Reply


@dataclass(frozen=True, slots=True)
class Statistics:
    """Limits (0 is unlimited), what is in flight, callers in the last second, callers forgotten for room."""

    max_concurrency: int
    in_flight: int
    rate_limit: int
    callers: int
    evictions: int


class Slot:
    """One request's place; leaving the context gives it back."""

    def __init__(self, slots: trio.CapacityLimiter) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._slots.release_on_behalf_of(self)


class Admission:
    """Lets requests in: at most `max_concurrency` at once, at most `rate_limit` a second and caller."""

    def __init__(self, max_concurrency: int, rate_limit: int, clock: Callable[[], float]) -> None:
        self._max_concurrency = max_concurrency
        self._slots = trio.CapacityLimiter(max_concurrency or math.inf)
        self._rate_limit = rate_limit
        self._rate = RateLimiter(rate_limit)
        self._clock = clock

    def slot(self) -> Slot:
        """Take a slot, given back at the end of the context that this returns; AtCapacity when there is none."""
        slot = Slot(self._slots)
        try:
            self._slots.acquire_on_behalf_of_nowait(slot)
        except trio.WouldBlock:
            raise AtCapacity from None
        return slot

    def take(self, caller: Caller, reply: Reply) -> None:
        """Count one request against its caller's budget, which its reply will tell, or raise RateLimited."""
        if not self._rate_limit:
            return
        budget = self._rate.take(caller.key, self._clock())
        reply.offer(
            [
                (b"x-ratelimit-limit", b"%d" % budget.limit),
                (b"x-ratelimit-remaining", b"%d" % budget.remaining),
                (b"x-ratelimit-reset", b"%d" % max(1, math.ceil(budget.reset))),
            ]
        )
        if budget.wait is not None:
            raise RateLimited(budget.wait)

    def statistics(self) -> Statistics:
        """Return what is in flight now."""
        rate = self._rate.statistics(self._clock())
        return Statistics(
            max_concurrency=self._max_concurrency,
            in_flight=self._slots.borrowed_tokens,
            rate_limit=self._rate_limit,
            callers=rate.callers,
            evictions=rate.evictions,
        )

    def __repr__(self) -> str:
        return f"<Admission in_flight={self._slots.borrowed_tokens} {self._rate!r}>"
