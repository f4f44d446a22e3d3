"""The traces of a bridge, made of its settings; without --otel-endpoint nothing of them is imported."""

from __future__ import annotations

import platform
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import trio

from aibridge_trio import __version__
from aibridge_trio.config.collector_headers import collector_headers
from aibridge_trio.config.provider_tables import effective
from aibridge_trio.config.settings import Settings
from aibridge_trio.errors import UsageError
from aibridge_trio.gateway.request_events import NewRecord, Record
from aibridge_trio.upstream.client import TransportFactory

_PATH = "/v1/traces"
_PORTS = {"http": 80, "https": 443}


class NoTraces:
    """No request is traced: `record` makes plain records."""

    record: NewRecord = Record

    def apply(self, settings: Settings) -> None:
        """Trace by these settings from now on."""

    async def run(self) -> None:
        """Send spans until `finish` was called, or cancelled."""
        await trio.lowlevel.checkpoint()

    async def finish(self) -> None:
        """Send what is left, within a bound."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close the connections."""
        await trio.lowlevel.checkpoint()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def new_traces(
    settings: Settings,
    transport: TransportFactory,
    *,
    wall_clock: Callable[[], float],
    counts: Counter[str],
    warn: Callable[[str], None],
    report: Callable[[BaseException], None],
) -> NoTraces:
    """Return the traces that the settings want. Raises UsageError.

    `counts` has spans by their outcome, `report` gets bugs. The proxy is that of the environment: --upstream-proxy
    is for providers.
    """
    if not settings.otel_endpoint:
        return NoTraces()
    try:
        from aibridge_trio.telemetry.tracing.exporter import Exporter  # noqa: PLC0415 - nothing of it when off
        from aibridge_trio.telemetry.tracing.spans import ProviderFacts  # noqa: PLC0415
        from aibridge_trio.telemetry.tracing.tracing import Tracing  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(f"--otel-endpoint: {error.name} is missing; pip install 'aibridge-trio[otel]'") from None

    class Traces(NoTraces):
        """Sampled requests are traced, and their spans exported."""

        def __init__(self) -> None:
            proxy = replace(settings, upstream_proxy=None).proxy_for(settings.otel_endpoint or "")
            self._exporter = Exporter(
                f"{settings.otel_endpoint}{_PATH}",
                transport(proxy.reveal() if proxy else None),
                headers=collector_headers(settings.otel_headers) if settings.otel_headers else (),
                resource={
                    "service.name": settings.otel_service_name,
                    "service.version": __version__,
                    "service.instance.id": secrets.token_hex(8),
                    "host.name": platform.node(),
                },
                counts=counts,
                warn=warn,
                report=report,
            )
            self._tracing = Tracing(settings.otel_sample, wall_clock=wall_clock, end=self._exporter.put)
            self.record = self._tracing.record
            self.apply(settings)

        def apply(self, settings: Settings) -> None:
            self._tracing.sample = settings.otel_sample
            self._exporter.providers = {
                table.name: ProviderFacts(table.dialect, *_host_and_port(table.base_url))
                for table in effective(settings)
            }

        async def run(self) -> None:
            await self._exporter.run()

        async def finish(self) -> None:
            await self._exporter.finish()

        async def aclose(self) -> None:
            await self._exporter.aclose()

    return Traces()


def _host_and_port(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]
