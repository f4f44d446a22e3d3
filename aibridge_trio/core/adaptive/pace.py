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

from aibridge_trio.core.snapshots import Saved, restore, save

# The pace as a share of the measured rate.
_OVER = 1.02
# Before a rate is measured: this share of what was accepted in the last seconds.
_FIRST, _RECENT = 0.9, 5.0
# A measurement spans so many accepted requests, and at most so many seconds, or as long as these take.
_ENOUGH, _LONGEST_SPAN = 20, 60.0
_FEWEST = 4
# The least pace that is measured, as a share of the least that is guessed.
_LEAST_MEASURED = 1 / 6
# How many seconds' worth may be sent at once.
_BURST = 1.0
# Growth by so much a second: soon after a refusal, and later: after so many seconds, and so many requests. After
# so many seconds without a refusal the pace is forgotten. Slow growth is also at most so much a request: else a
# quota of a few requests a minute refuses one in three.
_SLOW_GROWTH, _GROWTH, _CALM, _CALM_REQUESTS, _FORGOTTEN = 0.005, 0.05, 15.0, 30, 300.0
_GROWTH_PER_REQUEST = 0.005
# What a refusal leaves of the pace while too little was accepted to measure it.
_LOWER = 0.9
# Growth counts so many seconds at most at once.
_LONGEST_STEP = 10.0
# A recovery follows so many refused round trips in a row, over so many seconds.
_ILL, _ILL_FOR = 4, 30.0
# A rounding error must not delay a request by another timer (seconds).
_EPSILON = 1e-6
# What survives a restart.
_NUMBERS = ("rate", "_measured", "_in_a_row", "_recovering")
_TIMES = ("_at", "_refused_at", "_resumes_at", "_row_began")


class Pace:
    """Paces starts at the rate of a quota, once it has refused one; `rate` is per second.

    An amount is 1 for a quota of requests, and the number of tokens for one of tokens. `least` is the least pace
    that is guessed.
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
        self._refused_at = self._resumes_at = -math.inf
        self._measured = False
        self._in_a_row = 0
        self._row_began = 0.0
        self._recovering = False

    def advance(self, now: float) -> None:
        """Add the credit of the time that has passed, and let the pace grow."""
        elapsed, self._at = now - self._at, now
        if self.rate == math.inf:
            return
        calm = now - self._resumes_at
        soon = self._measured and calm < max(_CALM, _CALM_REQUESTS / self.rate)
        growth = min(_SLOW_GROWTH, _GROWTH_PER_REQUEST * self.rate) if soon else _GROWTH
        # No growth while all requests are held back: nothing is learned meanwhile.
        self.rate *= (1 + growth) ** max(0.0, min(elapsed, calm, _LONGEST_STEP))
        self._credit = min(self._most, self._credit + self.rate * elapsed)
        if calm > _FORGOTTEN:
            self.rate = math.inf
            self._refusals.clear()
            self._measured = False

    def wait(self, now: float, amount: float = 1.0) -> float:
        """Return the seconds until a request may be sent, 0 if it may now. More than a burst counts as a burst.

        Nothing changes: to look at a pace does not let it grow.
        """
        if self.rate == math.inf:
            return 0.0
        lacking = min(amount, self._most) - self._credit - self.rate * (now - self._at)
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

    def refused(self, sent_at: float, now: float, amount: float = 1.0, hint: float = 0.0) -> None:
        """Measure the rate; of the refusals of one round trip the first counts.

        The provider asks for a pause of `hint` seconds: after it there is enough for this amount, 0 for unknown.
        """
        if sent_at <= self._refused_at:
            return
        self._drop_old(now)
        self._recovering = False
        if not self._in_a_row:
            self._row_began = now
        self._in_a_row += 1
        refusals = self._refusals
        since = now - max(_LONGEST_SPAN, _ENOUGH / self.rate)
        while refusals and refusals[0][0] < since:
            refusals.popleft()
        while len(refusals) > 1 and self._requests - refusals[1][2] >= _ENOUGH:
            refusals.popleft()
        if refusals and self._requests - refusals[0][2] >= _FEWEST and now > refusals[0][0]:
            self._measured = True
            began, accepted, _ = refusals[0]
            self.rate = self._bounded(_OVER * (self._accepted - accepted) / (now - began))
        elif self.rate == math.inf:
            accepted = sum(each for _, each in self._recent)
            guess = max(_FIRST * accepted / _RECENT, amount / hint if hint else 0.0)
            self.rate = self._bounded(guess) if guess else math.inf
        else:
            self.rate = self._bounded(_LOWER * self.rate)
        refusals.append((now, self._accepted, self._requests))
        # A pause that is shorter than a request takes at this pace: the quota has nearly enough for one.
        self._credit = max(0.0, min(amount, self._most) - self.rate * hint) if hint else 0.0
        self._at = self._refused_at = now
        self._resumes_at = now + hint

    def snapshot(self, now: float) -> Saved:
        """Return the pace for a restart."""
        return {**save(self, _NUMBERS, _TIMES, now), "credit": self._credit}

    def restore(self, saved: object, at: float) -> None:
        """Take over a pace that was saved at a time; raises ValueError for what is no snapshot."""
        credit = restore(self, saved, _NUMBERS, _TIMES, at).get("credit")
        if not self.rate > 0 or not isinstance(credit, float) or not math.isfinite(credit):
            raise ValueError("no pace")
        self._credit = credit

    def __repr__(self) -> str:
        return f"<Pace {self.rate:.3g}/s>"

    @property
    def _most(self) -> float:
        return max(1.0, self.rate * _BURST)

    def _bounded(self, rate: float) -> float:
        """Return a rate, or the least if it is lower; a rate that was measured may be lower than a guess."""
        return max(self._least * (_LEAST_MEASURED if self._measured else 1.0), rate) or math.inf

    def _drop_old(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - _RECENT:
            self._recent.popleft()
