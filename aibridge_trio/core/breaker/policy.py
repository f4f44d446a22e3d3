"""The settings of a breaker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """The breaker's settings: seconds, counts, and factors. docs/tuning.md explains the defaults.

    Each trip in a row multiplies the cooldown by `growth`, up to `stretch`. `ramp` is 0 for all requests at once.
    `failure_share` is the share of the judged calls in the window that must have failed, too; 0 for none.
    """

    threshold: int = 5
    window: float = 10.0
    cooldown: float = 30.0
    max_probes: int = 3
    longest_cooldown: float = 300.0
    growth: float = 1.25
    stretch: float = 1.5
    ramp: float = 0.0
    failure_share: float = 0.0
