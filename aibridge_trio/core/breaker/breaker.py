"""The circuit breaker, as one law. Pure: `now` (seconds, monotonic) is passed in, transitions are told.

closed     All are admitted; on the way back from an outage a growing share of them (`ramp`). Failures in
           (now − window, now] that reach the threshold open it.
open       All are refused until the cooldown is over (`cooldown`: as long as is configured, as the provider asks
           for, and longer if it trips again and again); then half-open. Forced open has no end.
half-open  At most `max_probes` probes hold permits, others are refused with a wait of one second. As many
           successes close it, neutrals in between reset nothing; one failure opens it again.

1. Every transition and every override begins a new generation and empties window and probe counts.
2. `ask`, `admit`, `settle` and the timer call `advance` first, so a due cooldown has always been applied.
3. A permit is taken back once. One of an older generation changes nothing, except that a provider's later word, of
   when to come back, may extend a cooldown; it never cuts one short.
4. A probe without a verdict after min(cooldown, 30 s) makes room for another one. It runs on, and its verdict
   counts when it comes: healthy answers may take longer than that.
5. A request that has succeeded may still fail, once, while that generation stands.
6. What may be one caller's own doing counts as `failures` tells; what does not count extends no cooldown either.
7. Forced open refuses without a timer; forced closed admits and counts but never trips; back to automatic leads
   from forced open to half-open, from forced closed to closed and empty. Overrides are no trips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from aibridge_trio.core.breaker.cooldown import Cooldown
from aibridge_trio.core.breaker.failures import Failures
from aibridge_trio.core.breaker.probe_permit import Permit, Ticket
from aibridge_trio.core.breaker.recovery_ramp import Ramp
from aibridge_trio.core.breaker.verdict import Evidence, Verdict

# The longest that a probe may keep others from probing (seconds).
_PROBE_DEADLINE = 30.0
# When a refused probe should come back (seconds): a verdict may free a permit at any moment.
_PROBE_WAIT = 1.0


class State(StrEnum):
    """The three states; `number` is the gauge's value."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"

    @property
    def number(self) -> int:
        """0 closed, 1 open, 2 half-open."""
        return list(State).index(self)


# From well to ill.
SEVERITY = (State.CLOSED, State.HALF_OPEN, State.OPEN)


class Mode(StrEnum):
    """Who rules: the breaker itself, or its operator."""

    AUTO = "auto"
    OPEN = "open"
    CLOSE = "close"


