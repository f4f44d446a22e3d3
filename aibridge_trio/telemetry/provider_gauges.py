"""Metrics of what each provider is doing now, read from what is there anyway when a scrape comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.core.key_errors import KeyFault
from aibridge_trio.core.quota import Left
from aibridge_trio.gateway.circuit import Circuit
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.http.headers import Headers
from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.exposition_format import Family
from aibridge_trio.telemetry.families import counter, gauge

# What headers say of a quota is believed for so long (seconds): then it has been refilled.
_BELIEVED = 60.0
_FORCED = (Mode.OPEN, Mode.CLOSE)
_PROVIDER = ("provider",)


class ProviderGauges:
    """Reads the backends that `apply` names; `clock` returns seconds."""

    def __init__(self, counters: Counters, clock: Callable[[], float]) -> None:
        self._counters = counters
        self._clock = clock
        self._backends: tuple[Backend, ...] = ()
        # By circuit: the headers that the last scrape found, and when a scrape found them first.
        self._seen: dict[Circuit, tuple[Headers, float]] = {}

    def apply(self, backends: Iterable[Backend]) -> None:
        """Show these from now on."""
        self._backends = tuple(backends)
        present = {circuit for backend in self._backends for circuit in backend.circuits}
        self._seen = {circuit: seen for circuit, seen in self._seen.items() if circuit in present}

    def families(self) -> Iterator[Family]:
        """Yield the families of all providers."""
        backends = self._backends
        flying = {(each.name,): self._at_provider(each) for each in backends}
        yield gauge("provider_requests_in_flight", "Requests at the provider.", _PROVIDER, flying)
        waits = {(each.name,): each.upstream.waits() for each in backends}
        yield gauge(
            "oldest_unanswered_seconds",
            "Time that the oldest request has waited for the head of its response, 0 without one.",
            _PROVIDER,
            {name: longest.head for name, longest in waits.items()},
        )
        yield gauge(
            "longest_silence_seconds",
            "Longest present wait for the next piece of a response that has begun, 0 without one.",
            _PROVIDER,
            {name: longest.piece for name, longest in waits.items()},
        )
        yield gauge(
            "circuit_breaker_forced",
            "1 while an operator has forced the breakers into this mode.",
            ("provider", "mode"),
            {(each.name, mode.value): _mode(each) is mode for each in backends for mode in _FORCED},
        )
        yield from self._quotas()
        yield counter(
            "credit_exhausted",
            "Responses that said that the bridge's account has no credit left.",
            _PROVIDER,
            {(each.name,): sum(circuit.exhausted for circuit in each.circuits) for each in backends},
        )
        pools = {each.name: each.key.keys for each in backends if each.key and each.key.keys}
        yield counter(
            "key_faults",
            "Responses that refused one of the bridge's keys.",
            ("provider", "fault"),
            {(name, fault.value): keys.faults[fault] for name, keys in pools.items() for fault in KeyFault},
        )

    def _at_provider(self, backend: Backend) -> int:
        held = backend.adaptive.waiting if backend.adaptive else 0
        return max(0, self._counters.in_flight[backend.name] - held)

    def _quotas(self) -> Iterator[Family]:
        remaining: dict[tuple[str, ...], float] = {}
        limits: dict[tuple[str, ...], float] = {}
        for backend in self._backends:
            for left in self._told(backend):
                labels = backend.name, left.name
                if labels not in remaining or left.remaining < remaining[labels]:
                    remaining[labels], limits[labels] = left.remaining, left.limit
        of_quota = ("provider", "kind")
        text = "What the provider's latest response said that remains of a quota."
        yield gauge("quota_remaining", text, of_quota, remaining)
        yield gauge("quota_limit", "The limit that it said with that.", of_quota, limits)

    def _told(self, backend: Backend) -> Iterator[Left]:
        """Yield what the latest response of each breaker's part said of its quotas, if that is recent."""
        now = self._clock()
        for circuit in backend.circuits:
            headers = circuit.last_headers
            if headers is None:
                continue
            seen = self._seen.get(circuit)
            if seen is None or seen[0] is not headers:
                seen = self._seen[circuit] = headers, now
            if now - seen[1] < _BELIEVED:
                yield from backend.circuits.read_quotas(headers)

    def __repr__(self) -> str:
        return f"<ProviderGauges of {len(self._backends)} providers>"


def _mode(backend: Backend) -> Mode:
    present = backend.circuits.overriding.present
    return present.mode if present else Mode.AUTO
