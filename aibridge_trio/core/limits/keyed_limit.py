"""A concurrency limit for each key: how many requests of one caller, or to one provider, may be in flight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any

from aibridge_trio.core.sharing.parts import part


class KeyedLimit:
    """At most `limit` holders under each key, of a key in `own` as many as that says; 0 is unlimited.

    Only keys that hold something use memory. What other replicas hold under a key counts as held, see `others`.
    """

    def __init__(self, limit: int, own: Mapping[Any, int] = MappingProxyType({})) -> None:
        self._limit = self._whole = limit
        self._own = self._whole_own = own
        self._held: Counter[Hashable] = Counter()
        self._others: dict[Hashable, int] = {}  # of what is held

    def __bool__(self) -> bool:
        """Whether any key is limited."""
        return bool(self._limit) or any(self._own.values())

    def limit(self, key: Hashable) -> int:
        """Return a key's limit, for all replicas together; 0 is unlimited."""
        return self._whole_own.get(key, self._whole) if self._whole_own else self._whole

    def divide(self, replicas: int) -> None:
        """Let this replica have its part of each limit, as one of so many."""
        self._limit = _part(self._whole, replicas)
        whole = self._whole_own
        self._own = {key: _part(limit, replicas) for key, limit in whole.items()} if replicas > 1 else whole

    def others(self, key: Hashable, amount: int) -> None:
        """Count that other replicas hold so much under a key, in place of what was known before.

        While this replica has a part, what lies beyond the part is theirs already.
        """
        amount = max(0, amount - self.limit(key) + self._own.get(key, self._limit))
        self._held[key] += amount - self._others.pop(key, 0)
        if amount:
            self._others[key] = amount
        if not self._held[key]:
            del self._held[key]

    def exceeds(self, key: Hashable) -> bool:
        """Return whether more is held under a key than its limit, or this replica's part of it."""
        limit = self._own.get(key, self._limit) if self._own else self._limit
        return bool(limit) and self._held[key] > limit

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


def _part(limit: int, replicas: int) -> int:
    return part(limit, replicas) if limit else 0
