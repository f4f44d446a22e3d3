"""The metrics of all workers."""

from __future__ import annotations

from aibridge_trio.telemetry.exposition_format import Family, Value
from aibridge_trio.workers.totals import lasting, total


def counter(value: float, name: str = "requests") -> Family:
    """A counter."""
    return Family("counter", name, "text", ("status",), {("200",): value})


def gauge(name: str, value: float) -> Family:
    """A gauge."""
    return Family("gauge", name, "text", (), {(): value})


def test_counters_and_histograms_are_added_up() -> None:
    """A child that only one worker has stays as it is."""
    seconds = Family("histogram", "s", "text", (), {(): (1.5, (1, 2))}, ("1", "+Inf"))
    other = Family("counter", "requests", "text", ("status",), {("200",): 2, ("404",): 1})
    assert total([[counter(1), seconds], [other, seconds]]) == [
        other._replace(children={("200",): 3, ("404",): 1}),
        seconds._replace(children={(): (3.0, (2, 4))}),
    ]


def test_gauges_have_their_rules() -> None:
    """What is in use is added up; of a limit that all have, and of a state, the highest holds."""

    def of(name: str, *values: float) -> Value:
        (family,) = total([[gauge(name, value)] for value in values])
        return family.children[()]

    assert of("requests_in_flight", 2, 3) == 5
    assert of("max_concurrency", 50, 50) == 50
    assert of("circuit_breaker_state", 0, 2, 1) == 2
    assert of("circuit_breaker_ramp_share", 1, 0.25) == 0.25
    assert of("provider_requests_in_flight", 2, 3) == 5
    assert of("oldest_unanswered_seconds", 2, 30) == 30
    assert of("quota_remaining", 41, 40) == 40
    assert of("config_hash", 0, 77) == 77
    assert of("draining", 0, 1) == 1
    assert of("process_resident_memory_bytes", 5, 7) == 12
    assert of("process_open_fds", 90, 30) == 90
    assert of("process_start_time_seconds", 1000, 1010) == 1000


def test_the_counts_of_a_worker_last() -> None:
    """Of a worker that has ended, gauges go and counters stay."""
    assert lasting([counter(3), gauge("requests_in_flight", 1)]) == [counter(3)]
