"""What the concurrency limits are, and what one request holds of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aibridge_trio.core.terms import ClassTotals, Rate, Terms

# The providers of which a request needs one: it waits until one of them has a share free. Empty: it needs none
# yet.
Lane = tuple[str, ...]

Limit = Literal["capacity", "caller_capacity", "provider_capacity", "rate_limit"]


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """The limits of one known caller, in place of those of all callers.

    `max_concurrency` 0 and `rate` None are unlimited. The queue serves a caller of `low` priority behind others.
    `class_name` is its class, whose totals apply too; "" for none.
    """

    max_concurrency: int = 0
    rate: Rate | None = None
    low: bool = False
    class_name: str = ""

    @classmethod
    def of(cls, terms: Terms, class_name: str = "") -> CallerLimits:
        """Return the limits of a caller with these terms, in this class."""
        return cls(terms.max_concurrency, terms.rate, terms.priority == "low", class_name)


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of the limiter, and its queue.

    max_concurrency  Requests in flight; here and below 0 is unlimited.
    per_caller       Of one caller that has no limits of its own.
    per_provider     To one provider that has no limit of its own.
    queue_size       How many requests may wait; 0 is no queue.
    queue_timeout    The longest wait in the queue, in seconds.
    rate             Of the requests of one caller that has no limits of its own; None is unlimited.
    callers          The limits of callers that have their own, by their keys.
    classes          What all callers of a class may use together.
    providers        Limits of providers that have their own, 0 included.
    """

    max_concurrency: int = 0
    per_caller: int = 0
    per_provider: int = 0
    queue_size: int = 0
    queue_timeout: float = 10.0
    rate: Rate | None = None
    callers: Mapping[Any, CallerLimits] = field(default_factory=dict, repr=False)
    classes: Mapping[str, ClassTotals] = field(default_factory=dict)
    providers: Mapping[str, int] = field(default_factory=dict)

    def is_low(self, caller: Hashable) -> bool:
        """Return whether a caller is served behind others."""
        known = self.callers.get(caller) if self.callers else None
        return known is not None and known.low

    def class_of(self, caller: Hashable) -> str:
        """Return the name of a caller's class, if that has totals; else ""."""
        known = self.callers.get(caller) if self.classes else None
        return known.class_name if known and known.class_name in self.classes else ""

    def of_provider(self, provider: str) -> int:
        """Return how many requests may be in flight to a provider; 0 is unlimited."""
        return self.providers.get(provider, self.per_provider)


@dataclass(slots=True, eq=False, repr=False)
class Lease:
    """What one request holds: a slot, shares of its caller's, class's and provider's limits; or its wait for them.

    `class_share` names the class of which it holds a share, if any. `provider` is "" while it is not known yet,
    and `choice` are those of which the request waits for one. `queued` is true while the request waits,
    `pushed_out` once it had to leave the queue for another one. `since` is when it acquired (or tried to) or got
    its turn, `deadline` when its wait ends at the latest, and `charged_at` when it was counted against its
    caller's rate: seconds on the caller's clock. `place` is its number in the queue, 0 if it has never been there.
    `forwarded` is set when the request goes up to its provider: only such leases show how long slots are held.
    `shadowed` names the limits in shadow that would have refused or delayed the request.
    """

    caller: Hashable = None
    provider: str = ""
    choice: Lane = ()
    slot: bool = False
    caller_share: bool = False
    class_share: str = ""
    provider_share: bool = False
    queued: bool = False
    pushed_out: bool = False
    forwarded: bool = False
    since: float = 0.0
    deadline: float = 0.0
    charged_at: float | None = None
    place: int = 0
    shadowed: tuple[Limit, ...] = ()

    @property
    def lane(self) -> Lane:
        """The providers of which the request needs a share of one."""
        return self.choice or ((self.provider,) if self.provider else ())

    def __repr__(self) -> str:
        return f"<Lease {'queued' if self.queued else 'in flight' if self.slot else 'idle'}>"
