"""How much of the concurrency may be one caller's, or go to one provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Protocol


class Slots(Protocol):
    """Counts who is in flight in all."""

    def free(self) -> bool:
        """Tell whether one is free."""

    def take(self, holder: Hashable) -> None:
        """Take a free one."""

    def give(self, holder: Hashable) -> None:
        """Give one back."""


class KeyedLimit:
    """At most `limit` holders under each key, 0 is unlimited; only keys that hold something are remembered."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: Counter[Hashable] = Counter()

    def has_room(self, key: Hashable) -> bool:
        """Tell whether one more may hold."""
        return not self._limit or self._held[key] < self._limit

    def take(self, key: Hashable) -> bool:
        """Take one, if there is room; tell whether it was taken. Unlimited, there is nothing to take."""
        if not self._limit or self._held[key] >= self._limit:
            return False
        self._held[key] += 1
        return True

    def give(self, key: Hashable) -> None:
        """Give one back."""
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<Share limit={self._limit} keys={len(self._held)}>"
