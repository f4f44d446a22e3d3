from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.priority import LOW_TURN, LowTurns


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80))
def test_low_priority_gets_one_turn_of_ten(events: list[tuple[bool, bool]]) -> None:
    """Nine turns may pass requests of low priority that wait; a turn while none waits does not count."""
    turns, passed = LowTurns(), 0
    for low_waits, low_can_go in events:
        low = low_waits and low_can_go and turns.due
        assert turns.due == (passed >= LOW_TURN - 1)
        turns.taken(low=low, low_waits=low_waits)
        passed = 0 if low else passed + low_waits
    assert repr(turns) == f"<LowTurns passed={passed}>"
