"""The replicas that a ledger knows: when each sent something, and which are silent for too long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

# Silent replicas that are looked at with one batch, and holdings that are taken from them.
LOOKS, MOST_TAKEN = 8, 500
# How long the numbers of a lost replica's last batches are remembered: then it knows what of it was executed, if
# it registers again.
REMEMBERED = 3_600.0


@dataclass(slots=True)
class Known:
    """A replica. It is `registered` until it ends or is silent for `ttl` seconds.

    `number` is that of its last batch, `applied` of the last one that was more than a registration.
    """

    number: int
    applied: int
    heard: float
    ttl: float
    registered: bool


class Replicas:
    """Known replicas, by id."""

    __slots__ = ("_looks", "_scores", "known", "live")

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.live = 0
        # When each is looked at next; it may have sent something by then.
        self._scores: dict[str, float] = {}
        self._looks: list[tuple[float, str]] = []

    def hear(self, replica: str, number: int, now: float, ttl: float, *, applies: bool) -> None:
        """Note a batch of a registered replica; `applies`: it is more than a registration."""
        known = self.known[replica]
        known.number, known.heard, known.ttl = number, now, ttl
        if applies:
            known.applied = number
        if now + ttl < self._scores[replica]:
            self._look(replica, now + ttl)

    def register(self, replica: str, now: float, ttl: float) -> None:
        """Know a replica from now on."""
        known = self.known.get(replica)
        if known is None:
            known = self.known[replica] = Known(0, 0, now, ttl, registered=False)
            self._look(replica, now + ttl)
        if not known.registered:
            known.registered = True
            self.live += 1

    def end(self, replica: str) -> None:
        """A replica holds nothing any more."""
        known = self.known[replica]
        if known.registered:
            known.registered = False
            self.live -= 1

    def due(self, now: float) -> Iterator[str]:
        """Yield silent replicas, as many as one batch looks at; `again` or `remember` must follow for each."""
        for replica in self._candidates(now):
            known = self.known[replica]
            silent = known.heard + known.ttl
            if silent > now:
                self._look(replica, silent)
            else:
                self.end(replica)
                yield replica

    def again(self, replica: str, now: float) -> None:
        """Look at a replica with the next batch: it still holds something."""
        self._look(replica, now)

    def remember(self, replica: str, now: float) -> bool:
        """Keep the number of a replica that holds nothing for a while; return whether that is over."""
        known = self.known[replica]
        until = known.heard + known.ttl + REMEMBERED
        if until > now:
            self._look(replica, until)
            return False
        del self.known[replica], self._scores[replica]
        return True

    def _look(self, replica: str, when: float) -> None:
        self._scores[replica] = when
        heappush(self._looks, (when, replica))

    def _candidates(self, now: float) -> list[str]:
        found: list[str] = []
        looks = self._looks
        while looks and looks[0][0] <= now and len(found) < LOOKS:
            score, replica = heappop(looks)
            if self._scores.get(replica) == score:  # else it was put off, or forgotten
                found.append(replica)
        return found

    def __repr__(self) -> str:
        return f"<Replicas {self.live} of {len(self.known)}>"
