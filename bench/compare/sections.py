"""The parts of the page of results: which numbers stand in which table, and what a reader has to know of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.compare import traffic


@dataclass(frozen=True, slots=True)
class Section:
    """A scenario's part of the page: each row is what stands in the first column, and the quantity."""

    title: str
    about: str
    rows: tuple[tuple[str, str], ...]


def _at(what: str, quantity: str, places: Iterable[float]) -> list[tuple[str, str]]:
    return [(what.format(f"{each:g}"), f"{quantity}@{each:g}") for each in places]


_FLIGHTS, _STREAMS, _LOADS = (1, 32, 128), (10, 50), (0.25, 1, 3, 10)
_REQUEST = f"{len(traffic.request(1, '/v1/chat/completions', stream=False)):,}"
_ANSWER, _EVENT = f"{len(traffic.answer()):,}", len(traffic.stream_event())
SECTIONS = (
    Section(
        "Unary requests",
        f"A closed loop of `wrk`: N in flight, each sent when the one before it is answered. A request has "
        f"{_REQUEST} bytes, an answer {_ANSWER}. CPU is the proxy's own, pinned to a core like all the others, in "
        "brackets ÷ Envoy's; `straight` is the work with no proxy: what provider and load generator can do.",
        (
            *_at("requests/s, {} in flight", "requests_per_s", _FLIGHTS),
            *_at("p50 ms, {} in flight", "p50_ms", _FLIGHTS),
            *_at("p99 ms, {} in flight", "p99_ms", _FLIGHTS),
            *_at("CPU µs a request, {} in flight", "cpu_us", _FLIGHTS),
        ),
    ),
    Section(
        "First byte",
        "One request in flight; what is added is the difference to the way straight to the provider.",
        (
            ("unary, p50 ms", "unary_first_byte_p50_ms"),
            ("unary, p99 ms", "unary_first_byte_p99_ms"),
            ("unary, added to p50, ms", "unary_added_p50_ms"),
            ("stream, p50 ms", "stream_first_byte_p50_ms"),
            ("stream, p99 ms", "stream_first_byte_p99_ms"),
            ("stream, added to p50, ms", "stream_added_p50_ms"),
        ),
    ),
    Section(
        "Relayed events",
        f"Streams that flow at once, each with 40 events of {_EVENT} bytes a second. A proxy that falls "
        "behind reads several waiting events at once, which is cheaper per event. Streams are asked for with "
        "`include_usage`, which gives each event the field `usage`, and without it.",
        (
            *_at("CPU µs an event, {} streams", "cpu_us_per_event", _STREAMS),
            ("CPU µs an event, 50 streams without `include_usage`", "cpu_us_per_event_without_usage@50"),
            *_at("events/s relayed, {} streams", "events_per_s", _STREAMS),
        ),
    ),
    Section(
        "Long prompts",
        "Unary requests with a body of 32 kB, 32 in flight.",
        (
            ("requests/s", "requests_per_s_32kb"),
            ("CPU µs a request", "cpu_us_32kb"),
        ),
    ),
    Section(
        "New connections",
        "1,000 connections that send one request each and are closed by the caller, 32 at once.",
        (
            ("connections/s", "newcomers_per_s"),
            ("CPU µs a connection with its request", "cpu_us_per_newcomer"),
        ),
    ),
    Section(
        "TLS",
        "Unary requests, 32 in flight on kept connections: plain, with TLS to the callers (in front), and with "
        "TLS to the provider (behind), whose certificate (ECDSA P-256) is verified.",
        (
            ("requests/s, plain", "requests_per_s_tls_plain"),
            ("requests/s, TLS in front", "requests_per_s_tls_front"),
            ("requests/s, TLS behind", "requests_per_s_tls_behind"),
            ("CPU µs a request, plain", "cpu_us_tls_plain"),
            ("CPU µs a request, TLS in front", "cpu_us_tls_front"),
            ("CPU µs a request, TLS behind", "cpu_us_tls_behind"),
        ),
    ),
    Section(
        "Rejects",
        "32 in flight, keep-alive; CPU time for an answer from the provider, and for a reject of the bridge.",
        (
            ("CPU µs, served", "cpu_us_per_served"),
            ("CPU µs, `capacity`", "cpu_us_per_capacity"),
            ("CPU µs, `rate_limit`", "cpu_us_per_rate_limit"),
            ("CPU µs, `circuit_open`", "cpu_us_per_circuit_open"),
        ),
    ),
    Section(
        "Overload",
        "A provider of 40 slots of 200 ms each; callers arrive at random (Poisson), at multiples of the rate it "
        "can serve, and hang up after 2 s. `--max-concurrency 40`. Without the bridge requests queue at the "
        "provider, and it answers callers that have left.",
        (
            *_at("provider's slots busy, {} × load", "load_slots_busy", _LOADS),
            *_at("p99 ms of the served, {} × load", "load_p99_ms", _LOADS),
            *_at("served in time, of what the provider can do, {} × load", "load_goodput", _LOADS),
            *_at("p99 ms of the rejected, {} × load", "load_reject_p99_ms", (3, 10)),
            *_at("share of its core used, {} × load", "load_cpu", _LOADS),
        ),
    ),
    Section(
        "A silent crowd",
        "What a request costs (32 in flight) while others hold streams that say nothing, or idle connections; "
        "what each of those holds in memory.",
        (
            ("CPU µs a request, 10 streams", "cpu_us_with_10_streams"),
            ("CPU µs a request, 1,000 streams", "cpu_us_with_1000_streams"),
            ("CPU µs a request, 5,000 streams", "cpu_us_with_5000_streams"),
            ("CPU µs a request, 5,000 connections", "cpu_us_with_5000_connections"),
            ("kB a stream, of 1,000", "memory_kb_per_streams@1000"),
            ("kB a stream, of 5,000", "memory_kb_per_streams@5000"),
            ("kB a connection, of 5,000", "memory_kb_per_connections@5000"),
        ),
    ),
    Section(
        "Start",
        "From the command to the first answer through it; resident after that answer, idle.",
        (("seconds", "start_s"), ("resident MiB", "resident_mib")),
    ),
)
