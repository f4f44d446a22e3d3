"""What a caller is told when it finds no place: the reject for each refusal of `core.places`."""

from __future__ import annotations

from aibridge_trio.core.limits.concurrency import Limits, Refusal
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


def reject(refusal: Refusal, limits: Limits, provider: str, seconds: float) -> Reject:
    """Return the reject; `seconds` is how long the request has waited, or could have."""
    said: Reject
    match refusal.reason:
        case "caller_capacity":
            said = CallerAtCapacity(limits.per_caller)
        case "provider_capacity":
            said = ProviderAtCapacity(provider)
        case "rate_limit":
            said = RateLimited(refusal.wait, refusal.spread)
        case "queue_full":
            said = QueueFull(refusal.wait)
        case "queue_timeout":
            said = QueueTimeout(seconds, refusal.wait)
        case "queue_deadline":
            said = QueueDeadline(refusal.expected, seconds, refusal.wait)
        case _:
            said = AtCapacity()
    return said
