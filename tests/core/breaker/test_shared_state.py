from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.shared_state import SharedState, read
from aibridge_trio.core.breaker.state import Mode, State

OPEN = SharedState("a-1", State.OPEN, Mode.AUTO, 12.5, True, 2, 0.0, "5 failures in 10 s", ("b-2", 3.0))
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*OPEN.value(), "x"]), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("override", [None, ("b-2", 3.0)])
@pytest.mark.parametrize("state", list(State))
def test_what_is_told_is_read(state: State, override: tuple[str, float] | None) -> None:
    """A state is the same on the other side."""
    left = 12.5 if state is State.OPEN else None
    told = SharedState("a-1", state, Mode.AUTO, left, False, 2, 1.5, "because", override)
    assert read(json.loads(json.dumps(told.value()))) == told


@given(_JSON)
def test_anything_is_a_state_or_none(value: object) -> None:
    """Whatever a store says is read, with bounded numbers, or refused."""
    try:
        found = read(value)
    except ValueError:
        return
    assert 0 <= found.in_a_row <= 1_000
    assert 0 <= found.ramp < math.inf


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "ajar"},
        {"mode": "open", "state": "closed"},
        {"mode": "close", "state": "half-open"},
        {"left": None},
        {"left": -1},
        {"left": math.nan},
        {"left": True},
        {"in_a_row": 1.5},
        {"in_a_row": -1},
        {"ramp": "1"},
        {"because": 1},
        {"change": None},
        {"override": ["a"]},
        {"override": [1, 2]},
        {"override": "ab"},
    ],
)
def test_lies(wrong: dict[str, Any]) -> None:
    """A state that no breaker can have is refused."""
    with pytest.raises(ValueError, match="no"):
        read(OPEN.value() | wrong)


def test_bounds() -> None:
    """Numbers and texts are bounded, texts have no control characters, and unknown members are ignored."""
    huge = OPEN.value() | {"left": 1e300, "in_a_row": 10**9, "because": "\x1b[2J" + "x" * 9_000, "later": [1]}
    found = read(huge)
    assert found.left == 366 * 86_400
    assert found.in_a_row == 1_000
    assert found.because.startswith("[2Jxx")
    assert len(found.because) <= 300
