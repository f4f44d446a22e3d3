"""The bridge's settings in a simulation, with the product's names and units; and the policies made from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aibridge_trio.config import policies
from aibridge_trio.config.settings import OPTIONS, Option, Settings
from aibridge_trio.config.units import COUNT, NUMBER, InvalidValue, nearest
from aibridge_trio.core.adaptive.limiter import LINE_SIZE
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.limits.lease import Limits
from aibridge_trio.printable import quoted

# Values by name, of the same types as in `Settings`.
Values = dict[str, Any]

# Parameters without an option of the program, which can be tried in simulations.
_ONLY_HERE = (
    Option(
        name="circuit_breaker_growth",
        unit=NUMBER,
        default=f"{BreakerPolicy().growth:g}",
        help="What each trip in a row multiplies.",
    ),
    Option(
        name="circuit_breaker_stretch",
        unit=NUMBER,
        default=f"{BreakerPolicy().stretch:g}",
        help="How many cooldowns that makes at most.",
    ),
    Option(
        name="line_size",
        unit=COUNT,
        default=f"{LINE_SIZE}",
        help="How many requests the policy `adaptive` holds for a provider at most.",
    ),
    Option(
        name="token_limit",
        unit=COUNT,
        default="0",
        help="Tokens that each caller may use in any minute; 0 is unlimited.",
    ),
)
# The settings that matter in a simulation.
_SHOWN = (
    "max_concurrency",
    "rate_limit",
    "circuit_breaker",
    "circuit_breaker_failure_threshold",
    "circuit_breaker_failure_share",
    "circuit_breaker_window",
    "circuit_breaker_cooldown",
    "circuit_breaker_half_open_max_requests",
    "first_byte_timeout",
    "queue_size",
    "queue_timeout",
    "max_concurrency_per_caller",
    "max_concurrency_per_provider",
    "circuit_breaker_max_cooldown",
    "circuit_breaker_growth",
    "circuit_breaker_stretch",
    "circuit_breaker_ramp",
    "circuit_breaker_429",
    "circuit_breaker_slow_first_byte",
    "line_size",
    "token_limit",
)
_OPTIONS = {option.name: option for option in (*_ONLY_HERE, *OPTIONS)}
KNOWN: dict[str, Option] = {name: _OPTIONS[name] for name in _SHOWN}


def default_settings() -> Values:
    """Return the defaults."""
    return {name: option.unit.parse(option.default or "") for name, option in KNOWN.items()}


def parse_settings(text: str) -> Values:
    """Return settings written as `max_concurrency=50 queue_size=100`. Raises InvalidValue."""
    values: Values = {}
    for word in text.split():
        name, equals, value = word.strip().partition("=")
        name = name.removeprefix("--").replace("-", "_")
        if name not in KNOWN:
            near = nearest(name, KNOWN)
            raise InvalidValue(f"{quoted(name)} is no setting that can be simulated", near and f"{near}={value}")
        option = KNOWN[name]
        if option.switch and not equals:
            value = "true"
        try:
            values[name] = option.unit.parse(value)
        except InvalidValue as unfit:
            raise InvalidValue(f"{name}: {unfit}", f"{name}={unfit.instead or option.example}") from None
    return values


def format_settings(values: Values) -> str:
    """Return settings as a user writes them."""
    return " ".join(f"{name}={KNOWN[name].show(value)}" for name, value in values.items())


def limits(values: Values) -> Limits:
    """Return the limits of the concurrency limiter and the queue."""
    return policies.limits(_settings(values))


def breaker_policy(values: Values) -> BreakerPolicy:
    """Return the breaker's policy."""
    tried = {name: values[f"circuit_breaker_{name}"] for name in ("growth", "stretch")}
    return replace(policies.policy(_settings(values)), **tried)


def _settings(values: Values) -> Settings:
    only_here = [option.name for option in _ONLY_HERE]
    return Settings(**{name: value for name, value in values.items() if name not in only_here})
