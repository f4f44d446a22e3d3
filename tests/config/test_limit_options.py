from __future__ import annotations

from dataclasses import fields

import pytest

from aibridge_trio.config.limit_options import LIMITS, LimitOptions
from aibridge_trio.config.settings import OPTIONS, Settings

NAMES = [field.name for field in fields(LimitOptions)]


def test_the_group_holds_exactly_these_options_in_this_order() -> None:
    """Help pages show the limits as one group, in the order of the fields."""
    assert [option.name for option in OPTIONS if option.group == LIMITS] == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("max_c") or name == "rate_limit"])
def test_no_limit_is_on_by_default(name: str) -> None:
    """0 is the default of each count, and its help says what 0 means."""
    assert getattr(Settings(), name) == 0
    [option] = [option for option in OPTIONS if option.name == name]
    assert "; 0 is " in option.help


def test_settings_inherit_the_limits() -> None:
    """The limits are fields of Settings, with the same defaults."""
    assert {name: getattr(Settings(), name) for name in NAMES} == {
        name: getattr(LimitOptions(), name) for name in NAMES
    }
