"""The learned rate of a quota, of requests or of tokens.

A quota is a bucket that fills at a steady rate. It is empty whenever it refuses a request, so what was accepted
between two refusals, divided by the time between them, is its rate. The pace is that rate and a little more: its
refusals, seldom, keep the measurement fresh, and find out when a quota has become larger.

Nothing but refusals for a while measure no rate: the provider was ill. Then the first accepted request begins a
recovery: each accepted request doubles the pace and lets another one go, until the next refusal.
"""

from __future__ import annotations

import math
from collections import deque

# The pace as a share of the measured rate.
_OVER = 1.02
# Before a rate is measured: this share of what was accepted in the last seconds.
_FIRST, _RECENT = 0.9, 5.0
# A measurement spans so many accepted requests, and at most so many seconds.
_ENOUGH, _LONGEST_SPAN = 20, 60.0
_FEWEST = 4
# How many seconds' worth may be sent at once.
_BURST = 1.0
# Growth by so much a second: soon after a refusal, and later: after so many seconds, and so many requests. After
# so many seconds without a refusal the pace is forgotten.
_SLOW_GROWTH, _GROWTH, _CALM, _CALM_REQUESTS, _FORGOTTEN = 0.005, 0.05, 15.0, 30, 300.0
# What a refusal leaves of the pace while too little was accepted to measure it.
_LOWER = 0.9
# Growth counts so many seconds at most at once.
_LONGEST_STEP = 10.0
# A recovery follows so many refused round trips in a row, over so many seconds.
_ILL, _ILL_FOR = 4, 30.0
# A rounding error must not delay a request by another timer (seconds).
_EPSILON = 1e-6


class Pace:
    """Paces starts at the rate of a quota, once it has refused one; `rate` is per second.

    An amount is 1 for a quota of requests, and the number of tokens for one of tokens. `least` is the least pace.
    """

    def __init__(self, least: float = 0.0) -> None:
        self.rate = math.inf
        self._least = least
        self._credit = 1.0
        self._at = 0.0
        self._accepted = 0.0
        self._requests = 0
        self._recent: deque[tuple[float, float]] = deque()  # when, and which amounts were accepted
        # When, and how much and how many were accepted by then.
        self._refusals: deque[tuple[float, float, int]] = deque(maxlen=2 * _ENOUGH)
        self._refused_at = -math.inf
        self._measured = False
        self._in_a_row = 0
        self._row_began = 0.0
        self._recovering = False

    def advance(self, now: float) -> None:
        """Add the credit of the time that has passed, and let the pace grow."""
        elapsed, self._at = now - self._at, now
        if self.rate == math.inf:
            return
        calm = now - self._refused_at
        soon = self._measured and calm < max(_CALM, _CALM_REQUESTS / self.rate)
        self.rate *= (1 + (_SLOW_GROWTH if soon else _GROWTH)) ** min(elapsed, _LONGEST_STEP)
        self._credit = min(self._most, self._credit + self.rate * elapsed)
        if calm > _FORGOTTEN:
            self.rate = math.inf

    def wait(self, amount: float = 1.0) -> float:
        """Return the seconds until a request may be sent, 0 if it may now. More than a burst counts as a burst."""
        if self.rate == math.inf:
            return 0.0
        lacking = min(amount, self._most) - self._credit
        return lacking / self.rate + _EPSILON if lacking > 0 else 0.0

    def sent(self, amount: float = 1.0) -> None:
        """Take a request's credit."""
        if self.rate < math.inf:
            self._credit -= amount

    def accepted(self, now: float, amount: float = 1.0) -> None:
        """Count a request that the quota has accepted."""
        self._accepted += amount
        self._requests += 1
        self._recent.append((now, amount))
        self._drop_old(now)
        if self._in_a_row >= _ILL and now - self._row_began > _ILL_FOR:
            self._recovering = True
        self._in_a_row = 0
        if self._recovering:
            self.rate *= 2
            self._credit = max(self._credit, 1.0)

    def refused(self, sent_at: float, now: float) -> None:
        """Measure the rate; of the refusals of one round trip the first counts."""
        if sent_at <= self._refused_at:
            return
        self._drop_old(now)
        self._recovering = False
        if not self._in_a_row:
            self._row_began = now
        self._in_a_row += 1
        refusals = self._refusals
        while len(refusals) > 1 and (
            refusals[0][0] < now - _LONGEST_SPAN or self._requests - refusals[1][2] >= _ENOUGH
        ):
            refusals.popleft()
        if refusals and self._requests - refusals[0][2] >= _FEWEST and now > refusals[0][0]:
            self._measured = True
            since, accepted, _ = refusals[0]
            self.rate = max(self._least, _OVER * (self._accepted - accepted) / (now - since)) or math.inf
        elif self.rate == math.inf:
            accepted = sum(amount for _, amount in self._recent)
            self.rate = max(self._least, _FIRST * accepted / _RECENT) if accepted else math.inf
        else:
            self.rate = max(self._least, _LOWER * self.rate)
        refusals.append((now, self._accepted, self._requests))
        self._credit, self._at, self._refused_at = 0.0, now, now

    def __repr__(self) -> str:
        return f"<Pace {self.rate:.3g}/s>"

    @property
    def _most(self) -> float:
        return max(1.0, self.rate * _BURST)

    def _drop_old(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - _RECENT:
            self._recent.popleft()
