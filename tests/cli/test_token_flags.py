"""The options of `aibridge token`."""

from __future__ import annotations

from datetime import date

import pytest

from aibridge_trio.cli.token_flags import TOKEN
from aibridge_trio.config.units import InvalidValue


def test_a_day_is_a_date_of_the_calendar() -> None:
    """As TOML writes it."""
    [expires] = [option for option in TOKEN if option.name == "expires"]
    assert expires.unit.parse("2028-02-29") == date(2028, 2, 29)
    for wrong in ("2027-02-29", "tomorrow", ""):
        with pytest.raises(InvalidValue, match="is not a date"):
            expires.unit.parse(wrong)


def test_the_files_are_the_bridges_own_options() -> None:
    """One variable names the file for both."""
    assert [option.variables for option in TOKEN[:2]] == [("AIBRIDGE_CONFIG",), ("AIBRIDGE_CALLERS_FILE",)]
    assert [option.flag for option in TOKEN if option.name == "class_"] == ["--class"]
