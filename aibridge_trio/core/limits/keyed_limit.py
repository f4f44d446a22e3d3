"""A concurrency limit for each key: how many requests of one caller, or to one provider, may be in flight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any


class KeyedLimit:
    """At most `limit` holders under each key, of a key in `own` as many as that says; 0 is unlimited.

    Only keys that hold something use memory.
    """

    def __init__(self, limit: int, own: Mapping[Any, int] = MappingProxyType({})) -> None:
        self._limit = limit
        self._own = own
        self._held: Counter[Hashable] = Counter()

    def __bool__(self) -> bool:
        """Whether any key is limited."""
        return bool(self._limit) or any(self._own.values())

    def limit(self, key: Hashable) -> int:
        """Return a key's limit; 0 is unlimited."""
        return self._own.get(key, self._limit) if self._own else self._limit

    def available(self, key: Hashable) -> bool:
        """Return whether `acquire` would succeed for this key, or its limit is 0."""
        limit = self._own.get(key, self._limit) if self._own else self._limit
        return not limit or self._held[key] < limit

    def acquire(self, key: Hashable) -> bool:
        """Take one under a key if one is available; return whether it was taken. With a limit of 0 nothing is."""
        limit = self._own.get(key, self._limit) if self._own else self._limit
        if not limit or self._held[key] >= limit:
            return False
        self._held[key] += 1
        return True

    def count(self, key: Hashable) -> bool:
        """Take one under a key, even beyond its limit; with a limit of 0 nothing is. Return whether it was."""
        if not self.limit(key):
            return False
        self._held[key] += 1
        return True

    def release(self, key: Hashable) -> None:
        """Give back one that was taken under this key."""
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<KeyedLimit limit={self._limit} keys={len(self._held)}>"
