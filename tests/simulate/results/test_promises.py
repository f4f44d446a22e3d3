"""What there was at once, over all replicas."""

from __future__ import annotations

import math

from aibridge_trio.simulate.results.promises import FleetMeasure
from aibridge_trio.simulate.world.call import Call
from tests.support.simulated import CALLERS, a_request, parsed

GIVEN = parsed(CALLERS)


def a_call(caller: int = 0, counted_at: float | None = None) -> Call:
    """Return a call, counted by a store or not."""
    call = Call(a_request(GIVEN, caller), 0)
    call.counted_at = counted_at
    return call


def test_the_most_in_flight_and_of_one_caller_in_a_second() -> None:
    """When the store counted a call, that time counts; a second is half open."""
    measure = FleetMeasure(GIVEN, 3)
    for now, counted_at in ((0.0, None), (0.7, 0.6), (0.9, None), (1.0, None), (1.55, None)):
        measure.sent(a_call(0, counted_at), now)
    measure.came_back(good=True, now=1.6)
    measure.sent(a_call(1), 1.7)
    found = measure.peaks()
    assert (found.in_flight, found.rate) == (5, 4)
    assert measure.outcome("x").peaks == found


def test_tokens_that_count_at_once() -> None:
    """Of one caller; what ends makes way for what begins at that moment."""
    measure = FleetMeasure(GIVEN, 3)
    measure.spending(0, 100, 0.0, 60.0)
    measure.spending(0, 70, 60.0, 90.0)
    measure.spending(0, 20, 30.0, 61.0)
    measure.spending(1, 110, 0.0, 90.0)
    assert measure.peaks().tokens == 120


def test_probes_of_all() -> None:
    """At once."""
    measure = FleetMeasure(GIVEN, 3)
    for more in (1, 1, -1, 1, 1, -1, -1, -1):
        measure.probing(more)
    assert measure.peaks().probes == 3


def test_how_long_it_takes_until_all_breakers_are_open() -> None:
    """The longest time; infinite if one never was."""
    measure = FleetMeasure(GIVEN, 2)
    assert measure.peaks().known_after is None
    for now, opened in ((1.0, 1), (1.5, 1), (9.0, -1), (9.0, -1), (20.0, 1), (20.1, 1)):
        measure.opened_or_closed("provider", now, opened=opened)
    assert measure.peaks().known_after == 0.5
    measure.opened_or_closed("other", 30.0, opened=1)
    assert measure.peaks().known_after == math.inf


def test_what_rejects_say_is_not_compared() -> None:
    """The next attempt meets another replica."""
    measure = FleetMeasure(GIVEN, 2)
    measure.refused([(b"retry-after", b"30")], 1.0, "circuit")
    measure.opened("circuit", 2.0)
    assert not measure.awaits("circuit")
    outcome = measure.outcome("x")
    assert (outcome.refused, outcome.told_p50) == (1, None)
