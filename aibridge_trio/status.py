"""What the bridge knows of itself, as one document: `/status`, and each frame of `/status/stream`.

Additive only within a schema: unlimited is 0, absent is null.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aibridge_trio import __version__
from aibridge_trio.admission import Admission
from aibridge_trio.core.usage import TYPES
from aibridge_trio.core.verdict import Verdict
from aibridge_trio.errors import PHASES
from aibridge_trio.events import (
    Finished,
    Hears,
    Lifecycle,
    Overridden,
    Started,
    Transitioned,
)
from aibridge_trio.identity import Caller
from aibridge_trio.instances import Instance, Instances
from aibridge_trio.ledger import Histogram, Ledger
from aibridge_trio.life import Life

SCHEMA = 1
# Callers kept in mind, and callers told. Idle ones are forgotten first: memory is bounded.
_MAX_CALLERS = 1000
_TOLD_CALLERS = 20
_TOLD_EVENTS = 50


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
        ledger: Ledger,
        instances: Instances,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._life = life
        self._admission = admission
        self._ledger = ledger
        self._instances = instances
        self._clock = clock
        self._wall_clock = wall_clock
        self._began = clock()
        # Names this process: readers of counters can tell a restart from nothing having happened.
        self._started_at = round(wall_clock(), 3)
        self._callers: OrderedDict[bytes, _CallerTally] = OrderedDict()
        self._events: deque[dict[str, Any]] = deque(maxlen=_TOLD_EVENTS)
        self.hears: Hears = {
            Started: self._started,
            Finished: self._finished,
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
            "requests": {"total": self._ledger.requests.total(), "by_status": self._by_status()},
            "rejects": dict(self._ledger.rejects),
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
        name, ledger = instance.name, self._ledger
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
            "rejects": ledger.refusals[name],
            "verdicts": {verdict: ledger.verdicts[name, verdict] for verdict in Verdict},
        }

    def _provider(self, instance: Instance) -> dict[str, Any]:
        name, ledger = instance.name, self._ledger
        first_byte = Histogram()
        for (provider, _), histogram in ledger.first_bytes.items():
            if provider == name:
                first_byte.add(histogram)
        buckets = {str(bound): count for bound, count in first_byte.cumulative()}
        responses = {status: count for (provider, status), count in ledger.responses.items() if provider == name}
        return {
            "name": name,
            "type": instance.provider.name,
            "in_flight": ledger.in_flight[name],
            "breaker": self.breaker(instance),
            "upstream": {
                "responses": _keyed(responses),
                "errors": {phase: ledger.errors[name, phase] for phase in PHASES},
            },
            "ttfb_s": {"buckets": buckets, "sum": round(first_byte.sum, 6), "count": buckets["+Inf"]},
            "tokens": {kind: ledger.tokens[name, kind] for kind in TYPES},
        }

    def _by_status(self) -> dict[str, int]:
        counts: Counter[int] = Counter()
        for (_, _, status), count in self._ledger.requests.items():
            counts[status] += count
        return _keyed(counts)

    def _started(self, event: Started) -> None:
        self._tally(event.caller).in_flight += 1

    def _finished(self, event: Finished) -> None:
        if event.caller is not None:
            caller = self._tally(event.caller)
            caller.requests += 1
            caller.rejects += event.reject is not None
            caller.in_flight = max(0, caller.in_flight - event.started)

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


def _keyed(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(status): count for status, count in sorted(counts.items()) if count}
