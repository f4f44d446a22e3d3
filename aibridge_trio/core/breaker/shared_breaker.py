"""A breaker whose state is that of all replicas: the rules of breaker.py, and these. Pure, too.

1. Each transition and each override here is a change that others must learn of: the store takes it if it has the
   `version` that this replica knows. The end of a cooldown is none: each replica's timer ends at the same time.
2. A newer version is adopted (`heard`), with its end of the cooldown, its trips in a row, its mode and its ramp.
   One that is not newer changes nothing, unless it was set more than a second after the last change here: then the
   store has lost its content, and counts versions from 1 again. What the store has in place of a change that it
   refused is adopted if it is newer, or if no newer version came since that change was sent.
3. A change that the store has not taken stands against a newer version only if it is a later override by the
   operator; or if both know the same override, it is a later trip, and the other one is not open. Otherwise it is
   dropped: an open breaker is not closed by what was learned before it opened, and an override wins.
4. In half-open each probe needs a right (`lacks_right`): the store gives `max_probes` of them for each trip, over
   all replicas. Successes are counted over all, too; one failure trips the breaker for all.
5. While the store is away (`alone`) the breaker works as one by itself; others learn of its last
   change when the store is back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from aibridge_trio.core.breaker.breaker import COOLDOWN_OVER, PROBE_WAIT, Breaker
from aibridge_trio.core.breaker.common_failures import CommonFailures
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.shared_state import SharedState, read
from aibridge_trio.core.breaker.state import Mode, Refusal, State, Transition
from aibridge_trio.core.breaker.verdict import Evidence, Verdict
from aibridge_trio.core.snapshots import Saved

_ELSEWHERE = ", seen by another replica"
# A change of the end of a cooldown that others need not know (seconds).
_SLIGHT = 0.1
# A version below the known one is newer all the same if it was set so much later (seconds): the store began anew.
_ANEW = 1.0


class SharedBreaker(Breaker):
    """One breaker of all replicas. `name` is that of this process among them: no two have the same."""

    failures: CommonFailures

    def __init__(
        self,
        policy: BreakerPolicy,
        on_transition: Callable[[Transition], None],
        now: float,
        chance: Callable[[], float],
        name: str,
    ) -> None:
        self._adopting = False
        super().__init__(policy, lambda change: on_transition(self._marked(change)), now, chance)
        self.failures = CommonFailures(policy.window, policy.threshold, policy.failure_share)
        self.version = 0
        self.untold = False  # whether there is a change that the store has not taken
        self.unsent_successes = 0
        self._name = name
        self._numbers = count(1)
        self._change = ""
        self._because = ""
        self._changed_at = -math.inf
        self._override: tuple[str, float] | None = None  # its id, and when it was
        self._extended = False
        self._last = Evidence(Verdict.FAILURE, "seen by another replica")

    @property
    def alone(self) -> bool:
        """Whether the store is away."""
        return self.failures.alone

    @alone.setter
    def alone(self, alone: bool) -> None:
        self.failures.alone = alone

    @property
    def change(self) -> str:
        """The id of the last change; the same in all replicas that agree, "" before the first."""
        return self._change

    # What others learn

    def shared(self, now: float) -> SharedState:
        """Return the state to tell."""
        self.advance(now)
        left = self._until - now if self.state is State.OPEN and self._mode is Mode.AUTO else None
        return SharedState(
            change=self._change,
            state=self.state,
            mode=self._mode,
            left=left,
            overload=self._opened_by == "overload",
            in_a_row=self._cooldown.in_a_row(0.0),
            ramp=self._ramp.remaining(now),
            because=self._because,
            override=(self._override[0], max(0.0, now - self._override[1])) if self._override else None,
        )

    def taken(self, change: str, version: int) -> None:
        """Note that the store has taken a change, which is this version."""
        self.version = version
        if change == self._change:
            self.untold = self._extended = False

    def rejoined(self) -> None:
        """Note that the store is back: it may have forgotten what it knew, or have learned something else."""
        self.untold = self.untold or bool(self._change)

    # What others tell

    def heard(self, version: int, value: object, age: float, now: float, *, refused: int | None = None) -> None:
        """Take what the store has, set `age` seconds ago.

        `refused`: it has that in place of our change, which was sent as one of this version. What is no state of a
        breaker changes nothing.
        """
        self.advance(now)
        at = now - age
        anew = at > self._changed_at + _ANEW if refused is None else refused == self.version
        if version <= self.version and not anew:
            return
        self.version = version
        try:
            found = read(value)
        except ValueError:
            return
        if found.change == self._change:
            self.untold = self._extended
        elif not (self.untold and self._stands_against(found, at)):
            self._adopt(found, at, now)

    def told(self, sums: object, epoch: int, now: float) -> None:
        """Take what all replicas have counted in the window; they may be enough to open the breaker."""
        self.advance(now)
        if self.failures.told(sums, epoch, now) or self.alone:
            self.judge(now)

    def judge(self, now: float) -> None:
        """Open the breaker if it is closed and the failures in the window are enough."""
        if self.state is State.CLOSED:
            self._judge(self._last, now)

    def told_successes(self, total: float, change: str, now: float) -> None:
        """Take how many probes have succeeded since a change, over all replicas."""
        self.advance(now)
        if self.state is State.HALF_OPEN and change == self._change and total >= self._successes:
            self._successes = int(min(total, self._policy.max_probes))
            self._close_after_probes(now)

    # Probes

    def needs_right(self, now: float) -> bool:
        """Return whether a request that comes now needs the right to a probe."""
        self.advance(now)
        return self.state is State.HALF_OPEN and not self.alone

    def lacks_right(self, right: str | None, now: float) -> Refusal | None:
        """Refuse a request that would be a probe without a right; `right` is the change that it has one for."""
        if self.needs_right(now) and right != self._change:
            return Refusal(self._opened_by, PROBE_WAIT)
        return None

    @property
    def max_probes(self) -> int:
        """How many probes there may be at the same time, over all replicas."""
        return self._policy.max_probes

    def is_probe(self, permit: Permit) -> bool:
        """Return whether a permit is one of a probe that is still waited for."""
        return permit in self._probes

    # The rules of breaker.py

    def settle(self, permit: Permit, evidence: Evidence, now: float, retry_after: float | None = None) -> None:
        """Take a permit back with its evidence."""
        self.advance(now)
        before, until = self._generation, self._until
        if evidence.verdict is Verdict.FAILURE:
            self._last = evidence
        super().settle(permit, evidence, now, retry_after)
        if before == self._generation and until + _SLIGHT < self._until < math.inf:
            self._extended = True
            self._note(self._because, now)

    def restore(self, saved: Saved, now: float, elapsed: float) -> None:
        """Take over what a breaker saved before a restart, unless others know something newer."""
        super().restore(saved, now, elapsed)
        if self.state is not State.CLOSED:
            self._note("as before the restart", self._since)

    def override(self, mode: Mode, now: float, *, ended: bool = False) -> None:
        """Set the mode, for all replicas. `ended`: an override is over by itself."""
        if mode is not self._mode:
            self._override = self._new_id(), now
        super().override(mode, now, ended=ended)

    def _succeed(self, now: float) -> None:
        self.unsent_successes += self.state is State.HALF_OPEN
        super()._succeed(now)

    def _enter(self, state: State, because: str, now: float, until: float = math.inf) -> None:
        super()._enter(state, because, now, until)
        self.unsent_successes = 0
        self._extended = False
        if because != COOLDOWN_OVER and not self._adopting:
            self._note(because, now)

    def _note(self, because: str, now: float) -> None:
        self._change, self._because, self._changed_at = self._new_id(), because, now
        self.untold = True

    def _new_id(self) -> str:
        return f"{self._name}-{next(self._numbers)}"

    def _stands_against(self, other: SharedState, at: float) -> bool:
        mine, theirs = self._override, other.override
        if (mine and mine[0]) != (theirs and theirs[0]):
            return (mine[1] if mine else -math.inf) > (at - theirs[1] if theirs else -math.inf)
        return self.state is State.OPEN and other.state is not State.OPEN and self._changed_at > at

    def _adopt(self, other: SharedState, at: float, now: float) -> None:
        longest = max(self._policy.cooldown, self._policy.longest_cooldown)
        until = math.inf if other.left is None or other.state is not State.OPEN else at + min(other.left, longest)
        still_open = other.state is self.state is State.OPEN and other.mode is self._mode
        extended = self._extended and still_open and self._until > until + _SLIGHT
        self._change, self._because, self._changed_at = other.change, other.because, at
        self._override = (other.override[0], at - other.override[1]) if other.override else None
        self._mode = other.mode
        self._opened_by = "overload" if other.overload else "failures"
        self._cooldown.restore(other.in_a_row)
        self._ramp.stop()
        self.untold = extended
        if extended:
            self._note(other.because, now)
        elif still_open:
            self._until = until
        else:
            self._adopting = True
            try:
                self._enter(other.state, other.because.removesuffix(_ELSEWHERE) + _ELSEWHERE, now, until)
            finally:
                self._adopting = False
            self._since = min(now, at)
            if other.state is State.CLOSED and other.ramp:
                self._ramp.resume(at + other.ramp, now)
        self.advance(now)

    def _marked(self, change: Transition) -> Transition:
        """Count a trip where it happened, not where it was adopted."""
        return replace(change, trip=False) if self._adopting else change
