from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.recovery_ramp import Ramp


def begun(span: float = 10.0) -> Ramp:
    ramp = Ramp(span)
    ramp.begin(100.0)
    return ramp


def test_the_share_grows_in_a_straight_line() -> None:
    """The share grows from a tenth to all."""
    ramp = begun()
    assert [ramp.share(100.0 + passed) for passed in (0.0, 5.0, 10.0, 99.0)] == [
        pytest.approx(0.1),
        0.55,
        1.0,
        1.0,
    ]
    assert [ramp.remaining(100.0 + passed) for passed in (0.0, 5.0, 10.0, 99.0)] == [10.0, 5.0, 0.0, 0.0]


@given(st.lists(st.floats(0, 12), max_size=200).map(sorted))
def test_as_many_are_admitted_as_their_shares_add_up_to(times: list[float]) -> None:
    """At any times: never more than one off the sum of shares, and the first is admitted at once."""
    ramp = begun()
    admitted, shares = 0, 0.0
    for number, passed in enumerate(times):
        now = 100.0 + passed
        shares += ramp.share(now)
        admitted += ramp.admit(now)
        assert admitted >= 1, number
        assert math.floor(shares + 0.9 - 1e-4) <= admitted <= math.floor(shares + 0.9 + 1e-4)


def test_shares_are_dealt_out_evenly() -> None:
    """Of ten requests one is admitted at a tenth, and three at 30 %, never two in a row."""
    ramp = Ramp(90.0)
    ramp.begin(0.0)
    assert [number for number in range(30) if ramp.admit(0.0)] == [0, 10, 20]
    ramp.begin(0.0)
    admitted = [ramp.admit(20.0) for _ in range(40)]
    assert sum(admitted[:10]) == sum(admitted[10:20]) == 3
    assert not any(one and other for one, other in pairwise(admitted))


@given(st.lists(st.floats(0, 12), min_size=1, max_size=50), st.floats(1, 1e3))
def test_the_share_never_falls(times: list[float], span: float) -> None:
    """The share never shrinks, from a tenth up to all."""
    ramp = Ramp(span)
    ramp.begin(0.0)
    shares = [ramp.share(now * span / 10) for now in sorted(times)]
    assert shares == sorted(shares)
    assert all(0.1 - 1e-9 <= share <= 1.0 for share in shares)


def test_a_ramp_that_begins_anew_owes_nothing() -> None:
    """Credit left when a ramp is stopped does not count in the next one."""
    ramp = begun()
    for _ in range(9):
        ramp.admit(100.0)
    ramp.stop()
    ramp.begin(100.0)
    assert [ramp.admit(100.0) for _ in range(3)] == [True, False, False]


@given(st.floats(0.1, 1e6), st.floats(0, 1e8))
def test_the_first_is_admitted_whatever_the_numbers(span: float, now: float) -> None:
    """A tenth and nine tenths are a whole, also in binary."""
    ramp = Ramp(span)
    ramp.begin(now)
    assert ramp.admit(now)


def test_without_a_ramp_all_are_admitted() -> None:
    """All are admitted before it begins, with a span of 0, and after it is stopped."""
    never, nothing, stopped = Ramp(10.0), begun(0.0), begun()
    stopped.stop()
    for ramp in (never, nothing, stopped):
        assert all(ramp.admit(100.0) for _ in range(50))
        assert ramp.share(100.0) == 1.0
    assert repr(begun()) == "<Ramp span=10 ends=110>"
