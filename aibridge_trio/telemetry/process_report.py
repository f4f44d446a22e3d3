"""Metrics of a process: what the kernel says of it, how late its event loop is, its connections and reloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import trio

from aibridge_trio.gateway.lifecycle import Lifecycle
from aibridge_trio.process.usage import process_usage
from aibridge_trio.server.connection_limit import ConnectionStats
from aibridge_trio.telemetry.counters import Counters, Histogram
from aibridge_trio.telemetry.exposition_format import Family
from aibridge_trio.telemetry.families import counter, gauge, histogram, singles

# How often it is measured how late the event loop is (seconds), and the bounds of what is found.
_INTERVAL = 1.0
LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class ProcessReport:
    """Reads `counters`, `lifecycle` and `listeners`; `lines_dropped` returns the log lines that were lost.

    Its event loop is watched while `run` is running.
    """

    def __init__(
        self,
        counters: Counters,
        lifecycle: Lifecycle | None = None,
        lines_dropped: Callable[[], int] = lambda: 0,
        listeners: Mapping[str, Callable[[], ConnectionStats]] | None = None,
    ) -> None:
        self._counters = counters
        self._lifecycle = lifecycle or Lifecycle()
        self._lines_dropped = lines_dropped
        self._listeners = listeners or {}
        self._lag = Histogram(LAG_BOUNDS)
        # When the certificate of the callers' listener ends (Unix time); None without TLS.
        self.certificate_ends: float | None = None
        # The same for all replicas that are configured alike.
        self.config_hash = 0

    async def run(self) -> None:
        """Measure how late the event loop is, once a second, until cancelled."""
        while True:
            due = trio.current_time() + _INTERVAL
            await trio.sleep_until(due)
            self._lag.observe(trio.current_time() - due)

    def families(self) -> Iterator[Family]:
        """Yield the families."""
        yield from self._connections()
        counters = self._counters
        refused = singles(counters.admin_refusals)
        yield counter("admin_refused", "Requests refused by the admin listener.", ("cause",), refused)
        yield counter("reloads", "Times the configuration was reread.", ("outcome",), singles(counters.reloads))
        dropped = {(): self._lines_dropped()}
        yield counter("log_lines_dropped", "Log lines that could not be written to stderr.", (), dropped)
        yield gauge("draining", "1 from the stop signal on.", (), {(): int(self._lifecycle.draining)})
        yield gauge("config_hash", "A number that differs where configurations do.", (), {(): self.config_hash})
        ends = {} if self.certificate_ends is None else {("callers",): self.certificate_ends}
        yield gauge(
            "certificate_expires_timestamp_seconds",
            "When the certificate of a listener ends; absent without TLS.",
            ("listener",),
            ends,
        )
        text = "How late the event loop was, measured once a second."
        yield histogram("loop_lag_seconds", text, (), {(): self._lag})
        yield from of_kernel()

    def _connections(self) -> Iterator[Family]:
        found = {name: statistics() for name, statistics in self._listeners.items()}
        opened = {(name,): each.connections for name, each in found.items()}
        yield gauge("connections", "Open connections.", ("listener",), opened)
        refused = {(name, cause): count for name, each in found.items() for cause, count in each.causes.items()}
        text = "Connections that were refused."
        yield counter("connections_refused", text, ("listener", "cause"), refused)

    def __repr__(self) -> str:
        return f"<ProcessReport {self._lifecycle.phase}>"


def of_kernel() -> Iterator[Family]:
    """Yield what the kernel says of this process, under the names that every client library has."""
    usage = process_usage()
    spent: dict[tuple[str, ...], float] = {(): usage.cpu_seconds} if usage else {}
    yield counter("process_cpu_seconds", "CPU time of the process.", (), spent)
    for name, text, value in (
        ("virtual_memory_bytes", "Virtual memory of the process.", usage and usage.virtual_bytes),
        ("resident_memory_bytes", "Resident memory of the process.", usage and usage.resident_bytes),
        ("open_fds", "File descriptors that are open.", usage and usage.open_fds),
        ("max_fds", "File descriptors that may be open.", usage and usage.max_fds),
        ("start_time_seconds", "When the process started (Unix time).", usage and usage.started_at),
    ):
        yield gauge(f"process_{name}", text, (), {} if value is None else {(): value})
