"""One provider's breaker that replicas share, over their store: what gateway/shared_circuit.py does in tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from aibridge_trio.core.breaker.shared_breaker import SharedBreaker
from aibridge_trio.core.sharing import wire
from aibridge_trio.core.sharing.needs import Holding, Message
from aibridge_trio.simulate.policies.circuit import Circuit
from aibridge_trio.simulate.policies.store_link import StoreLink
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.engine import Clock

TOPIC = "breaker"
# As in the program: verdicts are sent at most once in so many seconds, values are kept for so long, and successes
# of probes are summed up over so many seconds.
_INTERVAL, _KEPT, _PROBES_SPAN = 0.05, 600.0, 3_600.0


class SharedCircuit(Circuit):
    """The breaker of a provider in one replica; `name` is that of the replica."""

    def __init__(
        self,
        provider: str,
        values: Values,
        clock: Clock,
        measure: Measure,
        *,
        own_keys: bool,
        seed: int | str,
        link: StoreLink,
    ) -> None:
        self._link = link
        self._name = link.session.replica
        self._shared: SharedBreaker | None = None
        self._counts_at = math.inf
        self._counted_at = -math.inf
        self._tells = False
        super().__init__(provider, values, clock, measure, own_keys=own_keys, seed=seed)

    def need(self) -> Holding | None:
        """Return what a call needs to be a probe; None if it would be none."""
        if self._shared is None or not self._shared.needs_right(self._clock.now):
            return None
        return Holding(f"probe:{self._provider}:{self._shared.change}", self._shared.max_probes)

    def lacks_right(self, call: Call, rights: Sequence[str]) -> bool:
        """Return whether a probe lacks the right to be one (any more); `rights` are keys of holdings."""
        if self._shared is None or not self.probes(call):
            return False
        right = next((key.rpartition(":")[2] for key in rights), None)
        return self._shared.lacks_right(right, self._clock.now) is not None

    def message(self, message: Message) -> None:
        """Take what the store has of the breaker."""
        if self._shared and message.key == self._provider:
            self._shared.heard(message.version, message.value, message.age, self._clock.now)
            self._stir()

    def store_changed(self, *, away: bool) -> None:
        """Note that the store is away, or is back."""
        if self._shared is None or self._shared.alone is away:
            return
        self._shared.alone = away
        if away:
            self._shared.judge(self._clock.now)
        else:
            self._shared.rejoined()
        self._stir()

    def _new_breaker(self, chance: Callable[[], float]) -> SharedBreaker:
        self._shared = SharedBreaker(self._policy, self._changed, self._clock.now, chance, self._name)
        self._shared.alone = True
        return self._shared

    def _arm(self) -> None:
        super()._arm()
        self._stir()

    def _stir(self) -> None:
        """Send what there is to send: a change at once, failures soon, successes a little later."""
        shared, now = self._shared, self._clock.now
        assert shared
        if shared.alone:
            return
        if shared.untold and not self._tells:
            self._tells = True
            self._clock.at(now, self._tell)
        if shared.unsent_successes:
            self._count_successes()
        due = (
            max(now, self._counted_at + _INTERVAL) if shared.failures.urgent else now + shared.failures.send_after
        )
        if due < self._counts_at:
            self._counts_at = due
            self._clock.at(due, self._count)

    def _tell(self, _: None) -> None:
        shared = self._shared
        assert shared
        if not shared.untold or shared.alone:
            self._tells = False
            return
        told = shared.shared(self._clock.now)
        sent = shared.version
        op = wire.set_value(TOPIC, self._provider, sent, told.value(), _KEPT + (told.left or 0.0))
        self._link.call(op, lambda result: self._was_told(told.change, sent, result))

    def _was_told(self, change: str, sent: int, result: list[object] | None) -> None:
        self._tells = False
        shared, now = self._shared, self._clock.now
        assert shared
        if result is None:
            return
        done, version, value = wire.was_set(result)
        if done:
            shared.taken(change, version)
        else:
            shared.heard(version, value, 0.0, now, refused=sent)
        self._stir()

    def _count(self, _: None) -> None:
        shared, now = self._shared, self._clock.now
        assert shared
        if now < self._counts_at:
            return  # scheduled for a time that is not due any more
        self._counts_at = math.inf
        if shared.alone:
            return
        epoch, counts = shared.failures.epoch, shared.failures.take()
        if counts is None:
            return
        self._counted_at = now
        op = ["tally", f"breaker:{self._provider}:{shared.change}", shared.failures.span, counts]
        self._link.call(op, lambda sums: self._was_counted(sums, epoch))

    def _was_counted(self, sums: object, epoch: int) -> None:
        assert self._shared
        self._shared.told(sums, epoch, self._clock.now)
        self._arm()

    def _count_successes(self) -> None:
        shared = self._shared
        assert shared
        count, change = shared.unsent_successes, shared.change
        shared.unsent_successes = 0
        op = ["tally", f"probes:{self._provider}:{change}", _PROBES_SPAN, [count]]
        self._link.call(op, lambda sums: self._were_counted(sums, change))

    def _were_counted(self, sums: list[float] | None, change: str) -> None:
        assert self._shared
        if sums is not None:
            self._shared.told_successes(sums[0], change, self._clock.now)
            self._arm()
