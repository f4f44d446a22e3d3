"""What the bridge knows of itself, as one document: `/status`, and each frame of `/status/stream`.

Additive only within a schema: unlimited is 0, absent is null.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aibridge_trio import __version__
from aibridge_trio.admission import Admission
from aibridge_trio.core.usage import TYPES
from aibridge_trio.core.verdict import Verdict
from aibridge_trio.errors import PHASES, REASONS
from aibridge_trio.events import (
    Answered,
    Faulted,
    Finished,
    FirstByte,
    Hears,
    Judged,
    Lifecycle,
    Overridden,
    Started,
    Transitioned,
)
from aibridge_trio.identity import Caller
from aibridge_trio.instances import Instance, Instances
from aibridge_trio.life import Life
from aibridge_trio.metrics import BUCKETS

SCHEMA = 1
# Callers kept in mind, and callers told. Idle ones are forgotten first: memory is bounded.
_MAX_CALLERS = 1000
_TOLD_CALLERS = 20
_TOLD_EVENTS = 50


@dataclass(slots=True)
class _Tally:
    """What is counted of one provider."""

    in_flight: int = 0
    rejects: int = 0
    responses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    first_bytes: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    first_byte_sum: float = 0.0


@dataclass(slots=True)
class _CallerTally:
    """What is counted of one caller."""

    hint: str
    requests: int = 0
    rejects: int = 0
    in_flight: int = 0


class Status:
    """Listens to events and reads the rooms' statistics; `document` is the answer."""

    def __init__(
        self,
        *,
        life: Life,
        admission: Admission,
        instances: Instances,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._life = life
        self._admission = admission
        self._instances = instances
        self._clock = clock
        self._wall_clock = wall_clock
        self._began = clock()
        # Names this process: readers of counters can tell a restart from nothing having happened.
        self._started_at = round(wall_clock(), 3)
        self._providers = {instance.name: _Tally() for instance in instances}
        self._callers: OrderedDict[bytes, _CallerTally] = OrderedDict()
        self._by_status: Counter[int] = Counter()
        self._rejects: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self._events: deque[dict[str, Any]] = deque(maxlen=_TOLD_EVENTS)
        self.hears: Hears = {
            Started: self._started,
            Finished: self._finished,
            Answered: self._answered,
            Faulted: self._faulted,
            Judged: self._judged,
            FirstByte: self._first_byte,
            Transitioned: self._transitioned,
            Overridden: self._overridden,
            Lifecycle: self._lived,
        }

    def document(self) -> dict[str, Any]:
        """Return everything, as JSON's types."""
        admission = self._admission.statistics()
        busiest = sorted(self._callers.values(), key=lambda tally: tally.requests, reverse=True)
        return {
            "schema": SCHEMA,
            "version": __version__,
            "now": round(self._wall_clock(), 3),
            "started_at": self._started_at,
            "uptime_s": round(self._clock() - self._began, 3),
            "draining": self._life.phase == "draining",
            "concurrency": {"limit": admission.max_concurrency, "in_flight": admission.in_flight},
            "rate_limit": {"per_second": admission.rate_limit, "callers": admission.callers},
            "requests": {"total": self._by_status.total(), "by_status": _keyed(self._by_status)},
            "rejects": dict(self._rejects),
            "providers": [self._provider(instance) for instance in self._instances],
            "callers": [
                {
                    "hint": tally.hint,
                    "requests": tally.requests,
                    "rejects": tally.rejects,
                    "in_flight": tally.in_flight,
                }
                for tally in busiest[:_TOLD_CALLERS]
            ],
            "events": list(self._events),
        }

    def breaker(self, instance: Instance) -> dict[str, Any]:
        """Return one breaker, as in the document."""
        breaker = instance.circuit.statistics()
        tally = self._providers[instance.name]
        policy = instance.circuit.policy
        return {
            "enabled": instance.circuit.enabled,
            "state": breaker.state,
            "mode": breaker.mode,
            "since_s": round(max(0.0, self._clock() - breaker.since), 3),
            "cooldown_left_s": None if breaker.cooldown_left is None else round(breaker.cooldown_left, 3),
            "failures_in_window": breaker.failures_in_window,
            "threshold": policy.threshold if policy else None,
            "probes": breaker.probes,
            "max_probes": policy.max_probes if policy else None,
            "trips": breaker.trips,
            "rejects": tally.rejects,
            "verdicts": {verdict: tally.verdicts[verdict] for verdict in Verdict},
        }

    def _provider(self, instance: Instance) -> dict[str, Any]:
        tally = self._providers[instance.name]
        buckets, count = {}, 0
        for bound, times in zip((*BUCKETS, "+Inf"), tally.first_bytes, strict=True):
            count += times
            buckets[str(bound)] = count
        return {
            "name": instance.name,
            "type": instance.provider.name,
            "in_flight": tally.in_flight,
            "breaker": self.breaker(instance),
            "upstream": {
                "responses": _keyed(tally.responses),
                "errors": {phase: tally.errors[phase] for phase in PHASES},
            },
            "ttfb_s": {"buckets": buckets, "sum": round(tally.first_byte_sum, 6), "count": count},
            "tokens": {kind: tally.tokens[kind] for kind in TYPES},
        }

    def _started(self, event: Started) -> None:
        self._providers[event.provider].in_flight += 1
        self._tally(event.caller).in_flight += 1

    def _answered(self, event: Answered) -> None:
        self._providers[event.provider].responses[event.status] += 1

    def _faulted(self, event: Faulted) -> None:
        self._providers[event.provider].errors[event.phase] += 1

    def _judged(self, event: Judged) -> None:
        self._providers[event.provider].verdicts[event.verdict] += 1

    def _first_byte(self, event: FirstByte) -> None:
        tally = self._providers[event.provider]
        tally.first_bytes[bisect_left(BUCKETS, event.seconds)] += 1
        tally.first_byte_sum += event.seconds

    def _transitioned(self, event: Transitioned) -> None:
        self._note(
            "breaker",
            provider=event.provider,
            source=event.source,
            target=event.target,
            because=event.because,
        )

    def _overridden(self, event: Overridden) -> None:
        self._note("override", provider=event.provider, target=event.mode, because="operator")

    def _lived(self, event: Lifecycle) -> None:
        self._note(event.what, because=event.detail)

    def _finished(self, event: Finished) -> None:
        self._by_status[event.status] += 1
        if event.reject is not None:
            self._rejects[event.reject] += 1
        if event.caller is not None:
            caller = self._tally(event.caller)
            caller.requests += 1
            caller.rejects += event.reject is not None
            caller.in_flight = max(0, caller.in_flight - event.started)
        if event.started:
            tally = self._providers[event.provider]
            tally.in_flight -= 1
            tally.rejects += event.reject == "circuit_open"
            for kind, count in zip(TYPES, event.usage, strict=True):
                tally.tokens[kind] += count

    def _tally(self, caller: Caller) -> _CallerTally:
        """Find or begin a caller's tally; beyond the bound the one that was quiet the longest is forgotten."""
        tally = self._callers.get(caller.key)
        if tally is None:
            tally = self._callers[caller.key] = _CallerTally(caller.hint)
        self._callers.move_to_end(caller.key)
        if len(self._callers) > _MAX_CALLERS:
            idle = next((key for key, each in self._callers.items() if not each.in_flight), None)
            self._callers.pop(idle if idle is not None else next(iter(self._callers)))
        return tally

    def _note(
        self,
        kind: str,
        *,
        because: str,
        provider: str | None = None,
        source: str | None = None,
        target: str | None = None,
    ) -> None:
        at = round(self._wall_clock(), 3)
        self._events.append(
            {"at": at, "kind": kind, "provider": provider, "from": source, "to": target, "because": because}
        )


def _keyed(counts: Counter[int]) -> dict[str, int]:
    return {str(status): counts[status] for status in sorted(counts)}
