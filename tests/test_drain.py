from __future__ import annotations

import pytest

from aibridge_trio.core.drain import Drain


def test_nobody_knows_before_the_first() -> None:
    """Without a departure, or without a limit, there is no pace."""
    assert Drain(4).pace(10.0) is None
    assert Drain(4).wait(3, 10.0) is None
    unlimited = Drain(0)
    unlimited.departed(1.0, 1.0)
    assert unlimited.pace(1.0) is None


@pytest.mark.parametrize(("places", "held", "pace"), [(1, [2.0], 0.5), (4, [2.0], 2.0), (2, [1.0, 3.0], 1.0)])
def test_the_pace_is_places_by_how_long_they_are_held(places: int, held: list[float], pace: float) -> None:
    """As many as there are become free in the time for which one is held, on average."""
    drain = Drain(places)
    for seconds in held:
        drain.departed(seconds, 10.0)
    assert drain.pace(10.0) == pace
    assert drain.wait(6, 10.0) == 6 / pace


def test_a_quiet_day_does_not_slow_it() -> None:
    """How seldom anybody came says nothing: silence counts from when somebody waits."""
    drain = Drain(2)
    drain.departed(1.0, 0.0)
    drain.begin(3600.0)
    assert drain.pace(3600.0) == 2.0


def test_silence_slows_it() -> None:
    """When nothing becomes free any more, the pace sinks; the next departure brings it back."""
    drain = Drain(2)
    drain.departed(1.0, 0.0)
    drain.begin(10.0)
    assert [drain.pace(now) for now in (10.25, 12.0, 30.0)] == [2.0, 0.5, 0.05]
    drain.departed(1.0, 30.0)
    assert drain.pace(30.0) == 2.0


def test_a_departure_that_tells_no_time_still_ends_a_silence() -> None:
    """What becomes free is free, whoever held it; only how long it was held may say nothing."""
    drain = Drain(2)
    drain.departed(1.0, 0.0)
    drain.departed(None, 60.0)
    assert drain.pace(60.0) == 2.0
    unknown = Drain(2)
    unknown.departed(None, 60.0)
    assert unknown.pace(60.0) is None


def test_the_last_ones_count() -> None:
    """After a change thirty-two departures later nothing of before is left."""
    drain = Drain(1)
    for _ in range(100):
        drain.departed(60.0, 0.0)
    for _ in range(32):
        drain.departed(2.0, 0.0)
    assert drain.pace(0.0) == 0.5


def test_no_time_is_no_pace() -> None:
    """What was held for no time at all makes no infinity."""
    drain = Drain(1)
    drain.departed(0.0, 5.0)
    assert drain.pace(5.0) is None
    assert repr(drain) == "<Drain places=1 known=1>"
