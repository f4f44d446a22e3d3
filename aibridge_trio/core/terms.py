"""What a caller may use: rates, budgets, concurrency, models; and its priority. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Period = Literal["day", "week", "month"]
Priority = Literal["normal", "low"]


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `amount` (requests or tokens) in any `span` seconds."""

    amount: int
    span: float = 1.0


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """At most `tokens` in each calendar day, ISO week (from Monday) or month, UTC."""

    tokens: int
    per: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one caller may use: its own entry, where that is silent its class's, then the options'.

    max_concurrency  Requests in flight; 0 is unlimited.
    rate             Of requests; None is unlimited.
    token_rate       Of tokens; None is unlimited.
    priority         Requests of `low` priority are served behind all others that wait, but never starved.
    models           Names, or prefixes that end in `*`; None is every model.
    budget           Of tokens by calendar; None is unlimited.
    """

    max_concurrency: int = 0
    rate: Rate | None = None
    token_rate: Rate | None = None
    priority: Priority = "normal"
    models: tuple[str, ...] | None = None
    budget: TokenBudget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTotals:
    """What all callers of a class may use together; 0 and None are unlimited, as in `Terms`."""

    max_concurrency: int = 0
    rate: Rate | None = None
    token_rate: Rate | None = None