Because = Literal["overload", "failures", "operator", "ramp"]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """The numbers; seconds, but for counts and factors.

    Each trip in a row lengthens the cooldown by `growth`, up to `stretch` times; docs/tuning.md shows why these.
    """

    threshold: int = 5
    window: float = 10.0
    cooldown: float = 30.0
    max_probes: int = 3
    longest_cooldown: float = 300.0
    growth: float = 1.25
    stretch: float = 1.5
    ramp: float = 0.0


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state, told once, in order."""

    source: State
    target: State
    because: str
    trip: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """No: come back after `wait` seconds (None: nobody knows); `because` is what opened it."""

    because: Because
    wait: float | None


@dataclass(frozen=True, slots=True)
class BreakerStats:
    """The breaker at one moment; `since` is when this state began, on the same clock as `now`.

    `in_a_row` are trips without health between them, `share` is what a ramp admits, 1 without one.
    """

    state: State
    mode: Mode
    since: float
    cooldown_left: float | None
    cooldown: float | None
    failures_in_window: int
    probes: int
    trips: int
    in_a_row: int = 0
    share: float = 1.0


class Breaker:
    """One breaker; `listen` is told each transition as it happens, `chance` gives a number in [0, 1)."""

    def __init__(
        self,
        policy: BreakerPolicy,
        listen: Callable[[Transition], None],
        now: float = 0.0,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._policy = policy
        self._chance = chance
        self._listen = listen
        self._state = State.CLOSED
        self._mode = Mode.AUTO
        self._since = now
        self._generation = 0
        self.failures = Failures(policy.window, policy.threshold)
        self._opened_by: Literal["overload", "failures"] = "failures"
        self._until = math.inf
        self._cooldown = Cooldown(policy.cooldown, policy.longest_cooldown, policy.growth, policy.stretch, chance)
        self._ramp = Ramp(policy.ramp)
        self._probes: dict[Permit, float] = {}
        self._successes = 0
        self._trips = 0

    def ask(self, now: float, caller: Hashable | None = None) -> Ticket | Refusal:
        """Say no to a request that is not whole yet, or give what `admit` takes later. A ticket holds nothing."""
        refusal = self.refuse(now, caller) or self._full(now, caller) or self._ramp_refusal(now)
        return refusal or Ticket(self._generation)

    def admit(self, now: float, caller: Hashable | None = None, ticket: Ticket | None = None) -> Permit | Refusal:
        """Give a permit or say no. Who had its share of a ramp with its ticket needs no second one."""
        if refusal := self.refuse(now, caller) or self._full(now, caller):
            return refusal
        if ticket != Ticket(self._generation) and (refusal := self._ramp_refusal(now)):
            return refusal
        permit = Permit(self._generation, caller, now)
        if self._state is State.HALF_OPEN:
            self._probes[permit] = now + min(self._policy.cooldown, _PROBE_DEADLINE)
        return permit

    def refuse(self, now: float, caller: Hashable | None = None) -> Refusal | None:
        """Ask on behalf of a request that holds no permit: refused only while open."""
        self.advance(now)
        if self._state is not State.OPEN:
            return None
        forced = self._mode is Mode.OPEN
        return self._no(
            now, caller, "operator" if forced else self._opened_by, None if forced else self._until - now
        )

    def settle(self, permit: Permit, evidence: Evidence, now: float, told: float | None = None) -> None:
        """Take a permit back with what its request has shown, or hear of its later failure.

        `told` is for how many seconds more the provider wants to be left alone, if it has said so.
        """
        self.advance(now)
        failed = evidence.verdict is Verdict.FAILURE
        if permit.returned and not (permit.may_relapse and failed):
            return
        permit.may_relapse = not permit.returned and evidence.verdict is Verdict.SUCCESS
        permit.returned = True
        if permit.may_relapse and permit.caller is not None:
            self.failures.answered(permit.caller, now, max(0.0, now - permit.since))
        word = self._cooldown.word(told, now) if failed else -math.inf
        own = permit.caller if evidence.own else None
        if permit.generation != self._generation:
            if self.failures.blames(own, now):
                self._until = max(self._until, word)  # where there is no cooldown, it is infinite
            return
        self._probes.pop(permit, None)
        if failed:
            self._fail(evidence, word, own, now)
        elif evidence.verdict is Verdict.SUCCESS and self._state is State.HALF_OPEN:
            self._successes += 1
            if self._successes >= self._policy.max_probes:
                self._become(State.CLOSED, f"{self._successes} of {self._policy.max_probes} probes succeeded", now)
                self._ramp.begin(now)

    def advance(self, now: float) -> None:
        """Apply what has fallen due: the end of a cooldown, probes without a verdict."""
        if self._state is State.OPEN and now >= self._until:
            self._become(State.HALF_OPEN, "cooldown over", now)
        for permit in [probe for probe, due in self._probes.items() if due <= now]:
            del self._probes[permit]

    def next_due(self) -> float:
        """Return when `advance` has something to do next, infinity if nothing is pending."""
        return min([self._until, *self._probes.values()]) if self._probes else self._until

    def override(self, mode: Mode, now: float) -> None:
        """Let the operator rule, or the breaker itself again; the mode that it has changes nothing."""
        self.advance(now)
        if mode is self._mode:
            return
        self._mode, before = mode, self._mode
        self._cooldown.forget()
        self._ramp.stop()
        if mode is Mode.OPEN:
            self._become(State.OPEN, "operator: open", now)
        elif mode is Mode.CLOSE:
            self._become(State.CLOSED, "operator: close", now)
        else:
            self._become(State.HALF_OPEN if before is Mode.OPEN else State.CLOSED, "operator: auto", now)

    def statistics(self, now: float) -> BreakerStats:
        """Return the breaker as it is at `now`."""
        self.advance(now)
        return BreakerStats(
            state=self._state,
            mode=self._mode,
            since=self._since,
            cooldown_left=self._until - now if self._until < math.inf else None,
            cooldown=self._until - self._since if self._until < math.inf else None,
            failures_in_window=self.failures.count(now),
            probes=len(self._probes),
            trips=self._trips,
            in_a_row=self._cooldown.in_a_row(self._healthy(now)),
            share=self._ramp.share(now),
        )

    def __repr__(self) -> str:
        return f"<Breaker {self._state} mode={self._mode} generation={self._generation}>"

    def _full(self, now: float, caller: Hashable | None) -> Refusal | None:
        full = self._state is State.HALF_OPEN and len(self._probes) >= self._policy.max_probes
        return self._no(now, caller, self._opened_by, _PROBE_WAIT) if full else None

    def _no(self, now: float, caller: Hashable | None, because: Because, wait: float | None) -> Refusal:
        if caller is not None:
            self.failures.refused(caller, now, wait)
        return Refusal(because, wait)

    def _ramp_refusal(self, now: float) -> Refusal | None:
        if self._state is not State.CLOSED or self._ramp.admit(now):
            return None
        # Somewhere in what is left of it, so that they do not all come at its end.
        return Refusal("ramp", max(_PROBE_WAIT, self._ramp.left(now) * self._chance()))

    def _fail(self, evidence: Evidence, word: float, own: Hashable | None, now: float) -> None:
        self.failures.add(now, word, own)
        if self._state is State.HALF_OPEN:
            if self.failures.blames(own, now):
                self._trip(f"a probe failed: {evidence.cause}", evidence, word, now)
            return
        count = self.failures.count(now)
        if count >= self._policy.threshold and self._mode is Mode.AUTO:
            plural = "failure" if count == 1 else "failures"
            because = f"{count} {plural} in {self._policy.window:g} s, last {evidence.cause}"
            self._trip(because, evidence, self.failures.highest(now), now)

    def _trip(self, because: str, evidence: Evidence, word: float, now: float) -> None:
        self._trips += 1
        self._opened_by = "overload" if evidence.overload else "failures"
        until = self._cooldown.begin(self._healthy(now), word, now)
        in_a_row = self._cooldown.in_a_row(0.0)
        if until == word:
            because += f"; it asks for {until - now:.3g} s"
        elif in_a_row > 1 and until > now + self._policy.cooldown:
            because += f"; trip {in_a_row} in a row, for {until - now:.3g} s"
        self._ramp.stop()
        self._become(State.OPEN, because, now, until=until)

    def _healthy(self, now: float) -> float:
        return now - self._since if self._state is State.CLOSED else 0.0

    def _become(self, state: State, because: str, now: float, until: float = math.inf) -> None:
        source, self._state = self._state, state
        self._until = until
        self._generation += 1
        self.failures.clear(closed=state is State.CLOSED)
        self._probes.clear()
        self._successes = 0
        if state is not source:
            self._since = now
            self._listen(Transition(source, state, because, trip=until < math.inf))
