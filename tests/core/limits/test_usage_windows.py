"""The windows of many callers."""

from __future__ import annotations

import tracemalloc

from aibridge_trio.core.limits.usage_windows import UsageWindows
from aibridge_trio.core.terms import Rate

RATE = Rate(1000, 60.0)


def test_a_caller_keeps_its_window() -> None:
    """What it used counts for its next request, also after its limit was changed."""
    windows = UsageWindows()
    windows.of("a", RATE, 0.0).charge(900)
    assert windows.of("b", RATE, 0.0).allows(900, 0.0)
    assert not windows.of("a", RATE, 0.0).allows(900, 0.0)
    assert windows.of("a", Rate(2000, 60.0), 0.0).allows(900, 0.0)
    assert [caller for caller, _ in windows.items()] == ["a", "b"]


def test_idle_windows_are_forgotten() -> None:
    """Callers that came once take no memory for ever; one with a running request is kept."""
    windows = UsageWindows()
    for number in range(100):
        windows.of(number, RATE, 0.0).charge(1).settle(1, 0.0)
    for number in range(100, 200):
        windows.of(number, RATE, 100.0).charge(1)
    assert windows.find(0) is None
    assert windows.find(199) is not None
    assert len(windows) == 100


def test_a_hundred_thousand_callers() -> None:
    """Each with a few requests in the last minute: bounded memory; the longest unused one is forgotten."""
    windows = UsageWindows()
    tracemalloc.start()
    for number in range(100_100):
        window = windows.of(number, RATE, number / 10_000)
        for _ in range(3):
            window.charge(10).settle(10, number / 10_000)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(windows) == 100_000
    assert windows.find(0) is None
    assert size < 100_000 * 1200
