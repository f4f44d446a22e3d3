"""What `/status` says of a provider that no counter holds: for how long no answer has begun, why a breaker moved.

Sync, O(1) per event; memory is bounded by the number of providers and of their breakers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.events import Finished, FirstByte, Started, Transitioned

_NO_ANSWER = 499


@dataclass(slots=True)
class _Silence:
    """Requests at a provider of whose answer no byte has come, and since when none has (seconds on the clock)."""

    unanswered: int = 0
    since: float = 0.0


class ProviderHealth:
    """Notes by provider; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._silences: dict[str, _Silence] = {}
        # By provider and scope, the latest transition last.
        self._moved: dict[tuple[str, str | None], Transitioned] = {}

    def started(self, event: Started) -> None:
        """Note that a request goes to its provider."""
        silence = self._silences.setdefault(event.provider, _Silence())
        if not silence.unanswered:
            silence.since = self._clock()
        silence.unanswered += 1

    def first_byte(self, event: FirstByte) -> None:
        """Note that an answer has begun."""
        silence = self._silences.setdefault(event.provider, _Silence())
        silence.unanswered = max(0, silence.unanswered - 1)
        silence.since = self._clock()

    def finished(self, event: Finished) -> None:
        """Note the end of a request; one that failed or was given up is no answer."""
        if not event.started:
            return
        silence = self._silences.setdefault(event.provider, _Silence())
        if event.first_byte is None:
            silence.unanswered = max(0, silence.unanswered - 1)
        if event.reject is None and not event.broken and event.status != _NO_ANSWER:
            silence.since = self._clock()

    def transitioned(self, event: Transitioned) -> None:
        """Note why a breaker changed its state."""
        self._moved.pop((event.provider, event.scope), None)
        self._moved[event.provider, event.scope] = event

    def unanswered(self, provider: str) -> tuple[int, float | None]:
        """Return how many requests wait for an answer to begin, and for how long none has begun or ended."""
        silence = self._silences.get(provider)
        if silence is None or not silence.unanswered:
            return 0, None
        return silence.unanswered, max(0.0, self._clock() - silence.since)

    def because(self, provider: str, scope: str | None, state: State) -> str | None:
        """Return why a breaker went into this state, None if it never left its first one.

        Without a scope of a provider with several breakers: the latest of those that are in this state.
        """
        if (provider, scope) in self._moved:
            return self._moved[provider, scope].because
        if scope is not None:
            return None
        found = [each for (name, _), each in self._moved.items() if name == provider and each.target is state]
        return found[-1].because if found else None
