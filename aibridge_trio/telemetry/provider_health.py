"""Per provider: how long no response has begun, and why its breakers last changed state. For `/status`.

Synchronous, O(1) per event; memory is bounded by the number of providers and their breakers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.events import Finished, FirstByte, PassedOver, Started, Transitioned

_NO_ANSWER = 499


@dataclass(slots=True)
class _Silence:
    """The number of requests without a response byte yet, and the clock time of the last response."""

    unanswered: int = 0
    since: float = 0.0


class ProviderHealth:
    """Follows each provider's requests and transitions; `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._silences: defaultdict[str, _Silence] = defaultdict(_Silence)
        # By provider and scope; the latest transition is last.
        self._transitions: dict[tuple[str, str | None], Transitioned] = {}

    def started(self, event: Started) -> None:
        """Count a request that is sent to its provider."""
        silence = self._silences[event.provider]
        if not silence.unanswered:
            silence.since = self._clock()
        silence.unanswered += 1

    def first_byte(self, event: FirstByte) -> None:
        """Record that a response has begun."""
        silence = self._silences[event.provider]
        if silence.unanswered:
            silence.unanswered -= 1
        silence.since = event.at

    def passed_over(self, event: PassedOver) -> None:
        """Record that a request has left its provider for another one, without an answer."""
        silence = self._silences[event.provider]
        if silence.unanswered:
            silence.unanswered -= 1

    def finished(self, event: Finished) -> None:
        """Record the end of a request; a failed or abandoned one is not a response."""
        if not event.started:
            return
        silence = self._silences[event.provider]
        if event.first_byte is None and silence.unanswered:
            silence.unanswered -= 1
        if event.reject is None and not event.broken and event.status != _NO_ANSWER:
            silence.since = event.at

    def transitioned(self, event: Transitioned) -> None:
        """Keep the latest transition of each breaker."""
        self._transitions.pop((event.provider, event.scope), None)
        self._transitions[event.provider, event.scope] = event

    def unanswered(self, provider: str) -> tuple[int, float | None]:
        """Return the number of requests whose response has not begun, and the seconds since the last response."""
        silence = self._silences.get(provider)
        if silence is None or not silence.unanswered:
            return 0, None
        return silence.unanswered, max(0.0, self._clock() - silence.since)

    def because(self, provider: str, scope: str | None, state: State) -> str | None:
        """Return why a breaker changed to this state, None if it has never changed.

        Without a scope, for a provider with several breakers: of the latest one that changed to this state.
        """
        if (provider, scope) in self._transitions:
            return self._transitions[provider, scope].because
        if scope is not None:
            return None
        found = [
            each for (name, _), each in self._transitions.items() if name == provider and each.target is state
        ]
        return found[-1].because if found else None
