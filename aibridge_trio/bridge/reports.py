"""What a bridge tells of itself: its counters, the metrics and the status document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aibridge_trio.config.config_hash import config_hash
from aibridge_trio.config.settings import Settings
from aibridge_trio.gateway.adaptive_line import AdaptiveLine
from aibridge_trio.gateway.admission import Admission
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.spending import Spending
from aibridge_trio.server.connection_limit import ConnectionStats
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.logs import Log
from aibridge_trio.telemetry.metrics import Metrics
from aibridge_trio.telemetry.process_report import ProcessReport
from aibridge_trio.telemetry.provider_gauges import ProviderGauges
from aibridge_trio.telemetry.recent_requests import RecentRequests
from aibridge_trio.telemetry.sharing_report import SharingReport
from aibridge_trio.telemetry.status import Status
from aibridge_trio.telemetry.usage import UsageReport


class Reports:
    """Built from the components that they read. `shadow` names the protections in shadow."""

    def __init__(
        self,
        *,
        lifecycle: Lifecycle,
        admission: Admission,
        router: Router,
        spending: Spending,
        log: Log,
        listeners: Mapping[str, Callable[[], ConnectionStats]],
        shadow: Sequence[str],
        sharing: SharingReport,
    ) -> None:
        circuits = [backend.circuits for backend in router]
        usage = UsageReport(spending)
        self.recent = RecentRequests(spending.clock, spending.wall_clock)
        self.counters = Counters(
            (backend.provider for backend in router),
            ((each.provider, scope) for each in circuits for scope in each.by_scope()),
        )
        self.process = ProcessReport(self.counters, lifecycle, lambda: log.dropped, listeners)
        self._providers = ProviderGauges(self.counters, spending.clock)
        self._providers.apply(router)
        self.metrics = Metrics(
            self.counters,
            admission.statistics,
            circuits,
            process=self.process,
            providers=self._providers,
            lines=_lines(router),
            keys=_keys(router),
            usage=usage,
            sharing=sharing,
        )
        self.status = Status(
            lifecycle=lifecycle,
            admission=admission,
            counters=self.counters,
            router=router,
            clock=spending.clock,
            wall_clock=spending.wall_clock,
            listeners=listeners,
            shadow=shadow,
            usage=usage,
            sharing=sharing,
        )

    def apply(self, router: Router, shadow: Sequence[str]) -> None:
        """Report on these backends from now on; the counts stay."""
        circuits = [backend.circuits for backend in router]
        self.counters.show((backend.provider for backend in router), circuits)
        self.metrics.apply(circuits, _lines(router), _keys(router))
        self._providers.apply(router)
        self.status.shadow = shadow

    def configure(self, settings: Settings, certificate_ends: float | None, *, worker: bool) -> None:
        """Report on this configuration; a `worker` has a part of it, and its supervisor reports on the whole."""
        self.counters.apply(settings.known_callers)
        self.process.config_hash = 0 if worker else config_hash(settings)
        self.process.certificate_ends = certificate_ends

    def __repr__(self) -> str:
        return f"<Reports {len(self.counters.requests)} series of requests>"


def _lines(router: Router) -> list[AdaptiveLine]:
    return [backend.adaptive for backend in router if backend.adaptive]


def _keys(router: Router) -> list[ProviderKeys]:
    return [backend.key.keys for backend in router if backend.key and backend.key.keys]
