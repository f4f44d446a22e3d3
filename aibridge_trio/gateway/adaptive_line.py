"""A provider's adaptive limiter in the running program: `core.adaptive` with a clock and a timer."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from random import random
from typing import NoReturn

import trio

from aibridge_trio.core.adaptive.entry import Entry
from aibridge_trio.core.adaptive.limiter import AdaptiveLimiter
from aibridge_trio.core.adaptive.replica_governor import ReplicaGovernor
from aibridge_trio.core.breaker.retry_after import QuotaHeaders, quotas_left
from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.quota import Left
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.shared_governor import SharedGovernor
from aibridge_trio.gateway.shared_notes import Noticeboard
from aibridge_trio.http.headers import Headers

# In the names of all quota headers.
_OF_QUOTAS = b"ratelimit-"
_SHORTEST = len(b"x-ratelimit-")


class LineEntry(Entry):  # not an ABC, whose isinstance() is slow
    """A request in a line, as its line needs it."""

    __slots__ = ()

    def wake(self) -> None:
        """End its wait: it is counted as sent."""
        raise NotImplementedError

    def may_go(self) -> bool:
        """Return whether it has, or could take now, what it needs of the bridge."""
        raise NotImplementedError


class AdaptiveLine:
    """One provider's adaptive limiter. `memory` is for copies of bodies. In `shadow` no request is held.

    `quotas` are the names of the provider's quota headers. On the `board` replicas leave notes for
    each other; None if nothing is shared.

    `run` must run for as long as requests may be held. `waiting` is how many are.
    """

    def __init__(
        self,
        provider: str,
        clock: Callable[[], float],
        memory: BufferMemory,
        wall_clock: Callable[[], float],
        *,
        quotas: QuotaHeaders,
        shadow: bool = False,
        board: Noticeboard | None = None,
    ) -> None:
        self.provider = provider
        self._quotas = quotas
        self._wall_clock = wall_clock
        self.clock = clock
        self.memory = memory
        self.shadow = shadow
        self.own_limits = _OwnLimits()
        self.limiter = AdaptiveLimiter(_wake, random, clock(), self.own_limits)
        self.waiting = 0
        self._sharing: SharedGovernor | None = None
        if board:
            self.limiter.governor = governor = ReplicaGovernor(random)
            self._sharing = SharedGovernor(board, provider, governor, self.limiter.own_keys, self)
        self._rescheduled = trio.Event()
        self._due = math.inf

    @property
    def active(self) -> bool:
        """Whether the provider has pushed a request back of late: only then do requests wait."""
        return bool(self.limiter.governor.active or self.waiting)  # limiter.active, and cheaper

    def now(self, entry: Entry) -> float:
        """Return the time, or when the entry came: while nothing is learned that will do, and no clock is read."""
        return self.clock() if self.limiter.learns else entry.came

    def quotas_left(self, headers: Headers) -> list[Left]:
        """Return what the headers of an answer tell of quotas."""
        for name, _ in headers:
            if len(name) > _SHORTEST and _OF_QUOTAS in name.lower():
                return quotas_left(headers, self._quotas, self._wall_clock())
        return []

    def freed(self, caller: Hashable | None, now: float) -> None:
        """Give turns to held requests: slots or shares are free, a caller's among them, or anyone's (None)."""
        if self.waiting:
            self.limiter.freed(caller, now)
            self.reschedule()

    def reschedule(self) -> None:
        """Let `run` wake earlier, if the limiter is due earlier than it was."""
        if self.waiting and self.limiter.next_due(self.clock()) < self._due:
            self._rescheduled.set()

    async def run(self) -> None:
        """Give turns when they are due, and share with other replicas, until cancelled."""
        async with trio.open_nursery() as nursery:
            if self._sharing:
                nursery.start_soon(self._sharing.run)
            await self._give_turns()

    def governor_changed(self) -> None:
        """Let requests go that may go now: the governor has learned from another replica."""
        self.limiter.advance(self.clock())
        self.reschedule()

    async def _give_turns(self) -> NoReturn:
        while True:
            self._rescheduled = trio.Event()
            self._due = self.limiter.next_due(self.clock())
            with trio.CancelScope(deadline=self._due):
                await self._rescheduled.wait()
            self.limiter.advance(self.clock())

    def __repr__(self) -> str:
        return f"<AdaptiveLine {self.provider} waiting={self.waiting}>"


def share_limits(limiter: ConcurrencyLimiter, lines: Iterable[AdaptiveLine]) -> None:
    """Let held requests take the slots and shares that become free, in turn with queued requests.

    The lines have them first in turn.
    """
    order = deque(lines)
    if not order:
        limiter.on_released(None)
        return

    def released(caller: Hashable | None, now: float) -> None:
        for line in order:
            if line.waiting:
                line.freed(caller, now)
        order.rotate()

    for line in order:
        line.own_limits.any_free = partial(limiter.has_free, line.provider)
    limiter.on_released(released)


class _OwnLimits:
    """The bridge's own limits, as a line's limiter asks for them."""

    def __init__(self) -> None:
        self.any_free: Callable[[], bool] = lambda: True

    def is_free(self) -> bool:
        """Return whether there are a slot and a share of the provider's limit."""
        return self.any_free()

    def is_free_for(self, entry: Entry) -> bool:
        """Return whether there is all that a request needs, or it holds that already."""
        assert isinstance(entry, LineEntry)
        return entry.may_go()


def _wake(entry: Entry) -> None:
    assert isinstance(entry, LineEntry)
    entry.wake()
