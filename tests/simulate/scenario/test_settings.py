"""The settings of a simulation are the program's."""

from __future__ import annotations

import math

from aibridge_trio.config.settings import OPTIONS
from aibridge_trio.simulate.scenario import settings
from tests.support.simulated import parsed

MINIMAL = 'duration = "1m"\n[[callers]]\ncount = 1\nrequests_per_minute = 6\n'


def test_settings_are_the_programs_own() -> None:
    """The same names and units as in serve and its file, numbers or text."""
    given = parsed(MINIMAL + '[settings]\nmax_concurrency = 5\nqueue_timeout = "3s"\ncircuit_breaker = true\n')
    assert (given.settings["max_concurrency"], given.settings["queue_timeout"]) == (5, 3.0)
    assert settings.limits(given.settings).max_concurrency == 5
    told = settings.parse_settings(
        "max_concurrency=7 --queue-size=8 circuit_breaker circuit_breaker_max_cooldown=1m"
    )
    assert told == {
        "max_concurrency": 7,
        "queue_size": 8,
        "circuit_breaker": True,
        "circuit_breaker_max_cooldown": 60.0,
    }


def test_what_the_program_has_an_option_for_is_read_by_that_option() -> None:
    """So its unit and its default are the program's, as soon as it has one."""
    options = {option.name: option for option in OPTIONS}
    for name, known in settings.KNOWN.items():
        assert name not in options or known is options[name]


def test_every_setting_reaches_a_machine() -> None:
    """A setting that is read and changes nothing would be a lie."""
    default = settings.default_settings()
    others = {
        "max_concurrency": 9,
        "max_concurrency_per_caller": 9,
        "max_concurrency_per_provider": 9,
        "queue_size": 9,
        "queue_timeout": 9.5,
        "circuit_breaker_failure_threshold": 9,
        "circuit_breaker_failure_share": 0.5,
        "circuit_breaker_window": 9.5,
        "circuit_breaker_cooldown": 9.5,
        "circuit_breaker_half_open_max_requests": 9,
        "circuit_breaker_max_cooldown": 9.5,
        "circuit_breaker_growth": 9.5,
        "circuit_breaker_stretch": 9.5,
        "circuit_breaker_ramp": 9.5,
    }
    for name, value in others.items():
        told = default | {name: value}
        machines = [(settings.limits(each), settings.breaker_policy(each)) for each in (default, told)]
        assert machines[0] != machines[1], name
    # These go to the bridge itself.
    rest = (
        "rate_limit",
        "circuit_breaker",
        "circuit_breaker_429",
        "circuit_breaker_slow_first_byte",
        "first_byte_timeout",
        "line_size",
        "token_limit",
    )
    assert [name for name in settings.KNOWN if name not in others] == [
        name for name in settings.KNOWN if name in rest
    ]
    assert default["circuit_breaker_slow_first_byte"] == math.inf
