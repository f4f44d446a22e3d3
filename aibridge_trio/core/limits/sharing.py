"""What leases hold and count, as the store that replicas share knows it, and what its answers say of limits."""

from __future__ import annotations

from collections.abc import Callable, Collection

from aibridge_trio.core.limits.caller_rates import CallerRates
from aibridge_trio.core.limits.capacity import Capacity
from aibridge_trio.core.limits.fair_queue import FairQueue
from aibridge_trio.core.limits.lease import Lane, Lease, Limit
from aibridge_trio.core.limits.others import Others
from aibridge_trio.core.sharing.needs import Denied, Holding, Use


class Sharing:
    """Names what a lease needs of the store, and applies what the store answers. `now` is on the limiter's clock.

    `rates_shadow`: the rate is in shadow, and refuses nothing.
    """

    def __init__(self, capacity: Capacity, queue: FairQueue[Lane, Lease], rates: CallerRates) -> None:
        self._capacity = capacity
        self._queue = queue
        self._rates = rates
        self.rates_shadow = False
        self.others = Others(capacity.others)

    def needs(self, lease: Lease) -> tuple[list[Holding], list[Use]]:
        """Return what a lease holds, and what it is counted against."""
        counted = lease.charged_at is not None
        uses = self._rates.uses(lease.caller, soft=self.rates_shadow) if counted else []
        return self._capacity.holdings(lease), uses

    def lacking(self, keys: Collection[str]) -> list[str]:
        """Return the limits, of those with these keys, that queued requests wait for."""
        return [key for key in keys if self._capacity.lacks(key, self._queue)]

    def short(self, lease: Lease, keys: Collection[str]) -> list[Limit]:
        """Let a lease go on without what the store has not of limits in shadow; return those limits."""
        found = {limit for key in keys if (limit := self._capacity.drop(lease, key))}
        if lease.charged_at is not None and any(use.key in keys for use in self.needs(lease)[1]):
            self._rates.refund(lease.caller, lease.charged_at)
            lease.charged_at = None
            found.add("rate_limit")
        return sorted(found)

    def denied(self, lease: Lease, holdings: Collection[Holding], answer: Denied, now: float) -> None:
        """Let the limit that the store says is exhausted refuse others here, too, without asking."""
        self._capacity.know(lease, answer.key)
        self.others.answered(holdings, answer, now)
        self.others.missed(now)
        if answer.wait:
            self._rates.bar(lease.caller, answer.key, now + answer.wait)

    def exceeds(self, lease: Lease, now: float, *, counted: bool = False) -> bool:
        """Return whether this replica has used more than its part of a limit that a lease needs.

        `counted`: the store has counted the lease against its rates before, and no part of them matters to it.
        """
        rated = lease.charged_at is not None and not counted and not self.rates_shadow
        return self._capacity.exceeds(lease) or (rated and self._rates.exceeds(lease.caller, now))

    def divide(self, parts: Callable[[float], int], replicas: int) -> None:
        """Let this replica have its part of each limit, as one of `parts(seconds)`, which is 0 for slots.

        `replicas` is how many there are, whether parts hold or not.
        """
        self.others.forget()
        self._capacity.divide(parts(0.0))
        self._rates.divide(parts, replicas)

    def __repr__(self) -> str:
        return f"<Sharing {self.others!r}>"
