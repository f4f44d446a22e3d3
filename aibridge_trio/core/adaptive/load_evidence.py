"""Whether pushbacks depend on load, and which bound explains them: a sequential likelihood test.

Two explanations compete for the recent outcomes of starts, each with the level at which it was sent:

bound       the provider takes so many at once: every start above was pushed back, and at most by chance accepted
background  a share of starts is pushed back at any level

A pushback above a candidate bound speaks for the bound, the more the rarer background pushbacks are; an accepted
start above it speaks against. A capacity may also have changed lately: then outcomes before the change do not
count, at the cost of assuming a change. The sum of log-likelihood ratios must reach `_ENOUGH` before a bound is
believed (Wald's test; the change as in Page's CUSUM).

The background share is learned from how pushbacks and accepted starts alternate at levels that are known to be
accepted: a run of pushbacks counts as three at most, because an outage is one run, not many chances.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

# The log-likelihood ratio at which a bound is believed (ten to one), and an outage (a thousand to one).
_ENOUGH, _ENOUGH_FOR_OUTAGE = 2.3, 7.0
# What assuming that the capacity has changed costs, and what an accepted start above a bound counts against it.
_CHANGE, _ACCEPTED = 3.5, 3.5
# Seconds after which an outcome counts 1/e.
_FADING = 6.0
# How many outcomes are kept, and how many candidate bounds are tried: bounds the work of one pushback.
_OUTCOMES, _CANDIDATES = 48, 6
# Levels accepted within so many seconds are known.
_KNOWN = 10.0
# The background share: its least and its greatest value, the starts it remembers, the most that one run counts.
_LEAST, _GREATEST, _MEMORY, _LONGEST_RUN = 0.05, 0.9, 15.0, 3


class _Outcome(NamedTuple):
    sent_at: float
    level: int
    accepted: bool


class LoadEvidence:
    """The recent outcomes of starts at one provider."""

    def __init__(self) -> None:
        self._share = _LEAST
        self._outcomes: deque[_Outcome] = deque(maxlen=_OUTCOMES)
        # Levels that were accepted, in falling order, and when: the first is the highest that still counts.
        self._known: deque[tuple[float, int]] = deque()
        self._run = 0
        self._run_began = 0.0

    @property
    def background(self) -> float:
        """The estimated share of starts that are pushed back whatever the load, 0 to 1."""
        return self._share

    def pushed_back(self, level: int, sent_at: float, now: float) -> int | None:
        """Note a pushback; return the bound that explains it, None if the background explains it as well."""
        if level <= self._highest_known(now):
            if not self._run:
                self._run_began = now
            self._run = min(self._run + 1, _LONGEST_RUN)
        self._outcomes.append(_Outcome(sent_at, level, accepted=False))
        recent = now - 2 * _FADING
        levels = {each.level for each in self._outcomes if not each.accepted and each.sent_at > recent}
        candidates = sorted(each - 1 for each in levels if each <= level)[:_CANDIDATES]
        best = max(candidates, key=lambda bound: self._support(bound, now), default=level - 1)
        return best if self._support(best, now) > _ENOUGH else None

    def accepted(self, level: int, sent_at: float, now: float) -> None:
        """Note that the answer to a start has begun."""
        self._outcomes.append(_Outcome(sent_at, level, accepted=True))
        while self._known and self._known[-1][1] <= level:
            self._known.pop()
        self._known.append((now, level))
        if self._run and now - self._run_began < _FADING:
            for _ in range(self._run):
                self._share += (1 - self._share) / _MEMORY
        self._run = 0
        self._share -= self._share / _MEMORY

    def shows_outage(self) -> bool:
        """Return whether so many pushbacks in a row are neither chance nor background."""
        support = 0.0
        for outcome in reversed(self._outcomes):
            if outcome.accepted:
                support -= _CHANGE
                break
            support += self._surprise
        return support >= _ENOUGH_FOR_OUTAGE

    def restore(self, background: object) -> None:
        """Take over the background of before a restart; raises ValueError for what is none."""
        if not isinstance(background, float) or not 0 < background < 1:
            raise ValueError("no background")
        self._share = background

    def forget(self) -> None:
        """Forget the outcomes, after an outage; what is known of the background stays."""
        self._outcomes.clear()

    def __repr__(self) -> str:
        return f"<LoadEvidence {len(self._outcomes)} outcomes, background {self._share:.2f}>"

    @property
    def _surprise(self) -> float:
        """How much one pushback speaks against the background (nats)."""
        return -math.log(min(max(self._share, _LEAST), _GREATEST))

    def _support(self, bound: int, now: float) -> float:
        """Return the log-likelihood ratio of a bound against none."""
        surprise = self._surprise
        since_change, whole, best = 0.0, 0.0, -math.inf
        for outcome in reversed(self._outcomes):
            if outcome.level > bound:
                said = -_ACCEPTED if outcome.accepted else surprise
                since_change += said
                whole += said * math.exp((outcome.sent_at - now) / _FADING)
                best = max(best, since_change)
        return max(best - _CHANGE, whole)

    def _highest_known(self, now: float) -> int:
        while self._known and self._known[0][0] < now - _KNOWN:
            self._known.popleft()
        return self._known[0][1] if self._known else 0
