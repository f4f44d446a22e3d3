"""A limiter under test, with slots that fail on a wrong use."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace

from hypothesis import strategies as st

from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.limits.lease import Lease, Limits
from aibridge_trio.core.limits.refusals import Refusal
from aibridge_trio.core.terms import Rate

CALLERS = "abc"
PROVIDERS = ("x", "y")
SHADOWS = st.sets(st.sampled_from(["capacity", "caller_capacity", "provider_capacity"]), max_size=2)


def held_by(lease: Lease) -> list[str]:
    """Return what a lease holds, or that it is queued."""
    names = ("slot", "caller_share", "class_share", "provider_share", "queued")
    return [name for name in names if getattr(lease, name)]


class Slots:
    """Counts slots, and fails on a wrong use."""

    def __init__(self, most: int) -> None:
        self.total_tokens: float = most or math.inf
        self.held: set[Hashable] = set()

    @property
    def available_tokens(self) -> float:
        return self.total_tokens - len(self.held)

    def acquire_on_behalf_of_nowait(self, borrower: Hashable) -> None:
        assert self.available_tokens > 0
        assert borrower not in self.held
        self.held.add(borrower)

    def release_on_behalf_of(self, borrower: Hashable) -> None:
        self.held.remove(borrower)


class Harness:
    """A limiter, and the leases that it woke."""

    def __init__(self, limits: Limits, shadow: frozenset[str] = frozenset(), rate: int = 0) -> None:
        self.limits, self.shadow = limits, shadow
        self.slots = Slots(limits.max_concurrency)
        self.woken: list[Lease] = []
        limits = replace(limits, rate=Rate(rate) if rate else limits.rate)
        self.limiter = ConcurrencyLimiter(limits, self.slots, self.woken.append, shadow)
        self.rate = self.limiter.rates if self.limiter.rates.active else None

    def come(
        self, caller: str, provider: str = "x", now: float = 0.0, patience: float = math.inf
    ) -> tuple[Lease, Refusal | None]:
        lease = Lease()
        refusal = self.limiter.enter(lease, now)
        if refusal:
            self.limiter.leave(lease, now)
        return lease, refusal or self.claim(lease, caller, provider, now, patience)

    def claim(self, lease: Lease, caller: str, provider: str, now: float, patience: float) -> Refusal | None:
        budget = self.limiter.charge_rate(lease, caller, now)
        refusal = None
        if budget and budget.wait is not None and "rate_limit" not in self.shadow:
            refusal = Refusal("rate_limit", budget.wait, spread=budget.spread, class_name=budget.class_name)
        elif not self.limiter.acquire(lease, caller, provider, now):
            refusal = self.limiter.join_queue(lease, now, patience)
        if refusal:
            self.limiter.leave(lease, now)
        return refusal

    def apply(self, limits: Limits, shadow: frozenset[str], now: float) -> None:
        """Change the limits."""
        self.limits, self.shadow = limits, shadow
        self.limiter.apply(limits, shadow, now)

    def let_pass(self, now: float, until: float) -> None:
        """Let time pass, with an advance whenever one is due."""
        while (due := self.limiter.next_due()) <= until:
            assert due > now, "it stays due"
            now = due
            self.limiter.advance(now)

    def placed(self, caller: str, provider: str = "x", now: float = 0.0) -> Lease:
        lease, refusal = self.come(caller, provider, now)
        assert refusal is None
        return lease
