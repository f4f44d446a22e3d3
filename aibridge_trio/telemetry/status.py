"""The status document: the body of `/status`, and each event of `/status/stream`.

Within a schema keys are only added. 0 is unlimited, null is absent.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aibridge_trio import __version__
from aibridge_trio.config.units import show_duration
from aibridge_trio.core.caller import Caller
from aibridge_trio.core.key_pool import KeyState
from aibridge_trio.events import (
    Finished,
    FirstByte,
    Handlers,
    KeyChanged,
    LifecycleChanged,
    LimitChanged,
    Overridden,
    PassedOver,
    Started,
    Transitioned,
)
from aibridge_trio.gateway import admission as admissions
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.server import connection_limit
from aibridge_trio.sharing.change import StoreChanged
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.provider_health import ProviderHealth
from aibridge_trio.telemetry.provider_status import ProviderStatus, distribution, keyed, rounded
from aibridge_trio.telemetry.sharing_report import SharingReport
from aibridge_trio.telemetry.usage import UsageReport

SCHEMA = 1
# Callers that are counted; beyond that the longest idle one is removed, so that memory is bounded.
_MAX_CALLERS = 1000
# Callers and events in the document.
_SHOWN_CALLERS = 20
_SHOWN_EVENTS = 50


@dataclass(slots=True)
class _CallerTally:
    """The counts of one caller."""

    hint: str
    class_name: str
    requests: int = 0
    rejects: int = 0
    in_flight: int = 0


class Status:
    """Makes the status document from events, counters and the statistics of limiters, breakers and listeners."""

    def __init__(
        self,
        *,
        lifecycle: Lifecycle,
        admission: Admission,
        counters: Counters,
        router: Router,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        listeners: Mapping[str, Callable[[], connection_limit.ConnectionStats]],
        shadow: Sequence[str] = (),
        usage: UsageReport | None = None,
        sharing: SharingReport | None = None,
    ) -> None:
        self._listeners = listeners
        self.shadow = shadow
        self._usage = usage or UsageReport()
        self._sharing = sharing or SharingReport()
        self._lifecycle = lifecycle
        self._admission = admission
        self._counters = counters
        self._router = router
        self._clock = clock
        self._wall_clock = wall_clock
        self._began = clock()
        # Identifies this process: clients see a restart although counters are 0, and one that is reached twice.
        self._started_at = round(wall_clock(), 6)
        self._callers: OrderedDict[bytes, _CallerTally] = OrderedDict()
        self._events: deque[dict[str, Any]] = deque(maxlen=_SHOWN_EVENTS)
        self._health = ProviderHealth(clock)
        self._providers = ProviderStatus(counters, self._health, clock)
        self.handlers: Handlers = {
            Started: self._started,
            PassedOver: self._passed_over,
            FirstByte: self._health.first_byte,
            Finished: self._finished,
            Transitioned: self._transitioned,
            Overridden: self._overridden,
            LimitChanged: self._limit_changed,
            KeyChanged: self._key_changed,
            StoreChanged: self._store_changed,
            LifecycleChanged: self._lived,
        }

    def document(self) -> dict[str, Any]:
        """Return the document as JSON types."""
        admission = self._admission.statistics()
        rate = admission.limits.rate
        busiest = sorted(self._callers.values(), key=lambda tally: tally.requests, reverse=True)
        return {
            "schema": SCHEMA,
            "version": __version__,
            "now": round(self._wall_clock(), 3),
            "started_at": self._started_at,
            "uptime_s": round(self._clock() - self._began, 3),
            "draining": self._lifecycle.draining,
            "concurrency": {
                "limit": admission.limits.max_concurrency,
                "in_flight": admission.in_flight,
                "per_caller": admission.limits.per_caller,
                "per_provider": admission.limits.per_provider,
            },
            "queue": self._queue(admission),
            "rate_limit": {
                "per_second": rate.amount if rate else 0,
                "own": admission.own_rates,
                "callers": admission.callers,
            },
            "connections": {name: statistics().document() for name, statistics in self._listeners.items()},
            "requests": {"total": self._counters.requests.total(), "by_status": self._by_status()},
            "rejects": dict(self._counters.rejects),
            "shadow": list(self.shadow),
            "would_reject": dict(self._counters.would_rejects),
            "providers": [
                self._providers.document(backend, admission.limits.of_provider(backend.name))
                for backend in self._router
            ],
            "callers": [
                {
                    "hint": tally.hint,
                    "class": tally.class_name or None,
                    "requests": tally.requests,
                    "rejects": tally.rejects,
                    "in_flight": tally.in_flight,
                }
                for tally in busiest[:_SHOWN_CALLERS]
            ],
            "events": list(self._events),
            "workers": [],
            "usage": self._usage.document(),
            "store": self._sharing.document(),
        }

    def breaker(self, backend: Backend) -> dict[str, Any]:
        """Return the document's part about one backend's breaker."""
        return self._providers.breaker(backend)

    def _queue(self, admission: admissions.AdmissionStats) -> dict[str, Any]:
        queue, limits, counters = admission.queue, admission.limits, self._counters
        count = {outcome: histogram.count for (outcome,), histogram in counters.waits.items()}
        served = counters.waits["served",]
        return {
            "size": limits.queue_size,
            "timeout_s": limits.queue_timeout,
            "waiting": queue.waiting,
            "callers": queue.callers,
            "pace_per_s": rounded(queue.pace),
            "served": count["served"],
            "full": counters.rejects["queue_full"],
            "timed_out": count["timed_out"],
            "hopeless": counters.rejects["queue_deadline"],
            "left": count["left"],
            "wait_s": distribution(served),
        }

    def _by_status(self) -> dict[str, int]:
        counts: Counter[int] = Counter()
        for (_, _, status), count in self._counters.requests.items():
            counts[status] += count
        return keyed(counts)

    def _started(self, event: Started) -> None:
        self._tally(event.caller).in_flight += 1
        self._health.started(event)

    def _passed_over(self, event: PassedOver) -> None:
        if event.started:
            self._health.passed_over(event)
            caller = self._tally(event.caller)
            if caller.in_flight:
                caller.in_flight -= 1

    def _finished(self, event: Finished) -> None:
        if event.started:
            self._health.finished(event)
        if event.caller is not None:
            caller = self._callers.get(event.caller.key) or self._tally(event.caller)
            caller.requests += 1
            if event.reject is not None:
                caller.rejects += 1
            if event.started and caller.in_flight:
                caller.in_flight -= 1

    def _transitioned(self, event: Transitioned) -> None:
        self._health.transitioned(event)
        self._record(
            "breaker",
            provider=event.provider,
            source=event.source,
            target=event.target,
            because=event.because,
            scope=event.scope,
        )

    def _overridden(self, event: Overridden) -> None:
        self._record("override", provider=event.provider, target=event.mode, because=_why(event))

    def _limit_changed(self, event: LimitChanged) -> None:
        self._record(
            "adaptive",
            provider=event.provider,
            source=event.source,
            target=event.target,
            because=event.because,
        )

    def _key_changed(self, event: KeyChanged) -> None:
        if event.state is KeyState.OUT:  # rests are frequent, and shown with their keys
            because = f"{event.provider} {event.label}: {event.because}"
            self._record("key", provider=event.provider, target=event.state.value, because=because)

    def _store_changed(self, event: StoreChanged) -> None:
        self._record("store", source=event.source, target=event.target, because=event.words)

    def _lived(self, event: LifecycleChanged) -> None:
        self._record(event.what, because=event.detail)

    def _tally(self, caller: Caller) -> _CallerTally:
        """Return a caller's tally, a new one if needed; beyond _MAX_CALLERS the longest idle caller is removed."""
        try:
            tally = self._callers[caller.key]
        except KeyError:
            tally = self._callers[caller.key] = _CallerTally(caller.hint, caller.class_name)
            if len(self._callers) > _MAX_CALLERS:
                idle = next((key for key, each in self._callers.items() if not each.in_flight), None)
                self._callers.pop(idle if idle is not None else next(iter(self._callers)))
        else:
            tally.class_name = caller.class_name
            self._callers.move_to_end(caller.key)
        return tally

    def _record(
        self,
        kind: str,
        *,
        because: str,
        provider: str | None = None,
        source: str | None = None,
        target: str | None = None,
        scope: str | None = None,
    ) -> None:
        self._events.append(
            {
                "at": round(self._wall_clock(), 3),
                "kind": kind,
                "provider": provider,
                "scope": scope,
                "from": source,
                "to": target,
                "because": because,
            }
        )


def _why(event: Overridden) -> str:
    """Return whose override it is, why, and for how long: `operator: INC-12, for 10m`."""
    reason = f": {event.reason}" if event.reason else ""
    if event.ended:
        return f"override over{reason}"
    return f"operator{reason}" + (f", for {show_duration(event.seconds)}" if event.seconds is not None else "")
