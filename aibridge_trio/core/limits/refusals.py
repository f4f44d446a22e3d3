"""Why the limiter refuses a request, and the reject that its caller gets for each reason."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aibridge_trio.core.limits.lease import Limit
from aibridge_trio.errors import (
    AtCapacity,
    CallerAtCapacity,
    ProviderAtCapacity,
    QueueDeadline,
    QueueFull,
    QueueTimeout,
    RateLimited,
    Reject,
)

Reason = Literal[Limit, "queue_full", "queue_timeout", "queue_deadline"]


class Refusal(NamedTuple):
    """The limiter refuses a request. Times in seconds: `wait` is when to come back.

    `expected` is how long the request's turn would have taken, 0 if that is unknown. `spread` is the random time
    that the rate limit adds to its waits in place of the usual jitter. `limit` is the concurrency limit of the
    caller, or of all callers of `class_name`, that is exhausted; the rate that refuses may be a class's, too.
    """

    reason: Reason
    wait: float
    expected: float = 0.0
    spread: float | None = None
    limit: int = 0
    class_name: str = ""


def reject(refusal: Refusal, provider: str, seconds: float) -> Reject:
    """Return the reject for a refusal; `seconds` is how long the request has waited, or could have."""
    result: Reject
    match refusal.reason:
        case "capacity":
            result = AtCapacity()
        case "caller_capacity":
            result = CallerAtCapacity(refusal.limit, refusal.class_name)
        case "provider_capacity":
            result = ProviderAtCapacity(provider)
        case "rate_limit":
            result = RateLimited(refusal.wait, refusal.spread, class_name=refusal.class_name)
        case "queue_full":
            result = QueueFull(refusal.wait)
        case "queue_timeout":
            result = QueueTimeout(seconds, refusal.wait)
        case "queue_deadline":
            result = QueueDeadline(refusal.expected, seconds, refusal.wait)
    return result
