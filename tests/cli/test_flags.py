from __future__ import annotations

import pytest

from aibridge_trio.cli import flags
from aibridge_trio.config.settings import CONFIG, OPTIONS, Option


def test_serve_and_check_have_the_same_options() -> None:
    """What serve would do, check can be asked."""
    assert (CONFIG, *OPTIONS) == flags.SERVE
    assert flags.CHECK[: len(flags.SERVE)] == flags.SERVE


@pytest.mark.parametrize("option", [*flags.MOCK, *flags.DEMO, *flags.BREAKER], ids=lambda option: option.name)
def test_defaults_and_examples_are_values(option: Option) -> None:
    """Every option has help, and a default and an example that its unit accepts."""
    assert option.help.endswith(".")
    if option.default is not None:
        option.unit.parse(option.default)
    option.unit.parse(option.example)
