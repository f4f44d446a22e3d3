"""A budget of calls: how many Python and C functions a request costs the bridge, by cProfile.

CPU time follows the number of calls, and the number is nearly the same on every machine: it differs by the minor
version of Python only. A step that makes a request cheaper lowers its budget; a commit that raises one says why.
`python -m tests.support.call_cases` measures all of them, by the Python that runs it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.call_cases import CASES, calls

# Calls of one request, or of one event of a stream, by the minor version of Python.
BUDGETS: dict[str, dict[int, int]] = {
    "unary": {11: 525, 12: 534, 13: 534},
    "event": {11: 106, 12: 106, 13: 107},
    "event with usage: null": {11: 107, 12: 107, 13: 106},
    "capacity": {11: 215, 12: 219, 13: 219},
    "rate_limit": {11: 249, 12: 262, 13: 254},
    "circuit_open": {11: 279, 12: 282, 13: 283},
    "unary, 32 at once": {11: 377, 12: 377, 13: 377},
    "capacity, 32 at once": {11: 137, 12: 138, 13: 139},
    "rate_limit, 32 at once": {11: 179, 12: 182, 13: 179},
    "circuit_open, 32 at once": {11: 202, 12: 203, 13: 205},
    "everything": {11: 1382, 12: 1382, 13: 1369},
    "everything, 32 at once": {11: 1209, 12: 1195, 13: 1187},
}
# A budget that is met by more than this part is too high: a later change could use it up in silence.
_SLACK = 0.05

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(sys.version_info[1] not in BUDGETS["unary"], reason="no budget of this version of Python"),
]


def test_all_have_a_budget() -> None:
    """Each case that is measured, but those whose calls depend on the time that a store takes."""
    assert BUDGETS.keys() == {case for case in CASES if not case.startswith("store")}


@pytest.mark.parametrize("case", BUDGETS)
def test_a_budget_is_kept_and_used(tmp_path: Path, case: str) -> None:
    """No more calls than that, nor many fewer."""
    with CASES[case](tmp_path) as work:
        found = calls(work)
    budget = BUDGETS[case][sys.version_info[1]]
    assert found <= budget, f"{case}: {found:.1f} calls, {budget} are allowed"
    assert found >= (1 - _SLACK) * budget, f"{case}: {found:.1f} calls: lower the budget of {budget}"
