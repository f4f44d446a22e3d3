"""The bridge's settings, by the product's own names and units; and the machines that are made from them.

The one place that knows which setting makes which machine what it is.
"""

from __future__ import annotations

import math
from typing import Any

from aibridge_trio.core.breaker import Policy
from aibridge_trio.core.places import Limits
from aibridge_trio.settings import OPTIONS, Option
from aibridge_trio.units import COUNT, DURATION, NUMBER, SPAN, Unfit, choice, nearest, quoted

# By name; as `Settings` holds them.
Values = dict[str, Any]

# What the machines can do already and `settings` has no option for yet; an option of the same name there wins.
_MACHINES = (
    Option(name="queue_size", unit=COUNT, default="0", help="Requests that may wait for their turn."),
    Option(name="queue_timeout", unit=SPAN, default="10s", help="How long one may wait for its turn."),
    Option(name="max_concurrency_per_caller", unit=COUNT, default="0", help="One caller's share."),
    Option(name="max_concurrency_per_provider", unit=COUNT, default="0", help="One provider's share."),
    Option(name="circuit_breaker_max_cooldown", unit=DURATION, default="5m", help="The longest cooldown."),
    Option(name="circuit_breaker_growth", unit=NUMBER, default="1.25", help="What each trip in a row multiplies."),
    Option(
        name="circuit_breaker_stretch", unit=NUMBER, default="1.5", help="How many cooldowns that makes at most."
    ),
    Option(name="circuit_breaker_ramp", unit=DURATION, default="0s", help="From a tenth to all, in so long."),
    Option(name="circuit_breaker_429", unit=choice("provider", "credential"), default="provider", help="Whose."),
    Option(name="circuit_breaker_slow_first_byte", unit=DURATION, default="0s", help="Later is a failure."),
)
# What a simulation can show; the rest of the options says nothing of load.
_SHOWN = (
    "max_concurrency",
    "rate_limit",
    "circuit_breaker",
    "circuit_breaker_failure_threshold",
    "circuit_breaker_window",
    "circuit_breaker_cooldown",
    "circuit_breaker_half_open_max_requests",
    "first_byte_timeout",
    *(option.name for option in _MACHINES),
)
_OPTIONS = {option.name: option for option in (*_MACHINES, *OPTIONS)}
KNOWN: dict[str, Option] = {name: _OPTIONS[name] for name in _SHOWN}


def default() -> Values:
    """Return what is in force if nothing is said."""
    return {name: option.unit.parse(option.default or "") for name, option in KNOWN.items()}


def read(text: str) -> Values:
    """Return settings written as `max_concurrency=50 queue_size=100`. Raises Unfit."""
    values: Values = {}
    for word in text.split():
        name, equals, value = word.strip().partition("=")
        name = name.removeprefix("--").replace("-", "_")
        if name not in KNOWN:
            near = nearest(name, KNOWN)
            raise Unfit(f"{quoted(name)} is no setting that can be simulated", near and f"{near}={value}")
        option = KNOWN[name]
        if option.switch and not equals:
            value = "true"
        try:
            values[name] = option.unit.parse(value)
        except Unfit as unfit:
            raise Unfit(f"{name}: {unfit}", f"{name}={unfit.instead or option.example}") from None
    return values


def shown(values: Values) -> str:
    """Return settings as they would be written."""
    return " ".join(f"{name}={KNOWN[name].show(value)}" for name, value in values.items())


def limits(values: Values) -> Limits:
    """Return what the places are told."""
    return Limits(
        max_concurrency=values["max_concurrency"],
        per_caller=values["max_concurrency_per_caller"],
        per_provider=values["max_concurrency_per_provider"],
        queue_size=values["queue_size"],
        queue_timeout=values["queue_timeout"],
    )


def policy(values: Values) -> Policy:
    """Return what the breaker is told."""
    return Policy(
        threshold=values["circuit_breaker_failure_threshold"],
        window=values["circuit_breaker_window"],
        cooldown=values["circuit_breaker_cooldown"],
        max_probes=values["circuit_breaker_half_open_max_requests"],
        longest_cooldown=values["circuit_breaker_max_cooldown"],
        growth=values["circuit_breaker_growth"],
        stretch=values["circuit_breaker_stretch"],
        ramp=values["circuit_breaker_ramp"],
    )


def slow_first_byte(values: Values) -> float:
    """Return from how many seconds on an answer that has not begun is a failure; infinite if never."""
    return values["circuit_breaker_slow_first_byte"] or math.inf
