"""What replicas tell each other of the cooldowns of callers' own keys at one provider."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from aibridge_trio.core.breaker.key_cooldowns import KeyCooldowns
from aibridge_trio.gateway import own_key_notes
from aibridge_trio.gateway.own_key_notes import OwnKeyNotes
from aibridge_trio.gateway.shared_notes import Noticeboard, seconds

TOPIC = "cooldown"
# So many of them each replica tells, the latest.
_MOST_TOLD = 100


class SharedCooldowns:
    """The cooldowns of a provider's callers in all replicas; `here` returns those of this one. `run` must run."""

    def __init__(
        self,
        board: Noticeboard,
        provider: str,
        clock: Callable[[], float],
        here: Callable[[], KeyCooldowns | None],
    ) -> None:
        self._clock = clock
        self._here = here
        notes = board.join(provider, self._take, own_key_notes.INTERVAL)
        self.run = notes.run
        self._keys = OwnKeyNotes(notes, clock, self._take_key, _MOST_TOLD)

    def started(self, key: bytes) -> None:
        """Tell the others of the cooldown of a key."""
        cooldowns, now = self._here(), self._clock()
        left = cooldowns.remaining(key, now) if cooldowns else None
        if left is not None:
            until = now + left
            self._keys.tell(key, until, lambda now: round(until - now, 3))

    def __repr__(self) -> str:
        return f"<SharedCooldowns {self._keys!r}>"

    def _take(self, sender: str, note: dict[str, Any], age: float) -> None:
        self._keys.take(sender, note, age)

    def _take_key(self, key: bytes, left: Any, age: float) -> None:
        if cooldowns := self._here():
            left = seconds({"left": left}, "left", math.inf)
            cooldowns.started_elsewhere(key, left - age, self._clock())
