"""An operator's override of all breakers of a provider on Trio: set, ended when it is due, and published."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import trio

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.core.breaker.overriding import Override, Overriding
from aibridge_trio.events import Overridden, Publish


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

    @property
    def present(self) -> Override | None:
        """The present override; None if the breakers decide."""
        return self._machine.present

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

    def __repr__(self) -> str:
        return f"<ProviderOverride {self._provider} {self._machine!r}>"
