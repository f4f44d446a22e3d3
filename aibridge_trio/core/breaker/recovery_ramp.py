"""After an outage: from a tenth of the requests to all of them, linearly over time.

Refused callers come back at the time they were given, in addition to the normal load. If all of them were admitted
at once, they could cause the next outage. The share is applied evenly, not by chance: at 30 %, three of ten
requests are admitted.
"""

from __future__ import annotations

import math

from aibridge_trio.core.snapshots import Saved, restore, save

_FIRST = 0.1
# Ten tenths are a little less than 1 in binary floating point.
_WHOLE = 1.0 - 1e-6
# What survives a restart.
_NUMBERS, _TIMES = ("_credit",), ("ends",)


class Ramp:
    """Admits a share of requests that grows to 1 within `span` seconds of `begin`; a `span` of 0 admits all.

    `ends` is when it admits all (seconds), minus infinity if no ramp is under way.
    """

    def __init__(self, span: float) -> None:
        self._span = span
        self.ends = -math.inf
        self._credit = 0.0

    def begin(self, now: float) -> None:
        """Begin at a tenth; the first request is admitted."""
        self.ends = now + self._span if self._span else -math.inf
        self._credit = 1.0 - _FIRST

    def apply(self, span: float, now: float) -> None:
        """Grow within `span` seconds; a ramp that is under way goes on at its share."""
        remaining, before, self._span = self.remaining(now), self._span, span
        self.ends = now + remaining * span / before if remaining and span else -math.inf

    def snapshot(self, now: float) -> Saved:
        """Return what must survive a restart."""
        return save(self, _NUMBERS, _TIMES, now)

    def restore(self, saved: object, at: float) -> None:
        """Go on with a ramp that was saved at a time; raises ValueError for what is no snapshot."""
        if self._span:
            restore(self, saved, _NUMBERS, _TIMES, at)

    def resume(self, ends: float, now: float) -> None:
        """Go on with the ramp of another replica, which ends then."""
        self.ends = min(ends, now + self._span) if self._span else -math.inf
        self._credit = 1.0 - _FIRST

    def stop(self) -> None:
        """Admit all requests from now on."""
        self.ends = -math.inf

    def remaining(self, now: float) -> float:
        """Return the seconds until all requests are admitted."""
        return max(0.0, min(self._span, self.ends - now))

    def share(self, now: float) -> float:
        """Return the share that is admitted now; 1 if no ramp is under way."""
        remaining = self.remaining(now)
        return 1.0 - (1.0 - _FIRST) * remaining / self._span if remaining else 1.0

    def admit(self, now: float) -> bool:
        """Return whether the next request is admitted, and count it."""
        share = self.share(now)
        if share >= 1.0:
            return True
        self._credit += share
        if self._credit < _WHOLE:
            return False
        self._credit -= 1.0
        return True

    def __repr__(self) -> str:
        return f"<Ramp span={self._span:g} ends={self.ends:g}>"
