"""Numbers and times of a machine that survive a restart."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from aibridge_trio.core.snapshots import number, restore, save


class Machine:
    """Has an attribute of each kind."""

    def __init__(self) -> None:
        self.on = False
        self._count = 0
        self.amount = math.inf
        self.since = -math.inf
        self.due = math.inf


NUMBERS, TIMES = ("on", "_count", "amount"), ("since", "due")


def test_a_new_machine_is_as_the_old_one() -> None:
    """On another clock, and a minute later; infinity stays what it was."""
    old = Machine()
    old.on, old._count, old.since, old.due = True, 3, 995.0, 1030.0
    saved = json.loads(json.dumps(save(old, NUMBERS, TIMES, 1000.0)))
    new = Machine()
    restore(new, saved, NUMBERS, TIMES, 50.0 - 10.0)
    assert vars(new) == {"on": True, "_count": 3, "amount": math.inf, "since": 35.0, "due": 70.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"on": 1},
        {"count": -1},
        {"count": "3"},
        {"count": None},
        {"count": True},
        {"amount": "x"},
        {"amount": math.nan},
        {"since": "x"},
        {"since": math.nan},
        {"due": True},
        {"count": 10**400},
        {"amount": 10**400},
        {"amount": 1e308},
        {"since": -(10**400)},
        {"due": 1e16},
    ],
)
def test_what_is_no_snapshot_changes_nothing(wrong: dict[str, Any]) -> None:
    """It is refused before anything is set."""
    new = Machine()
    saved = {**save(Machine(), NUMBERS, TIMES, 0.0), "on": True, **wrong}
    with pytest.raises(ValueError, match="is no"):
        restore(new, saved, NUMBERS, TIMES, 0.0)
    assert vars(new) == vars(Machine())


def test_numbers_are_finite_and_not_negative() -> None:
    """As a snapshot of any machine has them."""
    assert number({"left": 2.5}, "left") == 2.5
    for wrong in (None, -1, math.inf, True, "1"):
        with pytest.raises(ValueError, match="left is no number"):
            number({"left": wrong}, "left")
    with pytest.raises(ValueError, match="no snapshot"):
        restore(Machine(), [], NUMBERS, TIMES, 0.0)
