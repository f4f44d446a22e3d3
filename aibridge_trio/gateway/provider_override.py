"""An operator's override of all breakers of a provider on Trio: set, ended when it is due, and published.

Replicas with a common store tell each other of it (`share`): reason and end are known to all, so that it ends
everywhere, also when the replica that the operator asked has gone. The mode itself is the breakers'.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import trio

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.core.breaker.overriding import LONGEST_OVERRIDE, LONGEST_REASON, Override, Overriding
from aibridge_trio.events import Overridden, Publish
from aibridge_trio.gateway.shared_notes import Notes, Noticeboard, seconds

TOPIC = "override"
# How long the end of an override is kept for replicas that join later (seconds); the longest address.
_KEPT, _LONGEST_ADDRESS = 60.0, 64
# An end that differs by less is the same (seconds): messages take a while.
_SLIGHT = 1.0


class Overridable(Protocol):
    """A breaker on Trio; `ended`: the override is over by itself."""

    def override(self, mode: Mode, *, ended: bool = False) -> bool: ...


class ProviderOverride:
    """The override of a provider, which holds for each of `breakers()`."""

    def __init__(
        self,
        provider: str,
        breakers: Callable[[], Iterable[Overridable]],
        clock: Callable[[], float],
        publish: Publish,
    ) -> None:
        self._provider = provider
        self._breakers = breakers
        self._clock = clock
        self._publish = publish
        self._machine = Overriding()
        self._changed = trio.Event()
        self._notes: Notes | None = None

    def share(self, board: Noticeboard) -> None:
        """Tell other replicas of overrides, and take theirs; before `run`."""
        self._notes = board.join(self._provider, self._take)

    @property
    def present(self) -> Override | None:
        """The present override; None if the breakers decide."""
        return self._machine.present

    def left(self) -> float | None:
        """Return how long the present override lasts (seconds); None if it has no end."""
        present = self.present
        return None if present is None or present.until == math.inf else max(0.0, present.until - self._clock())

    def set(self, mode: Mode, peer: str | None, seconds: float, reason: str) -> None:
        """Replace the present override by one of so many `seconds` (infinity: without an end).

        `peer` is the operator's address. Raises ValueError for a reason or a time that is too long.
        """
        now = self._clock()
        self.expire()
        override = Override(mode, now, now + seconds, reason, peer)
        replaced = self._machine.set(override, now)
        # Another replica may have forced the breakers.
        if self._apply(mode) or replaced:
            self._publish(Overridden(self._provider, mode, peer, reason, override.seconds))
        if self._notes:
            # The end of an override is not told again: by then another replica may have set one.
            self._notes.leave(
                "", self._note if mode is Mode.AUTO else self._note_while_set, again=mode is not Mode.AUTO
            )

    def expire(self) -> None:
        """End the override if it is due."""
        if ended := self._machine.advance(self._clock()):
            self._apply(Mode.AUTO, ended=True)
            self._publish(Overridden(self._provider, Mode.AUTO, ended.by, ended.reason, ended=True))

    def join(self, breaker: Overridable) -> None:
        """Let the present override hold for a new breaker, too."""
        if self.present:
            breaker.override(self.present.mode)

    async def run(self) -> None:
        """End overrides when they are due, until cancelled."""
        async with trio.open_nursery() as nursery:
            if self._notes:
                nursery.start_soon(self._notes.run)
            await self._end_overrides()

    async def _end_overrides(self) -> None:
        while True:
            self._changed = trio.Event()
            due = self._machine.next_due()
            with trio.CancelScope(deadline=due):
                await self._changed.wait()
            self.expire()

    def _apply(self, mode: Mode, *, ended: bool = False) -> bool:
        changes = [breaker.override(mode, ended=ended) for breaker in self._breakers()]
        self._changed.set()
        return any(changes)

    def _note(self) -> tuple[dict[str, Any], float]:
        """Return what others learn of the present override, and for how long the store keeps it."""
        present = self.present
        if present is None:
            return {"mode": Mode.AUTO.value}, _KEPT
        left = self.left()
        note = {"mode": present.mode.value, "left": left, "reason": present.reason, "by": present.by}
        return note, LONGEST_OVERRIDE if left is None else left

    def _note_while_set(self) -> tuple[dict[str, Any], float] | None:
        return self._note() if self.present else None

    def _take(self, _key: str, note: dict[str, Any], age: float) -> None:
        """Take another replica's override; raises ValueError for what is none."""
        now, mode = self._clock(), Mode(str(note.get("mode")))
        left = math.inf if note.get("left") is None else seconds(note, "left", LONGEST_OVERRIDE) - age
        override = Override(mode, now - age, now + left, _text(note.get("reason"), LONGEST_REASON), _by(note))
        self.expire()
        present = self.present
        if left <= 0 or (present is None and mode is Mode.AUTO):
            return
        same_end = present is not None and (
            present.until == override.until or abs(present.until - override.until) < _SLIGHT
        )
        if present is not None and same_end and (present.mode, present.reason) == (mode, override.reason):
            return
        if self._machine.set(override, now):
            self._publish(Overridden(self._provider, mode, override.by, override.reason, override.seconds))
            self._changed.set()

    def __repr__(self) -> str:
        return f"<ProviderOverride {self._provider} {self._machine!r}>"


def _text(found: object, most: int) -> str:
    """Return a text of a note, without what a terminal would not show as it is."""
    if not isinstance(found, str):
        return ""
    return "".join(each for each in found[:most] if each.isprintable())


def _by(note: dict[str, Any]) -> str | None:
    return _text(note.get("by"), _LONGEST_ADDRESS) or None
