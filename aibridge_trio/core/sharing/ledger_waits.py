"""Which replicas have requests that wait for a limit: what others give back is shared out evenly among them.

A replica gets no more of a limit while requests of another one wait for it that holds less of it, or as much and
has waited for longer. So the one that holds least gets what is free next, and of several that hold as much, each
in turn. A replica says again and again what it waits for; what it does not say again counts for `WAITS` seconds.
"""

from __future__ import annotations

from typing import NamedTuple

from aibridge_trio.core.sharing.ledger_expiry import Expiring

# For how long a replica waits that says nothing more (seconds): it says it every 100 ms.
WAITS = 0.3
# Replicas that are known to wait for one limit; the next one has its turn when one of these has had it.
MOST_WAITING = 32
_MOST = 100_000


class Waiting(NamedTuple):
    """A replica that waits: since when and until when, and what it held of the limit when it said so last."""

    since: float
    until: float
    held: int


class Waits:
    """Waiting replicas, by the limit's key. `now` is the ledger's time."""

    def __init__(self) -> None:
        self._waiting: Expiring[dict[str, Waiting]] = Expiring(_MOST)

    def wait(self, replica: str, key: str, held: int, now: float) -> None:
        """Note that requests of a replica wait, which holds so much."""
        waiting = self._present(key, now)
        before = waiting.get(replica)
        if before is None and len(waiting) >= MOST_WAITING:
            return
        waiting[replica] = Waiting(before.since if before else now, now + WAITS, held)
        self._waiting.put(key, waiting, now + WAITS)

    def end(self, replica: str, key: str) -> None:
        """None of them waits any more, or one has got what it waited for: if there are more, they say so anew."""
        if waiting := self._waiting.get(key):
            waiting.pop(replica, None)

    def bar(self, replica: str, key: str, held: int, now: float) -> bool:
        """Return whether another replica goes first, while this one holds so much."""
        if not self._waiting.get(key):
            return False
        waiting = self._present(key, now)
        own = waiting.get(replica)
        turn = held, own.since if own else now
        return any((each.held, each.since) < turn for name, each in waiting.items() if name != replica)

    def expire(self, now: float) -> None:
        """Forget what is out of date; a few entries only."""
        self._waiting.expire(now)

    def _present(self, key: str, now: float) -> dict[str, Waiting]:
        waiting = self._waiting.get(key) or {}
        for name in [name for name, each in waiting.items() if each.until <= now]:
            del waiting[name]
        return waiting

    def __repr__(self) -> str:
        return f"<Waits for {len(self._waiting)} limits>"
