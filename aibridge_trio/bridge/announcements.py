"""What the bridge says of itself in a line for people: at its start, and to its service manager."""

from __future__ import annotations

from collections.abc import Iterable

from aibridge_trio import __version__
from aibridge_trio.config.settings import Address, Bind, Settings, UnixSocket
from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.gateway.admission import AdmissionStats
from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.gateway.routing import Backend


def startup_message(settings: Settings, addresses: Iterable[Bind], admin: Address) -> str:
    """Return version, addresses, protections that are on, where limits are shared, and suggestions."""
    scheme = "https" if settings.tls_cert else "http"
    callers = " and ".join(
        str(each) if isinstance(each, UnixSocket) else f"{scheme}://{each}" for each in addresses
    )
    protections = ", ".join(settings.protections())
    protections = protections or "none is on (see --max-concurrency, --rate-limit, --circuit-breaker)"
    return "; ".join(
        (
            f"AI Bridge {__version__} listens on {callers}, admin on http://{admin}",
            *([f"{settings.workers} workers"] if settings.workers > 1 else []),
            f"protections: {protections}",
            *([f"limits are shared in {settings.store}, as {settings.store_prefix}"] if settings.store else []),
            *settings.suggestions(),
        )
    )


def summary(lifecycle: Lifecycle, load: AdmissionStats, backends: Iterable[Backend]) -> str:
    """Return what the bridge does now: phase, requests in flight and queued, breakers that are not closed."""
    waiting = f", {load.queue.waiting} waiting" if load.queue.waiting else ""
    unwell = [each.name for each in backends if each.circuits.statistics().state is not State.CLOSED]
    breakers = f"; breakers not closed: {', '.join(unwell)}" if unwell else ""
    return f"{lifecycle.phase}: {load.in_flight} in flight{waiting}{breakers}"
