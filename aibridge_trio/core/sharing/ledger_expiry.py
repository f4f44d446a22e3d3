"""What a ledger remembers by name for a time: it is forgotten by itself, a few entries with each batch."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Generic, TypeVar

Value = TypeVar("Value")
# Entries that are looked at with each batch: more than one batch adds.
_LOOKS = 16


class Expiring(Generic[Value]):
    """Values by name, each until a time; at most `most`, the oldest give way."""

    __slots__ = ("_entries", "_looks", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        # Of each name its value, until when it counts, and when it is looked at.
        self._entries: dict[str, tuple[Value, float, float]] = {}
        self._looks: list[tuple[float, str]] = []

    def get(self, name: str) -> Value | None:
        """Return a value; it may be out of date by then."""
        found = self._entries.get(name)
        return None if found is None else found[0]

    def items(self) -> list[tuple[str, Value]]:
        """Return all names with their values; it can run in a thread beside all other methods."""
        return [(name, value) for name, (value, _, _) in list(self._entries.items())]

    def put(self, name: str, value: Value, until: float) -> None:
        """Remember a value until then."""
        found = self._entries.get(name)
        if found is not None:
            self._entries[name] = value, until, found[2]
            return
        if len(self._entries) >= self._most:
            del self._entries[next(iter(self._entries))]
        self._entries[name] = value, until, until
        heappush(self._looks, (until, name))

    def expire(self, now: float) -> None:
        """Forget what is out of date; a few entries only."""
        looks = self._looks
        for _ in range(_LOOKS):
            if not looks or looks[0][0] > now:
                return
            look, name = heappop(looks)
            value, until, expected = self._entries.get(name, (None, 0.0, 0.0))
            if look != expected:
                continue  # it gave way, and may be there again
            if value is not None and until > now:
                self._entries[name] = value, until, until
                heappush(looks, (until, name))
            else:
                del self._entries[name]

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Expiring {len(self)} values>"
