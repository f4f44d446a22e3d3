"""Counts that replicas add up over a span, and claims of which one replica at a time has each."""

from __future__ import annotations

from math import floor

from aibridge_trio.core.sharing.ledger_expiry import Expiring

_MOST = 100_000
# The parts of a span.
SLICES = 16


class Tallies:
    """Sums of counts in the last span, by 16ths of it; the present 16th is one of them."""

    def __init__(self) -> None:
        # By name: the slices' numbers and their counts, in ascending order.
        self._tallies: Expiring[list[tuple[int, list[int]]]] = Expiring(_MOST)

    def add(self, key: str, span: float, counts: list[int], now: float) -> list[int]:
        """Add counts; return the sums."""
        name = f"{span:.14g}:{len(counts)}:{key}"
        present = floor(now / (span / SLICES))
        slices = [each for each in self._tallies.get(name) or [] if each[0] > present - SLICES]
        if any(counts):
            if slices and slices[-1][0] == present:
                slices[-1] = present, [a + b for a, b in zip(slices[-1][1], counts, strict=True)]
            else:
                slices.append((present, list(counts)))
            self._tallies.put(name, slices, now + span)
        return [sum(each) for each in zip(*(counts for _, counts in slices), strict=True)] or [0] * len(counts)

    def expire(self, now: float) -> None:
        """Forget what is out of date; a few entries only."""
        self._tallies.expire(now)

    def __repr__(self) -> str:
        return f"<Tallies of {len(self._tallies)} keys>"


class Claims:
    """Names, each with the replica that has claimed it."""

    def __init__(self) -> None:
        self._claims: Expiring[tuple[str, float]] = Expiring(_MOST)

    def claim(self, name: str, seconds: float, now: float, replica: str) -> int:
        """Give a replica a claim for so long, or end its claim, if no other has it; return whether that is so."""
        found = self._claims.get(name)
        if found is not None and found[0] != replica and found[1] > now:
            return 0
        self._claims.put(name, (replica, now + seconds), now + seconds)
        return 1

    def expire(self, now: float) -> None:
        """Forget what is out of date; a few entries only."""
        self._claims.expire(now)

    def __repr__(self) -> str:
        return f"<Claims {len(self._claims)}>"
