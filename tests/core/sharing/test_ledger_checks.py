"""What is no batch."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.core.sharing.ledger_checks import check
from aibridge_trio.core.sharing.wire import Batch

GOOD: list[list[Any]] = [
    ["register", {"slots": 1, "use:60:a": 5}],
    ["ask", [["slots", 2, 1, 0]], [["r", 10, 1.0, 1, 0, 1]], ["b", 5, "day", 1]],
    ["leave", [["slots", 1]], [["t", 60, 5, 7]], ["b", 1, 2], [["r", 1.0, 0]]],
    ["totals", ["slots"], []],
    ["tally", "x", 10.0, [1, 2]],
    ["set", "t", "", -1, "{}", 0.0],
    ["claim", "c", 5.0],
    ["forget"],
]
BAD: list[Any] = [
    7,
    [],
    ["fly"],
    ["forget", 1],
    ["ask"],
    ["ask", 0, [], 0],
    ["ask", [["slots", 2, -1, 0]], [], 0],
    ["ask", [["slots", 2, 1.5, 0]], [], 0],
    ["ask", [["slots", 1 << 60, 1, 0]], [], 0],
    ["ask", [["slots", 2, 1, 2]], [], 0],
    ["ask", [["slots", 2, 1]], [], 0],
    ["ask", [["", 2, 1, 0]], [], 0],
    ["ask", [["x" * 513, 2, 1, 0]], [], 0],
    ["ask", [["use:x:a", 2, 1, 0]], [], 0],
    ["ask", [["use:060:a", 2, 1, 0]], [], 0],
    ["ask", [["use:nan:a", 2, 1, 0]], [], 0],
    ["ask", [], [["r", 10, 0, 1, 0, 1]], 0],
    ["ask", [], [["r", 10, float("nan"), 1, 0, 1]], 0],
    ["ask", [], [["r", 10, "1", 1, 0, 1]], 0],
    ["ask", [], [], ["b", 5, "year", 1]],
    ["totals", ["a"] * 257, []],
    ["tally", "x", 10.0, [1] * 17],
    ["set", "t", "k", -2, "{}", 0.0],
    ["set", "t", "k", -1, "x" * 8_193, 0.0],
    ["claim", "c", -1.0],
    ["register", []],
    [{}],
]


def batch(*ops: Any) -> Batch:
    """Return one with these ops."""
    return Batch("a", 1, "", 3.0, -1, list(ops))


def test_all_ops_are_ops() -> None:
    """As the wire describes them."""
    check(batch(*GOOD))


@pytest.mark.parametrize("op", BAD, ids=lambda op: str(op)[:40])
def test_what_is_no_op(op: Any) -> None:
    """One of them is enough: nothing of the batch is executed."""
    with pytest.raises(ValueError):
        check(batch(["totals", ["a"], []], op))


@pytest.mark.parametrize(
    "changed",
    [
        {"replica": ""},
        {"number": -1},
        {"number": "1"},
        {"generation": 5},
        {"ttl": 0.0},
        {"ttl": 1e9},
        {"since": -2},
        {"ops": {}},
        {"ops": [["forget"]] * 1_001},
    ],
    ids=str,
)
def test_what_is_no_head(changed: dict[str, Any]) -> None:
    """All of it is bounded."""
    with pytest.raises(ValueError):
        check(batch()._replace(**changed))


def test_only_the_first_op_registers_and_only_the_last_forgets() -> None:
    """What is executed before or after is executed for a replica that the ledger knows."""
    with pytest.raises(ValueError, match="first"):
        check(batch(["totals", [], []], ["register", {}]))
    with pytest.raises(ValueError, match="last"):
        check(batch(["forget"], ["totals", [], []]))
