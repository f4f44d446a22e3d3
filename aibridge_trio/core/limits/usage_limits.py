"""The two limits of a provider, or of one of its keys: requests, and tokens."""

from __future__ import annotations

import math

from aibridge_trio.core.limits.usage_window import Charge, UsageWindow
from aibridge_trio.core.terms import Rate


class UsageLimits:
    """What may be sent, and what was; None is unlimited. `now` is in seconds on any monotonic clock."""

    __slots__ = ("requests", "tokens")

    def __init__(self, rate: Rate | None = None, token_rate: Rate | None = None) -> None:
        self.requests: UsageWindow | None = None
        self.tokens: UsageWindow | None = None
        self.apply(rate, token_rate)

    def apply(self, rate: Rate | None, token_rate: Rate | None) -> None:
        """Replace the limits; what is counted stays."""
        self.requests = with_rate(self.requests, rate)
        self.tokens = with_rate(self.tokens, token_rate)

    def wait(self, tokens: float, now: float) -> float:
        """Return the seconds until a request of so many tokens (estimated) may go, 0 if it may now."""
        requests = self.requests.wait(1, now) if self.requests else 0.0
        return max(requests, self.tokens.wait(math.ceil(tokens), now)) if self.tokens else requests

    def charge(self, tokens: int, now: float) -> list[Charge]:
        """Count one request of so many tokens (estimated): each charge must be settled or refunded.

        A request of 0 tokens is not metered: it counts as a request alone.
        """
        charges = [self.requests.count(now)] if self.requests else []
        if self.tokens and tokens:
            charges.append(self.tokens.charge(tokens))
        return charges

    def __repr__(self) -> str:
        return f"<UsageLimits {self.requests!r} {self.tokens!r}>"


def with_rate(window: UsageWindow | None, rate: Rate | None) -> UsageWindow | None:
    """Return a window with this rate, None for unlimited: the same one, if there is one."""
    if rate is None:
        return None
    if window is None:
        return UsageWindow(rate)
    window.rate = rate
    return window
