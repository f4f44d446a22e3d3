"""What keys do in the list of refused requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.top.refusals import Refusals, press

THREE = Refusals([{"request_id": f"req_{n}"} for n in range(3)])
KEYS = ["up", "down", "j", "k", "enter", "escape", "q", "e", "x", "o", "/"]


def test_the_chosen_one_is_opened_and_closed_again() -> None:
    """Enter asks for it; any way back leads to the list, and from there out of it."""
    below, wanted = press(THREE, "down")
    assert below is not None
    assert (below.place, wanted) == (1, None)
    assert press(below, "enter") == (below, "req_1")
    opened = Refusals(THREE.requests, 1, ["why"])
    assert press(opened, "down") == (opened, None)
    back, _ = press(opened, "escape")
    assert back is not None
    assert (back.place, back.opened) == (1, ())
    assert press(below, "escape") == (None, None)


@given(st.lists(st.sampled_from(KEYS)), st.integers(0, 3))
def test_whatever_is_pressed_the_place_is_in_the_list(keys: list[str], size: int) -> None:
    """And only what is there is asked for."""
    refusals = Refusals(THREE.requests[:size])
    for key in keys:
        after, wanted = press(refusals, key)
        assert wanted is None or wanted in {each["request_id"] for each in refusals.requests}
        refusals = after or Refusals(THREE.requests[:size])
        assert 0 <= refusals.place < max(1, size)
