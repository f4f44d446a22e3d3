"""What the concurrency limits are, and what one request holds of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Literal

# The providers of which a request needs one: it waits until one of them has a share free. Empty: it needs none
# yet.
Lane = tuple[str, ...]

Limit = Literal["capacity", "caller_capacity", "provider_capacity", "rate_limit"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on concurrency: in all, per caller, per provider (0 is unlimited); and the queue.

    `queue_size` 0 is no queue; `queue_timeout` is the longest wait in it, in seconds. `providers` are the limits
    of providers that have one of their own, 0 included.
    """

    max_concurrency: int = 0
    per_caller: int = 0
    per_provider: int = 0
    queue_size: int = 0
    queue_timeout: float = 10.0
    providers: Mapping[str, int] = field(default_factory=dict)

    def of_provider(self, provider: str) -> int:
        """Return how many requests may be in flight to a provider; 0 is unlimited."""
        return self.providers.get(provider, self.per_provider)


@dataclass(slots=True, eq=False, repr=False)
class Lease:
    """What one request holds: a slot, a share of its caller's and of its provider's limit; or its wait for them.

    `provider` is "" while it is not known yet, and `choice` are those of which the request waits for one. `queued`
    is true while the request waits, `pushed_out` once it had to leave the queue for another one. `since` is when
    it acquired (or tried to) or got its turn, `deadline` when its wait ends at the latest, and `charged_at` when
    it was counted against its caller's rate: seconds on the caller's clock. `forwarded` is set when the request
    goes up to its provider: only such leases show how long slots are held. `shadowed` names the limits in shadow
    that would have refused or delayed the request.
    """

    caller: Hashable = None
    provider: str = ""
    choice: Lane = ()
    slot: bool = False
    caller_share: bool = False
    provider_share: bool = False
    queued: bool = False
    pushed_out: bool = False
    forwarded: bool = False
    since: float = 0.0
    deadline: float = 0.0
    charged_at: float | None = None
    shadowed: tuple[Limit, ...] = ()

    @property
    def lane(self) -> Lane:
        """The providers of which the request needs a share of one."""
        return self.choice or ((self.provider,) if self.provider else ())

    def __repr__(self) -> str:
        return f"<Lease {'queued' if self.queued else 'in flight' if self.slot else 'idle'}>"
