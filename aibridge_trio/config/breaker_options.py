"""The options of the circuit breakers."""

# ruff: noqa: RUF009 - option() gives a field with a frozen default

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aibridge_trio.config.option import option
from aibridge_trio.config.units import BOOLEAN, DURATION, MODELS, POSITIVE, SHARE, SPAN, TIMEOUT, choice

BREAKER = "Circuit breaker"
Scope = Literal["provider", "endpoint", "model"]
CountsAgainst = Literal["provider", "credential"]


@dataclass(frozen=True, kw_only=True)
class BreakerOptions:
    """The values of the breakers' options; `Settings` inherits them."""

    circuit_breaker: bool = option(BOOLEAN, "false", BREAKER, "Enable a circuit breaker per provider.")
    circuit_breaker_failure_threshold: int = option(
        POSITIVE, "5", BREAKER, "Failures within the window that open the breaker."
    )
    circuit_breaker_failure_share: float = option(
        SHARE, "0", BREAKER, "Share of the calls in the window that must have failed, too; 0 is off."
    )
    circuit_breaker_window: float = option(
        SPAN, "10s", BREAKER, "How long a failure counts towards the threshold."
    )
    circuit_breaker_cooldown: float = option(
        SPAN, "30s", BREAKER, "How long the breaker stays open before it lets probes through."
    )
    circuit_breaker_half_open_max_requests: int = option(
        POSITIVE, "3", BREAKER, "Maximum probes in flight while half-open, and successful probes needed to close."
    )

    circuit_breaker_max_cooldown: float = option(
        SPAN,
        "5m",
        BREAKER,
        "Maximum cooldown, whether the provider asked for it or several trips in a row lengthened it.",
    )
    circuit_breaker_429: CountsAgainst = option(
        choice("provider", "credential"),
        "provider",
        BREAKER,
        "What a 429 on a caller's own key counts against: the provider, or only that key.",
    )
    circuit_breaker_scope: Scope = option(
        choice("provider", "endpoint", "model"),
        "provider",
        BREAKER,
        "What has a breaker of its own: each provider, each endpoint, or each model.",
    )
    circuit_breaker_models: tuple[str, ...] = option(
        MODELS,
        "",
        BREAKER,
        "For scope model: model names, or prefixes that end in *; all other models share one breaker.",
    )
    circuit_breaker_slow_first_byte: float = option(
        TIMEOUT, "0s", BREAKER, "A first byte that arrives later than this counts as a failure; 0s is off."
    )
    circuit_breaker_ramp: float = option(
        DURATION, "0s", BREAKER, "Time from closing until all requests are admitted again; 0s is at once."
    )
