"""The options of the breakers, as a group."""

from __future__ import annotations

from aibridge_trio.config.breaker_options import BREAKER
from aibridge_trio.config.settings import OPTIONS


def test_they_are_a_group_of_their_own() -> None:
    """As help pages show them: the switch first."""
    names = [option.name for option in OPTIONS if option.group == BREAKER]
    assert names[0] == "circuit_breaker"
    assert all(name.startswith("circuit_breaker") for name in names)
