"""Learns how much one provider takes.

Until the first pushback a governor has no bound and does nothing but count. Then three limits are learned:

1. The bound: how many requests may be at the provider (level_bound.py). A pushback that the background explains
   as well does not change it (load_evidence.py).
2. The window: how many of them may be starts. A cut halves it, once per round trip; each accepted start adds one,
   so that it doubles per round trip. When the window is full of starts that hang, one more goes up every few
   seconds: some answers begin late, and one canary that hangs must not hold up all.
3. The quotas: a 429 of a quota limits the rate, not the level (quotas.py).

In an outage (pushbacks in three round trips in a row, too many for chance, whatever still streams) one canary at a
time goes up, after pauses that grow to a few seconds, or as long as the provider asks. At the first accepted start
that was sent since, the outage is over: the bound is what it was before, and the window grows from one.

The level of a start counts what was at the provider when it was sent. Those that were there only to be pushed back
are taken off once that is known.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable

from aibridge_trio.core.adaptive.entry import Pushback
from aibridge_trio.core.adaptive.governor_stats import GovernorStats
from aibridge_trio.core.adaptive.level_bound import LevelBound
from aibridge_trio.core.adaptive.load_evidence import LoadEvidence
from aibridge_trio.core.adaptive.quotas import Quotas
from aibridge_trio.core.quota import Left

__all__ = ["Governor", "GovernorStats"]

# Round trips with nothing but pushbacks that make an outage.
_ROUND_TRIPS = 3
# Pauses between canaries (seconds): the first, and the longest; each is twice as long as the one before.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 3.0
_JITTER_FROM, _JITTER_TO = 0.8, 1.2
# After so many seconds without a start one more may go up than the window allows.
_HUNG = 5.0
# The longest pause that a provider's hint causes (seconds), and what is added to it at random.
_LONGEST_HINT, _HINT_JITTER = 300.0, 0.1
# After so many seconds without a pushback everything learned is forgotten.
_FORGOTTEN = 600.0
# How many starts accepted in quiet times are remembered, to guess a pace from.
_QUIET = 128
# How many pushed back starts are remembered, to take them off the levels of others.
_REFUSED = 64
# The last levels that a 429 was sent at: a quota refuses at any level, a limit on concurrency at one.
_LEVELS, _TIGHT, _TIGHT_SHARE = 8, 2, 0.05
_FEWEST_LEVELS = 4


class Governor:
    """Decides whether one more request may go up. `chance` returns random numbers, 0 to 1."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self.level = 0
        self.answering = 0
        self.active = False
        self.outage = False
        self.evidence = LoadEvidence()
        self.bound = LevelBound(chance)
        self.quotas = Quotas()
        self.window = math.inf
        self.resumes_at = -math.inf
        self._chance = chance
        self._sent_at = -math.inf
        self._outage_at = -math.inf
        self._bound_before = math.inf  # what it was when a start was accepted last
        self._pause = 0.0
        self._round_trips = 0
        self._heard_at = -math.inf
        # Pushed back starts: when they came back, and when they were sent.
        self._refused: deque[tuple[float, float]] = deque(maxlen=_REFUSED)
        # Starts that were accepted before the first pushback: when, and their sizes.
        self._quiet: deque[tuple[float, float]] = deque(maxlen=_QUIET)
        self._limited_levels: deque[int] = deque(maxlen=_LEVELS)
        self._last: Pushback | None = None
        self._last_level = 0
        self._last_at = -math.inf
        self._told_at = -math.inf

    @property
    def starts(self) -> int:
        """How many requests wait for their answer to begin."""
        return self.level - self.answering

    def has_capacity(self, now: float) -> bool:
        """Return whether one more request may go up now."""
        if not self.active:
            return True
        self.bound.advance(self.answering, now)
        self.quotas.advance(now)
        return now >= self.resumes_at and self._below_limits(now) and not self.quotas.wait(now)

    def next_due(self, now: float) -> float:
        """Return when time alone may free capacity; infinity if only the progress of an answer does."""
        due = self.bound.probe_at
        if self.resumes_at > now:
            return min(due, self.resumes_at)
        if self._below_limits(now):
            wait = self.quotas.wait(now)
            return min(due, now + wait) if wait else due
        if self.level < self.bound.value:
            return min(due, self._sent_at + _HUNG)
        return due

    def wait_for(self, size: float, now: float) -> float:
        """Return the seconds until a request of this size may go up, as far as that depends on its size."""
        return self.quotas.wait_for(size, now) if self.active else 0.0

    def resumes(self, size: float, now: float) -> float:
        """Return when a request of this size may go up at the earliest, as far as pauses and quotas decide it."""
        return max(self.resumes_at, self.quotas.resumes(size, now))

    def sent(self, now: float, size: float = 0.0) -> int:
        """Count a request that goes up; return its level."""
        self.level += 1
        self._sent_at = now
        if self.active:
            self.quotas.sent(size)
        return self.level

    def ended(self, *, answering: bool) -> None:
        """Count the end of a request, however it ended."""
        self.level -= 1
        self.answering -= answering

    def told(self, quotas: Iterable[Left], now: float) -> None:
        """Take what an answer tells of the quotas; one that is nearly spent makes the governor active."""
        self.quotas.told(quotas, now)
        if not self.active:
            self._activate()
            self._told_at = now

    def accepted(self, level: int, sent_at: float, now: float, size: float = 0.0) -> None:
        """Learn that the answer to a start has begun."""
        self.answering += 1
        if not self.active:
            self._quiet.append((now, size))
            return
        self.quotas.accepted(size, now)
        if now - max(self._last_at, self._told_at) > _FORGOTTEN:
            self._forget()
            return
        if self.outage:
            if sent_at < self._outage_at:
                return
            self._end_outage(now)
        self._round_trips = 0
        self._pause = 0.0
        level = self._without_refused(level, sent_at)
        self.evidence.accepted(level, sent_at, now)
        self.window += 1
        self.bound.accepted(level, sent_at, now)
        self._bound_before = self.bound.value

    def quota_refused(self, pushback: Pushback, level: int, sent_at: float, now: float, size: float = 0.0) -> None:
        """Learn from a pushback of a quota."""
        self._note(pushback, level, now)
        self.quotas.refused(pushback, size, sent_at, now, self._chance())

    def is_about_rate(self, pushback: Pushback, level: int) -> bool:
        """Return whether a 429 is about a rate: it has a hint, and those before came at different levels.

        One that was sent while nothing else was at the provider is never about the level.
        """
        if pushback.quota:
            self._limited_levels.append(level)
        if not (pushback.quota and pushback.retry_after):
            return False
        lowest, highest = min(self._limited_levels), max(self._limited_levels)
        tight = highest - lowest <= max(_TIGHT, _TIGHT_SHARE * highest)
        return len(self._limited_levels) < _FEWEST_LEVELS or lowest <= 1 or not tight

    def pushed_back(self, pushback: Pushback, level: int, sent_at: float, now: float, size: float = 0.0) -> bool:
        """Learn from any other pushback; return whether the background explains it.

        A 429 with a hint that no bound explains is one of a quota.
        """
        self._note(pushback, level, now)
        new_round_trip = sent_at > self._heard_at
        if new_round_trip:
            self._round_trips += 1
            self._heard_at = now
        level = self._without_refused(level, sent_at)
        self._refused.append((now, sent_at))
        bound = self.evidence.pushed_back(level, sent_at, now)
        if not self.outage:
            dead = self._round_trips >= _ROUND_TRIPS and self.evidence.shows_outage()
            if bound is None and not dead:
                if not (pushback.quota and pushback.retry_after and level < self.bound.value):
                    return True
                # A pace keeps the level steady: so a quota's refusals may come at one level, too.
                self.quotas.refused(pushback, size, sent_at, now, self._chance())
                return False
            if bound and not dead:
                self._cut(bound, now, new_round_trip=new_round_trip)
                return False
            self.outage = True
            self._outage_at = now
            self.window = 1
            self.bound.forget()
        if new_round_trip or not self._pause:
            self._pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, 2 * self._pause))
            pause = self._pause * (_JITTER_FROM + (_JITTER_TO - _JITTER_FROM) * self._chance())
            self.resumes_at = max(self.resumes_at, now + pause)
            if pushback.retry_after:
                self._hold_back(pushback.retry_after, now)
        return False

    def statistics(self, now: float) -> GovernorStats:
        """Return what has been learned."""
        return GovernorStats(
            active=self.active,
            level=self.level,
            starts=self.starts,
            bound=self.bound.value,
            window=self.window,
            pace=self.quotas.pace,
            by_tokens=self.quotas.by_tokens,
            background=self.evidence.background,
            outage=self.outage,
            resumes_in=max(0.0, self.resumes_at - now, self.quotas.wait(now)),
            cause=self._last.cause if self._last else None,
            cause_level=self._last_level,
            ago=now - self._last_at,
        )

    def __repr__(self) -> str:
        return f"<Governor level={self.level} bound={self.bound.value:g} window={self.window:g}>"

    def _below_limits(self, now: float) -> bool:
        return self.level < self.bound.value and (self.starts < self.window or now >= self._sent_at + _HUNG)

    def _without_refused(self, level: int, sent_at: float) -> int:
        """Return a start's level without those that were at the provider only to be pushed back."""
        for heard_at, earlier in reversed(self._refused):
            if heard_at <= sent_at:
                break
            level -= earlier < sent_at
        return level

    def _end_outage(self, now: float) -> None:
        self.outage = False
        self.bound.restore(self._bound_before, self.answering, now)
        self.evidence.forget()

    def _cut(self, bound: int, now: float, *, new_round_trip: bool) -> None:
        if not new_round_trip:
            self.bound.tighten(bound, self.answering, now)
        elif not self.bound.cut(bound, self.answering, now):
            # The pushed back start is among those at the provider still.
            self.window = max(1.0, min(self.window, self.starts + 1) / 2)

    def _hold_back(self, seconds: float, now: float) -> None:
        seconds = min(seconds, _LONGEST_HINT) * (1 + _HINT_JITTER * self._chance())
        self.resumes_at = max(self.resumes_at, now + seconds)

    def _note(self, pushback: Pushback, level: int, now: float) -> None:
        self._activate()
        self._last, self._last_level, self._last_at = pushback, level, now

    def _activate(self) -> None:
        """Begin to learn: with what was accepted before, from which a pace can be guessed."""
        self.active = True
        while self._quiet:
            at, size = self._quiet.popleft()
            self.quotas.accepted(size, at)

    def _forget(self) -> None:
        self.active = self.outage = False
        self.window = math.inf
        self.bound.forget()
        self.evidence.forget()
        self.quotas.forget()
