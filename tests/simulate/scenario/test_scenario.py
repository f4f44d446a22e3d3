"""A scenario as data."""

from __future__ import annotations

import dataclasses

from aibridge_trio.simulate.scenario.scenario import PROVIDER
from tests.support.simulated import CALLERS, OUTAGE, parsed


def test_troubles_are_phases_and_crowds_in_order() -> None:
    """Start and end of each; a curve is none."""
    crowd = '[[crowds]]\nfrom = "10s"\nfor = "5s"\ntimes = 2\n'
    given = parsed(CALLERS + "curve = [1, 2]\n" + OUTAGE + crowd)
    assert given.troubles == [(10.0, 15.0), (60.0, 120.0)]
    assert given.callers == 20


def test_the_provider_without_a_name_is_one_of_all() -> None:
    """It comes first; what replaces it replaces it there, too."""
    given = parsed(CALLERS + "[provider]\nslots = 3\n[providers.x]\nslots = 4\n")
    assert {name: model.slots for name, model in given.models.items()} == {PROVIDER: 3, "x": 4}
    changed = dataclasses.replace(given, model=dataclasses.replace(given.model, slots=9))
    assert changed.models[PROVIDER].slots == 9
