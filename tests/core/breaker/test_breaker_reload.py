"""A policy that is replaced while the breaker works: its state stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.core.breaker.failures import Failures
from aibridge_trio.core.breaker.recovery_ramp import Ramp
from aibridge_trio.core.breaker.verdict import SUCCESS
from aibridge_trio.core.breaker.window import SlicedWindow, Window
from tests.support.breaker_lab import PLAIN, Lab, half_open, tripped


def test_an_open_breaker_keeps_its_cooldown() -> None:
    """The next one is the new policy's."""
    lab = tripped(PLAIN)
    lab.breaker.apply(replace(PLAIN, cooldown=1.0), 10.0)
    assert lab.state(29.9) is State.OPEN
    assert lab.state(30.0) is State.HALF_OPEN
    lab.fail(30.0)
    assert lab.state(30.9) is State.OPEN
    assert lab.state(31.0) is State.HALF_OPEN


def test_failures_in_the_window_count_towards_the_new_threshold() -> None:
    """Four failures, and a threshold of five that becomes two: the next one opens it, not the reload."""
    lab = Lab(PLAIN)
    lab.fail(1.0, 1.1, 1.2, 1.3)
    lab.breaker.apply(replace(PLAIN, threshold=2), 2.0)
    assert lab.state(2.0) is State.CLOSED
    lab.fail(2.1)
    assert lab.state(2.1) is State.OPEN


def test_probes_go_on() -> None:
    """With fewer permits than are held no other is given, and successes close it as the new policy says."""
    lab, now = half_open(replace(PLAIN, max_probes=3))
    permits = [lab.admitted(now), lab.admitted(now)]
    lab.breaker.apply(replace(PLAIN, max_probes=1), now)
    lab.refused(now)
    lab.settle(permits[0], SUCCESS, now)
    assert lab.state(now) is State.CLOSED


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_another_span_keeps_what_is_in_the_window(share: float) -> None:
    """A share that begins to matter counts anew, because no success was counted before."""
    failures = Failures(10.0, 5, share)
    for now in (1.0, 2.0, 3.0):
        failures.add(now, 0.0, None)
    failures.apply(20.0, 5, share)
    assert failures.total(12.0) == 3
    failures.apply(4.0, 5, share)
    assert failures.total(6.5) in {1, 2}  # with a share, slices are as old as their oldest event
    failures.apply(4.0, 5, 0.5 - share)
    assert failures.total(6.5) == 0


def test_windows_keep_their_events() -> None:
    """The last ones up to the new cap; slices by their time."""
    window = Window(10.0, 5)
    sliced = SlicedWindow(10.0)
    for now in range(5):
        window.add(float(now), float(now))
        sliced.add(float(now), float(now))
    window.apply(100.0, 3)
    sliced.apply(100.0)
    assert (window.count(50.0), sliced.count(50.0)) == (3, 5)
    assert (window.highest(50.0), sliced.highest(50.0)) == (4.0, 4.0)
    sliced.apply(10.0)
    assert sliced.count(50.0) == 0


def test_a_ramp_goes_on_at_its_share() -> None:
    """Half of it is left, whatever its length; without a length it is over."""
    ramp = Ramp(10.0)
    ramp.begin(0.0)
    before = ramp.share(5.0)
    ramp.apply(100.0, 5.0)
    assert ramp.share(5.0) == pytest.approx(before)
    assert ramp.remaining(5.0) == 50
    ramp.apply(0.0, 6.0)
    assert ramp.share(6.0) == 1
    ramp.apply(10.0, 7.0)
    assert ramp.share(7.0) == 1
