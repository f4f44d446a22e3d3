"""Overrides: their ends on the given clock, what replaces them, and the bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibridge_trio.core.breaker.overriding import LONGEST_OVERRIDE, LONGEST_REASON, Override, Overriding
from aibridge_trio.core.breaker.state import Mode


def test_an_override_ends_at_its_time_and_not_before() -> None:
    """`advance` returns it once, when it is over."""
    machine = Overriding()
    override = Override(Mode.OPEN, 5.0, 15.0, "INC-12", "10.0.0.9")
    assert machine.set(override, 5.0)
    assert (machine.next_due(), override.seconds) == (15.0, 10.0)
    assert machine.advance(14.999) is None
    assert machine.advance(15.0) is override
    assert machine.present is None
    assert machine.advance(16.0) is None
    assert machine.next_due() == math.inf


def test_an_override_without_an_end_stays() -> None:
    """Only another one, or `auto`, ends it."""
    machine = Overriding()
    machine.set(Override(Mode.CLOSE, 0.0), 0.0)
    assert machine.advance(1e9) is None
    assert machine.set(Override(Mode.AUTO, 1e9), 1e9)
    assert machine.present is None


def test_a_new_override_replaces_the_end_and_the_reason() -> None:
    """A later one without an end has none, whatever the earlier one had."""
    machine = Overriding()
    machine.set(Override(Mode.OPEN, 0.0, 10.0, "INC-12"), 0.0)
    assert machine.set(Override(Mode.OPEN, 5.0), 5.0)
    assert machine.advance(100.0) is None
    assert machine.present == Override(Mode.OPEN, 5.0)


def test_the_same_again_changes_nothing() -> None:
    """Neither does `auto` without an override; another reason does."""
    machine = Overriding()
    assert not machine.set(Override(Mode.AUTO, 0.0), 0.0)
    assert machine.set(Override(Mode.OPEN, 0.0), 0.0)
    assert not machine.set(Override(Mode.OPEN, 1.0), 1.0)
    assert machine.set(Override(Mode.OPEN, 1.0, reason="INC-13"), 1.0)


@pytest.mark.parametrize("reason", ["x" * (LONGEST_REASON + 1), "two\nlines", "\x1b[31m"])
def test_reasons_are_bounded_and_printable(reason: str) -> None:
    """Whatever sets them."""
    machine = Overriding()
    with pytest.raises(ValueError, match="printable"):
        machine.set(Override(Mode.OPEN, 0.0, reason=reason), 0.0)
    assert machine.present is None


def test_ends_are_bounded() -> None:
    """At most 30 days ahead."""
    with pytest.raises(ValueError, match="30 days"):
        Overriding().set(Override(Mode.OPEN, 0.0, LONGEST_OVERRIDE + 1), 0.0)
    assert Overriding().set(Override(Mode.OPEN, 0.0, LONGEST_OVERRIDE), 0.0)


@given(
    st.lists(
        st.tuples(st.sampled_from(Mode), st.floats(0.0, 10.0), st.none() | st.floats(0.001, 20.0)), max_size=20
    )
)
def test_what_holds_is_the_latest_that_is_not_over(steps: list[tuple[Mode, float, float | None]]) -> None:
    """A model: the last override, until its end."""
    machine, now = Overriding(), 0.0
    mode, until = Mode.AUTO, math.inf
    for its, later, seconds in steps:
        now += later
        end = math.inf if seconds is None else now + seconds
        machine.set(Override(its, now, end), now)
        mode, until = (its, end) if its is not Mode.AUTO else (Mode.AUTO, math.inf)
        for at in (now, now + 0.5):
            machine.advance(at)
            expected = mode if at < until else Mode.AUTO
            assert (machine.present.mode if machine.present else Mode.AUTO) is expected
        now += 0.5
