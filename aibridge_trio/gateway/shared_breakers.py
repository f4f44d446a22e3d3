"""The breakers that replicas share: those of this replica by their names, and what their store tells of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from secrets import token_hex

from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.shared_breaker import SharedBreaker
from aibridge_trio.core.breaker.state import Transition
from aibridge_trio.core.sharing.needs import Message
from aibridge_trio.gateway import provider_override, shared_cooldowns
from aibridge_trio.gateway.shared_circuit import TOPIC, SharedCircuit
from aibridge_trio.gateway.shared_notes import Noticeboard
from aibridge_trio.sharing.store import Condition, Store

# Longer names of breakers are hashed; so many values are remembered.
_LONGEST_NAME, _MOST_VALUES = 200, 1_024


class SharedBreakers:
    """All shared breakers of this replica."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._condition = store.condition
        self._process = token_hex(6)
        self._joined: dict[str, SharedCircuit] = {}
        self._values: dict[str, tuple[Message, float]] = {}
        self.overrides = Noticeboard(store, provider_override.TOPIC)
        store.on_message(TOPIC, self._heard)
        self.cooldowns = Noticeboard(store, shared_cooldowns.TOPIC)
        store.on_condition(self._store_changed)
        store.on_lost(self._content_lost)

    def join(
        self,
        name: str,
        policy: BreakerPolicy,
        on_transition: Callable[[Transition], None],
        chance: Callable[[], float],
        changed: Callable[[], None],
    ) -> SharedCircuit:
        """Return a breaker of all replicas; `changed` is called when others may have changed it."""
        name = name if len(name) <= _LONGEST_NAME else blake2b(name.encode(), digest_size=16).hexdigest()
        now = self._clock()
        breaker = SharedBreaker(policy, on_transition, now, chance, self._process + token_hex(2))
        breaker.alone = _is_away(self._store.condition)
        circuit = self._joined[name] = SharedCircuit(breaker, name, self._store, self._clock, changed)
        return circuit

    def learn(self, circuit: SharedCircuit) -> None:
        """Tell a breaker that is new what the others know already."""
        if found := self._values.get(circuit.name):
            message, at = found
            circuit.heard(replace(message, age=message.age + self._clock() - at))

    def leave(self, circuit: SharedCircuit) -> None:
        """Forget a breaker."""
        if self._joined.get(circuit.name) is circuit:
            del self._joined[circuit.name]

    def __repr__(self) -> str:
        return f"<SharedBreakers {len(self._joined)}>"

    def _heard(self, message: Message) -> None:
        if not _is_message(message):
            return
        self._values.pop(message.key, None)
        self._values[message.key] = message, self._clock()
        if len(self._values) > _MOST_VALUES:
            del self._values[next(iter(self._values))]
        if circuit := self._joined.get(message.key):
            circuit.heard(message)

    def _store_changed(self, store: Store) -> None:
        condition, before = store.condition, self._condition
        self._condition = condition
        if _is_away(condition) is not _is_away(before):
            for circuit in list(self._joined.values()):
                circuit.store_changed(away=_is_away(condition))

    def _content_lost(self) -> None:
        for circuit in list(self._joined.values()):
            circuit.store_changed(away=False)


def _is_away(condition: Condition) -> bool:
    return condition not in {"shared", "settling"}


def _is_message(message: Message) -> bool:
    """Whether a message has what one must have: the store may say anything."""
    texts: tuple[object, ...] = (message.key, message.sender)
    numbers: tuple[object, ...] = (message.version, message.age)
    return all(isinstance(each, str) for each in texts) and all(
        isinstance(each, int | float) and 0 <= each < math.inf for each in numbers
    )
