"""What a replica holds, by key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.sharing.held import Held
from aibridge_trio.core.sharing.needs import Ask, BudgetUse, Granted, Holding, Leave, Settled, Use

KEYS = st.sampled_from(["a", "b", "c"])
ASKS = st.builds(
    Ask,
    st.lists(st.builds(Holding, KEYS, st.just(9), st.integers(1, 5)), max_size=3, unique_by=lambda each: each.key),
    st.lists(
        st.builds(Use, KEYS, st.just(9), st.just(60.0), st.integers(1, 5), st.booleans()),
        max_size=3,
        unique_by=lambda each: each.key,
    ),
    st.none() | st.builds(BudgetUse, KEYS, st.just(9), st.just("day"), st.integers(1, 5)),
)


def test_each_kind_has_a_name() -> None:
    """Uses that are counted at once are not held."""
    held = Held()
    uses = (Use("t", 9, 60.0, 4, running=True), Use("r", 9, 1.0))
    held.take(Ask((Holding("s", 9), Holding("x", 9)), uses, BudgetUse("b", 9, "day", 3)), ("x",))
    assert held.amounts == {"s": 1, "use:60:t": 4, "budget:b": 3}
    held.give_back(Leave((("s", 1),), (Settled("t", 60.0, 4, 2),), ("b", 3, 1)))
    assert held.amounts == {}


@given(st.lists(ASKS, max_size=8))
def test_what_is_taken_and_given_back_is_nothing(asks: list[Ask]) -> None:
    """In any order, and given back twice it is no less."""
    held = Held()
    for ask in asks:
        held.take(ask)
    for ask in reversed(asks):
        held.give_back(Leave.unused(ask, Granted(0.0)))
    assert held.amounts == {}
    for ask in asks:
        held.give_back(Leave.unused(ask, Granted(0.0)))
    assert held.amounts == {}
