"""A replica's part of a limit, while the store that counts it for all is away."""

from __future__ import annotations


def part(limit: int, replicas: int) -> int:
    """Return how much of a limit each of so many replicas may use by itself: at least 1.

    All parts together are at most the limit, unless there are more replicas than that.
    """
    return max(1, limit // max(1, replicas))


def budget_part(tokens: int, spent: int, replicas: int) -> int:
    """Return how much of the rest of a budget each of so many replicas may spend by itself; 0 if it is exhausted.

    `spent` is what the store last said; what the replica has spent since, and has running, it takes off itself.
    """
    return max(0, tokens - spent) // max(1, replicas)
