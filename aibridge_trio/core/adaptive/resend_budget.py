"""How many requests may be sent again: a tenth of those that come, and one in two seconds in any case.

Without a budget, a provider that refuses a third of all starts would get half as many calls again.
"""

from __future__ import annotations

# The share of requests that may be sent again, and the least number a second.
_SHARE, _LEAST = 0.1, 0.5
# As long after a request its own share is worth as much as time (seconds).
_COVERED = _SHARE / _LEAST
# Unused credit: at first, and at most.
_FIRST, _MOST = 30.0, 100.0


class ResendBudget:
    """The credit of one provider, in requests."""

    def __init__(self, now: float) -> None:
        self._credit = _FIRST
        self._at = now

    def request(self, now: float) -> None:
        """Add the share of one request."""
        self._add_time(now)
        self._credit = min(_MOST, self._credit + _SHARE)
        self._at = max(self._at, now)

    def take(self, now: float) -> bool:
        """Take the credit to send one request again; return whether there was enough."""
        self._add_time(now)
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    def credit(self, now: float) -> float:
        """Return how many requests may be sent again now."""
        self._add_time(now)
        return self._credit

    def __repr__(self) -> str:
        return f"<ResendBudget {self._credit:.1f}>"

    def _add_time(self, now: float) -> None:
        """Add what time gives where requests are rare."""
        uncovered = now - self._at - _COVERED
        if uncovered > 0:
            self._credit = min(_MOST, self._credit + _LEAST * uncovered)
            self._at = now - _COVERED
