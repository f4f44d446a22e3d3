from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from aibridge_trio.core.caller import Caller
from aibridge_trio.core.terms import Terms


def test_a_caller_can_be_a_key_of_tables() -> None:
    """Equal callers are one entry of a table; another key, hint or kind is another caller."""
    caller = Caller(b"k", "…abcd", authenticated=True)
    others = [
        Caller(b"l", "…abcd", authenticated=True),
        Caller(b"k", "…abce", authenticated=True),
        Caller(b"k", "…abcd", authenticated=False),
    ]
    assert len({caller, Caller(b"k", "…abcd", authenticated=True), *others}) == 4


def test_a_caller_does_not_change() -> None:
    """What events and tables keep of a caller cannot be changed afterwards."""
    with pytest.raises(FrozenInstanceError):
        Caller(b"k", "…abcd", authenticated=True).key = b"l"  # type: ignore[misc]


def test_only_a_known_caller_can_be_of_low_priority() -> None:
    """By its terms."""
    assert not Caller(b"k", "…abcd", authenticated=True).low
    assert not Caller(b"k", "dev", authenticated=False, terms=Terms()).low
    assert Caller(b"k", "ci", authenticated=False, terms=Terms(priority="low")).low
