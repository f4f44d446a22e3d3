"""What a bridge says of the store that replicas share: a part of the status document, and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aibridge_trio.sharing.store import OwnStore, Store
from aibridge_trio.telemetry.counters import Histogram
from aibridge_trio.telemetry.exposition_format import Family
from aibridge_trio.telemetry.families import counter, gauge, histogram
from aibridge_trio.telemetry.provider_status import distribution

# Bounds of a call's duration (seconds): one round trip within a data centre, up to the longest timeout.
BOUNDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class SharingReport:
    """Reads `store`, and counts its calls. `url` is where the store is, masked; `prefix` begins its keys."""

    def __init__(self, url: str | None = None, prefix: str | None = None) -> None:
        self.store: Store = OwnStore()
        self._url = url
        self._prefix = prefix if url else None
        self._calls = Histogram(BOUNDS)
        self._failures = 0

    def observe(self, seconds: float | None) -> None:
        """Count a call, which took so long, or None if it got no reply."""
        if seconds is None:
            self._failures += 1
        else:
            self._calls.observe(seconds)

    @property
    def _degraded(self) -> bool:
        return self.store.condition in {"degraded", "closed"}

    def document(self) -> dict[str, Any]:
        """Return the part of the status document."""
        return {
            "url": self._url,
            "prefix": self._prefix,
            "condition": self.store.condition,
            "degraded": self._degraded,
            "replicas": self.store.replicas,
            "failures": self._failures,
            "call_s": distribution(self._calls),
        }

    def families(self) -> Iterator[Family]:
        """Yield the families of the store."""
        yield gauge(
            "store_degraded",
            "1 while the store is away: each replica has its part of each limit, or rejects requests.",
            (),
            {(): int(self._degraded)},
        )
        replicas = {(): self.store.replicas}
        yield gauge("store_replicas", "Replicas that share limits, as far as is known.", (), replicas)
        yield counter("store_failures", "Calls of the store that got no reply.", (), {(): self._failures})
        yield histogram("store_call_seconds", "Time until the store's reply.", (), {(): self._calls})

    def __repr__(self) -> str:
        return f"<SharingReport {self.store!r}>"
