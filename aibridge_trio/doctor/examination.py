"""The whole examination: what needs no network first, then all providers at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import trio

from aibridge_trio.config.loader import Loaded
from aibridge_trio.doctor import callers, clock, limits, machine
from aibridge_trio.doctor.finding import Finding
from aibridge_trio.doctor.provider_calls import ProviderCalls
from aibridge_trio.upstream.client import TransportFactory
from aibridge_trio.upstream.transport import Transports


def run(loaded: Loaded, *, timeout: float) -> list[Finding]:
    """Return all findings; `timeout` (seconds) bounds each call. Raises UsageError."""
    transports = Transports(loaded.settings.upstream_ca)
    transports.prepare()
    return trio.run(examine, loaded, transports, timeout, lambda: datetime.now(UTC).timestamp())


async def examine(
    loaded: Loaded, transport: TransportFactory, within: float, wall_clock: Callable[[], float]
) -> list[Finding]:
    """Return all findings, in the order in which they are shown.

    `within` (seconds) bounds each call; `wall_clock` is Unix time.
    """
    settings = loaded.settings
    calls = ProviderCalls(settings, transport, within, wall_clock)
    return [
        *_configuration(loaded),
        *limits.examine(settings),
        machine.descriptors(settings),
        *machine.files(loaded, wall_clock()),
        *await calls.run(),
        clock.examine(calls.offsets),
        *callers.examine(settings),
    ]


def _configuration(loaded: Loaded) -> list[Finding]:
    """Return what `aibridge check` warns of."""
    given = {name for name, origin in loaded.origins.items() if origin.kind != "default"}
    found = [Finding("warning", "configuration", "", text) for text in loaded.settings.warnings(given)]
    return found or [Finding("ok", "configuration", "", "valid, and nothing in it is odd")]
