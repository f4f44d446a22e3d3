"""What a process tells of itself."""

from __future__ import annotations

import time

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.telemetry.counters import Counters
from aibridge_trio.telemetry.exposition_format import Family, Value
from aibridge_trio.telemetry.process_report import LAG_BOUNDS, ProcessReport
from tests.support.network import Network


def family(report: ProcessReport, name: str) -> Family:
    """Return one family."""
    (found,) = [each for each in report.families() if each.name == name]
    return found


def lag(report: ProcessReport) -> tuple[float, tuple[int, ...]]:
    """Return the sum of all lags, and their counts."""
    value: Value = family(report, "loop_lag_seconds").children[()]
    assert isinstance(value, tuple)
    return value


async def test_an_idle_loop_is_not_late(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """One measurement a second, each of 0."""
    report = ProcessReport(Counters(()))
    nursery.start_soon(report.run)
    await trio.sleep(10.5)
    assert lag(report) == (0.0, (10,) * (len(LAG_BOUNDS) + 1))


async def test_a_loop_that_is_blocked_is_late(nursery: trio.Nursery) -> None:
    """By as long as it was blocked after the measurement was due."""
    report = ProcessReport(Counters(()))
    nursery.start_soon(report.run)
    await trio.sleep(0.9)
    time.sleep(0.35)
    await trio.sleep(0.01)
    seconds, counts = lag(report)
    assert 0.2 < seconds < 2
    assert counts[LAG_BOUNDS.index(0.1)] == 0
    assert counts[-1] == 1


async def test_a_drain_and_the_configuration_show(autojump_clock: MockClock, network: Network) -> None:
    """Draining from the signal on; another number after a reload that changes something."""
    async with network.bridge(drain_delay=10.0) as bridge:
        before = await bridge.metric("config_hash")
        await bridge.reload(rate_limit=7)
        assert await bridge.metric("config_hash") != before
        assert await bridge.metric("draining") == 0
        await bridge.signals.send(15)
        await trio.sleep(1)
        assert await bridge.metric("draining") == 1


@pytest.mark.parametrize("ends", [None, 1_900_000_000.0])
def test_the_end_of_the_certificate_is_there_with_tls_only(ends: float | None) -> None:
    """As Unix time; 0 would look as if it had ended in 1970."""
    report = ProcessReport(Counters(()))
    report.certificate_ends = ends
    found = family(report, "certificate_expires_timestamp_seconds").children
    assert found == ({} if ends is None else {("callers",): ends})
