"""What a caller is told when it finds no place: the reject for each refusal of `core.places`."""

from __future__ import annotations

from aibridge_trio.core.places import Limits, Refusal
from aibridge_trio.errors import (
    AtCapacity,
    CallerAtCapacity,
    ProviderAtCapacity,
    QueueDeadline,
    QueueFull,
    QueueTimeout,
    Reject,
)


def reject(refusal: Refusal, limits: Limits, provider: str, seconds: float) -> Reject:
    """Return the reject; `seconds` is how long the request has waited, or could have."""
    match refusal.reason:
        case "caller_capacity":
            return CallerAtCapacity(limits.per_caller)
        case "provider_capacity":
            return ProviderAtCapacity(provider)
        case "queue_full":
            return QueueFull(refusal.wait)
        case "queue_timeout":
            return QueueTimeout(seconds, refusal.wait)
        case "queue_deadline":
            return QueueDeadline(refusal.expected, seconds, refusal.wait)
    return AtCapacity()
