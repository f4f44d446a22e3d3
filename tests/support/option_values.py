"""A second valid value for each option, for tests that change every option."""

from __future__ import annotations

from typing import Any

from aibridge_trio.config.settings import Option
from aibridge_trio.config.units import InvalidValue

_TRIED = (
    *("true", "false", "7", "7s", "7MiB", "0600", "127.0.0.1:7007", "credential", "endpoint", "human", "warning"),
    *(
        "https://other.example/v1",
        "10.0.0.0/8",
        "other.example",
        "https://app.example",
        "50%",
        "rate",
        "/tmp/other",
    ),
    *("sk-another-secret-value", "http://proxy.example:3128", "m*", "redis://redis.example", "closed", "300ms"),
    "x-token=abc",
)


def other_text(option: Option, *, but: object = None) -> str:
    """Return a text of the option whose value is neither the default nor `but`."""
    default = None if option.default is None else option.unit.parse(option.default)
    for text in _TRIED:
        try:
            value = option.unit.parse(text)
        except InvalidValue:
            continue
        if value not in (default, but):
            return text
    raise AssertionError(option.name)


def other_value(option: Option, *, but: object = None) -> Any:
    """Return the value of `other_text`."""
    return option.unit.parse(other_text(option, but=but))
