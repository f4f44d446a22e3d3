"""The quotas of callers' own keys."""

from __future__ import annotations

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.own_keys import OwnKeys


def test_a_key_is_remembered_once_it_is_refused_and_the_number_of_keys_is_bounded() -> None:
    """The one that was used the longest ago is forgotten."""
    keys = OwnKeys(2)
    assert keys.find("a") is None
    first = keys.remember("a")
    keys.remember("b")
    assert keys.remember("a") is first
    keys.remember("c")
    assert keys.find("b") is None
    assert keys.find("a") is first
    assert len(keys) == 2


def test_keys_with_a_pace_are_counted() -> None:
    """For the status."""
    keys = OwnKeys()
    quotas = keys.remember("a")
    keys.remember("b")
    assert keys.paced == 0
    quotas.accepted(0.0, 0.5)
    quotas.refused(Pushback("429", quota=True), 0.0, 0.0, 1.0, 0.5)
    assert keys.paced == 1
