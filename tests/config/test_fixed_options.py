"""Options that a reload cannot change."""

from __future__ import annotations

from aibridge_trio.config.fixed_options import FIXED, kept
from aibridge_trio.config.settings import OPTIONS, Address, Settings


def test_each_is_an_option_with_a_reason() -> None:
    """The reason ends a sentence: no full stop, no capital."""
    assert FIXED.keys() <= {option.name for option in OPTIONS}
    assert all(reason[0].islower() and reason[-1] != "." for reason in FIXED.values())


def test_what_cannot_change_is_kept_and_the_rest_is_new() -> None:
    """So that the settings in force say what is in force."""
    before = Settings(bind_mode=0o600, max_concurrency=1)
    after = Settings(bind=(Address("0.0.0.0", 1),), max_concurrency=2)
    assert kept(before, after) == Settings(bind_mode=0o600, max_concurrency=2)
