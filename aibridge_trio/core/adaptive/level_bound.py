"""How many requests may be at a provider: fewer than were pushed back, and now and then one more.

1. Without a pushback there is no bound.
2. A pushback that depends on load sets the bound below its level, but never below the number of answers that have
   begun: those are proof of capacity.
3. After a pause the bound rises by one: a probe. If the probe is accepted the bound rises by growing steps. If it
   is pushed back, the next pause is twice as long, up to the longest.
4. If a level above the bound is accepted soon after a cut, the cut was a mistake and is undone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from aibridge_trio.core.snapshots import Saved, restore, save

# Seconds before the first probe after a cut, and at most between probes; but where answers begin rarely, at most
# one failed probe for so many of them, up to another longest pause.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 8.0
_ANSWERS_PER_PROBE, _LONGEST_RARE_PAUSE = 20, 90.0
# How fast the mean time between answers follows.
_FOLLOW = 0.1
# A pause is between these times as long, at random: bridges must not probe together.
_JITTER_FROM, _JITTER_TO = 0.8, 1.2
# The share of the bound by which it rises at most at once.
_LARGEST_STEP = 0.25
# A cut may be undone for so many seconds.
_UNDO = 4.0
# What survives a restart.
_NUMBERS = ("value", "_pause", "_probing", "_step", "_before_cut", "_interval")
_TIMES = ("probe_at", "_raised_at", "_cut_at")


class LevelBound:
    """The learned bound of one provider's level; `chance` returns random numbers, 0 to 1."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self.value = math.inf
        self.probe_at = math.inf
        self._chance = chance
        self._pause = _FIRST_PAUSE
        self._probing = False
        self._raised_at = 0.0
        self._step = 1
        self._cut_at = -math.inf
        self._before_cut = math.inf
        self._interval = 0.0  # between starts that are accepted, the mean (seconds)
        self._accepted_at: float | None = None

    def advance(self, answering: int, now: float) -> None:
        """Raise the bound for a probe, if one is due."""
        if now >= self.probe_at:
            self.value = max(self.value, answering) + 1
            self.probe_at = math.inf
            self._probing, self._raised_at, self._step = True, now, 1

    def cut(self, bound: int, answering: int, now: float) -> bool:
        """Lower the bound after a pushback; return whether that was the pushback of a probe."""
        failed_probe = self._probing and bound + 1 >= self.value
        if self._cut_at < now - _UNDO:
            self._before_cut = self.value - 1 if failed_probe else self.value
        self._cut_at = now
        if failed_probe:
            rare = min(_LONGEST_RARE_PAUSE, _ANSWERS_PER_PROBE * self._interval)
            self._pause = min(max(_LONGEST_PAUSE, rare), self._pause * 2)
        elif self.value == math.inf:
            self._pause = _FIRST_PAUSE
        self._schedule(now)
        self.tighten(bound, answering, now)
        return failed_probe

    def tighten(self, bound: int, answering: int, now: float) -> None:
        """Lower the bound further, after a pushback of the same round trip as the cut."""
        self.value = max(answering, min(self.value, bound))
        self._probing = False
        if self.probe_at == math.inf:
            self._schedule(now)

    def accepted(self, level: int, sent_at: float, now: float) -> None:
        """Raise the bound if a probe was accepted, or undo a cut that an accepted start shows to be a mistake."""
        if self._accepted_at is not None:
            self._interval += (now - self._accepted_at - self._interval) * _FOLLOW
        self._accepted_at = now
        if self.value == math.inf or level < self.value:
            return
        if level > self.value and self._cut_at > now - _UNDO and sent_at >= self._cut_at:
            self._undo(now)
        elif self._probing and sent_at >= self._raised_at:
            self._pause = _FIRST_PAUSE
            self.value += self._step
            self._step = min(self._step * 2, max(1, int(self.value * _LARGEST_STEP)))
            self._raised_at = now
            self.probe_at = math.inf

    def restore(self, value: float, answering: int, now: float) -> None:
        """Set the bound to what it was before an outage; the first probe is due soon."""
        self.forget()
        if value < math.inf:
            self.value = max(value, answering)
            self._schedule(now)

    def snapshot(self, now: float) -> Saved:
        """Return the bound for a restart."""
        return save(self, _NUMBERS, _TIMES, now)

    def restore_snapshot(self, saved: object, at: float) -> None:
        """Take over a bound that was saved at a time; raises ValueError for what is no snapshot."""
        restore(self, saved, _NUMBERS, _TIMES, at)

    def forget(self) -> None:
        """Remove the bound."""
        self.value = self.probe_at = math.inf
        self._pause = _FIRST_PAUSE
        self._probing = False

    def __repr__(self) -> str:
        return f"<LevelBound {self.value:g}>"

    def _schedule(self, now: float) -> None:
        self.probe_at = now + self._pause * (_JITTER_FROM + (_JITTER_TO - _JITTER_FROM) * self._chance())

    def _undo(self, now: float) -> None:
        self.value = max(self.value, self._before_cut)
        self._cut_at = -math.inf
        self._probing = False
        self._pause = _FIRST_PAUSE
        self.probe_at = math.inf
        if self.value < math.inf:
            self._schedule(now)
