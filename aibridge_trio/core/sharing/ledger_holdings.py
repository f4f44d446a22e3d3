"""What replicas hold of limits: a total for each key, and each replica's part of it."""

from __future__ import annotations

from collections.abc import Callable


class Holdings:
    """Amounts by key and replica. A watched key is reported to `freed` once, when its total becomes less."""

    __slots__ = ("_freed", "_watched", "held", "totals")

    def __init__(self, freed: Callable[[str], None]) -> None:
        self._freed = freed
        self._watched: set[str] = set()
        # Amounts above 0 only.
        self.totals: dict[str, int] = {}
        self.held: dict[str, dict[str, int]] = {}

    def add(self, replica: str, key: str, amount: int) -> None:
        """Let a registered replica hold more of a key."""
        if amount:
            held = self.held[replica]
            held[key] = held.get(key, 0) + amount
            self.totals[key] = self.totals.get(key, 0) + amount

    def take(self, replica: str, key: str, amount: int) -> int:
        """Give back some of what a replica holds, at most all of it; return how much that was."""
        held = self.held[replica]
        has = held.get(key, 0)
        amount = min(amount, has)
        if not amount:
            return 0
        if amount == has:
            del held[key]
        else:
            held[key] = has - amount
        total = self.totals[key] - amount
        if total:
            self.totals[key] = total
        else:
            del self.totals[key]
        if key in self._watched:
            self._watched.remove(key)
            self._freed(key)
        return amount

    def replace(self, replica: str, held: dict[str, int]) -> None:
        """Let a replica hold exactly this."""
        before = self.held.setdefault(replica, {})
        # In a certain order, as the messages about it have one.
        for key in sorted(before):
            if before[key] > held.get(key, 0):
                self.take(replica, key, before[key] - held.get(key, 0))
        for key, amount in held.items():
            if amount > before.get(key, 0):
                self.add(replica, key, amount - before.get(key, 0))

    def watch(self, key: str) -> int:
        """Report a key when its total becomes less; return the total."""
        total = self.totals.get(key, 0)
        if total:
            self._watched.add(key)
        return total

    def __repr__(self) -> str:
        return f"<Holdings of {len(self.totals)} keys by {len(self.held)} replicas>"
