"""The checks of what the control endpoint takes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aibridge_trio.mock.json_fields import ControlError, check, count, number, parsed, positive, text

FIELDS = {"n": (count(1, 10), "a count"), "s": (number, "seconds")}


@pytest.mark.parametrize("document", [{}, {"n": 1}, {"n": 9, "s": 0.5}])
def test_fields_are_optional(document: Any) -> None:
    """What is there has to fit, the rest may be missing."""
    check("here", document, FIELDS)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "here: an object is wanted"),
        ({"x": 1}, "here: unknown field x; known: n, s"),
        ({"n": 0}, "here.n: a count is wanted"),
        ({"n": 10}, "here.n: a count is wanted"),
        ({"n": True}, "here.n: a count is wanted"),
        ({"s": -1}, "here.s: seconds is wanted"),
    ],
)
def test_an_error_says_where_and_why(document: Any, says: str) -> None:
    """In one line; without a place the line begins with the field."""
    with pytest.raises(ControlError, match=f"^{says}$"):
        check("here", document, FIELDS)
    with pytest.raises(ControlError, match=f"^{says.removeprefix('here').lstrip(':. ')}$"):
        check("", document, FIELDS)


def test_what_is_not_json_is_an_error() -> None:
    """Broken text, and text that is too deep."""
    for document in (b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(ControlError, match="not JSON"):
            parsed(document)


def test_numbers_are_finite() -> None:
    """JSON of Python has infinities, and bool is an int."""
    assert [number(each) for each in (0, 0.5, -1, math.inf, math.nan, True, "1")] == [True, True, *[False] * 5]
    assert [positive(each) for each in (0, 0.5)] == [False, True]
    assert (text("a"), text(1)) == (True, False)
