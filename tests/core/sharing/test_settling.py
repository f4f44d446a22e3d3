"""For how long parts hold."""

from __future__ import annotations

import pytest

from aibridge_trio.core.sharing.settling import Settling


def test_without_a_beginning_all_is_settled() -> None:
    """A replica that has always had contact needs no parts."""
    assert Settling(3.0).settled(60.0, 0.0)


@pytest.mark.parametrize(("span", "until"), [(0.0, 13.0), (1.0, 13.0), (30.0, 40.0), (60.0, 70.0), (3600.0, 70.0)])
def test_limits_are_settled_after_their_spans(span: float, until: float) -> None:
    """But not before it is known which replicas are there, and after a minute in any case."""
    settling = Settling(3.0)
    settling.begin(10.0)
    assert [settling.settled(span, until + by) for by in (-0.1, 0.0)] == [False, True]


def test_without_use_there_is_nothing_to_wait_for_but_the_replicas() -> None:
    """What was to be settled before still is."""
    settling = Settling(3.0)
    settling.begin(10.0, used=False)
    assert [settling.over(at) for at in (12.9, 13.0)] == [False, True]
    settling.begin(20.0)
    settling.begin(30.0, used=False)
    assert [settling.settled(0.0, at) for at in (32.9, 33.0)] == [False, True]
    assert [settling.over(at) for at in (79.9, 80.0)] == [False, True]
    assert "slots=30 spans=20" in repr(settling)
