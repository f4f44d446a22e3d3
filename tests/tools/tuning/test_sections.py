"""The sections of docs/tuning.md."""

from __future__ import annotations

import pytest

from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.simulate.scenario import settings
from tools.tuning.sections import SECTIONS, Section


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_what_is_chosen_is_the_default(section: Section) -> None:
    """What is in bold is what the program does when nothing is said."""
    [chosen] = [row for row in section.rows if row.label == section.chosen]
    if chosen.policy == "aibridge":
        defaults = settings.default_settings()
        assert all(defaults[name] == value for name, value in settings.parse_settings(chosen.settings).items())


def test_every_option_of_breaker_and_queue_has_its_section() -> None:
    """No default without its table, but for what names things, and what no scenario has several of."""
    told = {name for section in SECTIONS for row in section.rows for name in settings.parse_settings(row.settings)}
    own = {option.name for option in OPTIONS if option.name.startswith(("circuit_breaker_", "queue_"))}
    assert own - told == {"circuit_breaker_scope", "circuit_breaker_models"}
