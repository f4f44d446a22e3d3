"""How long callers wait."""

from __future__ import annotations

import math

from aibridge_trio.core.adaptive.patience import Patience


def test_patience_is_unknown_until_a_request_has_left() -> None:
    """And then a little less than the median of the last five."""
    patience = Patience()
    assert patience.expected("a") == math.inf
    for waited in (60, 60, 5, 60, 300, 60, 60):
        patience.left("a", waited)
    assert 55 < patience.expected("a") < 60
    assert patience.expected("b") == math.inf


def test_the_callers_that_are_remembered_are_bounded() -> None:
    """The one whose request left the longest ago is forgotten."""
    patience = Patience(capacity=2)
    for caller in "abac":
        patience.left(caller, 60)
    assert patience.expected("b") == math.inf
    assert patience.expected("a") < 60


def test_where_answers_begin_late_a_request_must_be_sent_earlier() -> None:
    """A request that is sent a second before its caller leaves is a wasted call."""
    patience = Patience()
    patience.left("a", 100.0)
    for _ in range(100):
        patience.began(20.0)
    assert 70.0 < patience.expected("a") < 80.0
