"""The store that replicas share: the program's ledger, reached over ways with delay, loss and partitions."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from aibridge_trio.core.sharing.ledger import Ledger
from aibridge_trio.core.sharing.wire import Batch
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from aibridge_trio.simulate.world.engine import Clock

# A way takes its mean time, give or take so much of it.
_SPREAD = 0.5
# Nothing is lost in the first seconds: the program waits for its first contact before it serves.
_QUIET = 1.0


class Store:
    """One store, whose clock is the simulation's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ledger = Ledger()
        self._ways: list[Way] = []

    def join(self, way: Way) -> None:
        """Wake this way's replica whenever there are new messages."""
        self._ways.append(way)

    def execute(self, batch: bytes) -> bytes:
        """Execute a batch; return the reply."""
        before = self._ledger.number
        reply = self._ledger.execute(batch, self._clock.now)
        if self._ledger.number != before:
            for way in self._ways:
                way.wake()
        return reply

    def __repr__(self) -> str:
        return f"<Store {self._ledger!r}>"


class Way:
    """One replica's connection: what is sent arrives in order; behind what is lost, nothing until `connect`.

    `on_wake` is called when there are messages; it may be replaced. `cut` is from when until when nothing arrives.
    """

    def __init__(
        self, store: Store, clock: Clock, sharing: FleetSharing, *, seed: str, cut: tuple[float, float] | None
    ) -> None:
        self.on_wake: Callable[[], None] = lambda: None
        self._store = store
        self._clock = clock
        self._mean = sharing.round_trip / 2
        self._loss = sharing.loss
        self._cut = cut
        self._chance: Callable[[], float] = Random(f"{seed}/way").random  # noqa: S311 - no secret
        self._there = self._back = 0.0
        self._connection = 0
        # The connections on which something was lost, on the way and on the way back.
        self._broken = self._broken_back = -1
        store.join(self)

    def connect(self) -> None:
        """Begin a new connection; what is under way arrives all the same."""
        self._connection += 1

    def send(self, batch: Batch, replied: Callable[[tuple[int, bytes]], None]) -> None:
        """Send a batch; `replied` gets its number and the reply, if both arrive."""
        connection = self._connection
        if self._lost():
            self._broken = connection
        if self._broken != connection:
            self._there = self._arrival(self._there)
            self._clock.at(self._there, self._execute, (connection, batch.number, batch.encoded(), replied))

    def wake(self) -> None:
        """Tell the replica that there are messages."""
        if not self._lost():
            self._clock.at(self._arrival(0.0), self._woken)

    def _execute(self, sent: tuple[int, int, bytes, Callable[[tuple[int, bytes]], None]]) -> None:
        connection, number, batch, replied = sent
        if self._is_cut():
            self._broken = connection
            return
        reply = self._store.execute(batch)
        if self._lost():
            self._broken_back = connection
        if self._broken_back != connection:
            self._back = self._arrival(self._back)
            self._clock.at(self._back, replied, (number, reply))

    def _woken(self, _: None) -> None:
        self.on_wake()

    def _arrival(self, before: float) -> float:
        """Return when something arrives that is sent now, behind what arrives at `before`."""
        return max(before, self._clock.now + self._mean * (1 + _SPREAD * (2 * self._chance() - 1)))

    def _lost(self) -> bool:
        # Half of what is lost is lost on the way, half on the way back.
        loses = self._loss > 0 and self._clock.now >= _QUIET
        return self._is_cut() or (loses and self._chance() < self._loss / 2)

    def _is_cut(self) -> bool:
        return self._cut is not None and self._cut[0] <= self._clock.now < self._cut[1]
