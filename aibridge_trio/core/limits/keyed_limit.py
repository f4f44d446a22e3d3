"""A concurrency limit for each key: how many requests of one caller, or to one provider, may be in flight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable


class KeyedLimit:
    """At most `limit` holders under each key; 0 is unlimited. Only keys that hold something use memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: Counter[Hashable] = Counter()

    def available(self, key: Hashable) -> bool:
        """Return whether `acquire` would succeed for this key, or the limit is 0."""
        return not self._limit or self._held[key] < self._limit

    def acquire(self, key: Hashable) -> bool:
        """Take one under a key if one is available; return whether it was taken. With a limit of 0 nothing is."""
        if not self._limit or self._held[key] >= self._limit:
            return False
        self._held[key] += 1
        return True

    def release(self, key: Hashable) -> None:
        """Give back one that was acquired under this key."""
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<KeyedLimit limit={self._limit} keys={len(self._held)}>"
