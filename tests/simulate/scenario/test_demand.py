"""The requests of a scenario."""

from __future__ import annotations

from aibridge_trio.simulate.scenario.demand import requests
from tests.support.simulated import CALLERS, parsed


def test_demand_is_what_was_asked_for() -> None:
    """The rate on average, the crowd's rate during a crowd; and no caller outside."""
    given = parsed(CALLERS + '[[crowds]]\nfrom = "1m"\nfor = "1m"\ntimes = 5\n')
    found = requests(given, 3)
    assert [request.born for request in found] == sorted(request.born for request in found)
    by_minute = [sum(60 * minute <= request.born < 60 * (minute + 1) for request in found) for minute in range(4)]
    assert 190 < by_minute[0] < 290
    assert 1050 < by_minute[1] < 1350
    assert {request.caller for request in found} == set(range(20))
