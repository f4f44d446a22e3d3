"""What replicas promise, beside what there was."""

from __future__ import annotations

import math
from dataclasses import replace

from aibridge_trio.simulate import plan
from aibridge_trio.simulate.results.fleet_report import peaks, promised, table
from aibridge_trio.simulate.results.outcome import Peaks
from aibridge_trio.simulate.scenario.sharing import FleetSharing
from tests.support.simulated import CALLERS, parsed


def test_the_cells_of_peaks() -> None:
    """What there was none of is --."""
    assert peaks(Peaks(1200, 30, 0, 0, None)) == ["1,200", "30", "--", "--", "--"]
    assert peaks(Peaks(1, 1, 30_000, 3, 0.123)) == ["1", "1", "30,000", "3", "123ms"]
    assert peaks(Peaks(1, 1, 1, 3, math.inf))[-1] == "never"
    assert peaks(Peaks(1, 1, 1, 3, 1.26))[-1] == "1.3s"


def test_the_promise_stands_above_what_there_was() -> None:
    """Both as numbers of the same columns."""
    given = parsed(CALLERS + "[provider]\n[settings]\nmax_concurrency = 7\ncircuit_breaker = true\n")
    variants = plan.fleets(plan.variants("aibridge", "", ""), "2", FleetSharing())
    played = plan.play(given, variants[-1:], 1)
    assert promised(played) == ["7", "--", "--", "3"]
    without = replace(given, settings=given.settings | {"circuit_breaker": False})
    assert promised(plan.Played(without, ())) == ["7", "--", "--", "--"]
    lines = table(played).splitlines()
    assert lines[1] == "20 callers for 4m; the most that there was, of all replicas"
    assert lines[4].split() == ["promised", "7", "--", "--", "3"]
    assert lines[5].startswith("aibridge × 2, no store")
