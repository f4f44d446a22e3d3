"""The circuit breaker. Pure: `now` (seconds, monotonic) is a parameter, transitions are reported to a callback.

closed     All requests are admitted; after an outage, a growing share of them (`ramp`). Failures in
           (now − window, now] that reach the threshold trip it; with `failure_share` they must also be this share
           of the calls judged in the window.
open       All requests are refused until the cooldown ends (`cooldown`: the configured time, longer if the
           provider asks for more or after trips in a row); then half-open. Forced open does not end by itself.
half-open  At most `max_probes` probes hold permits; other requests are refused with a wait of one second. As many
           successes close it, neutral ones in between change nothing; one failure trips it.

1. Every transition and every override begins a new generation, which clears the window and the probe counts.
2. `issue_ticket`, `admit`, `settle` and the timer call `advance` first, which ends a cooldown that is due.
3. A permit is settled once. A permit of an older generation changes nothing, except that a later retry hint of its
   provider can extend a cooldown; no hint shortens one.
4. After min(cooldown, 30 s) a probe without a verdict frees its permit for another probe. It goes on, and its
   verdict still counts: healthy answers may take longer than that.
5. A request that has succeeded can still fail, once, within the same generation.
6. `failures` decides whether a caller-related failure counts; one that does not count extends no cooldown either.
7. Forced open refuses all requests, without a timer; forced closed admits all and counts failures, but never
   trips. Back to automatic, forced open becomes half-open, and forced closed becomes closed with an empty window.
   Overrides are not trips.
8. A restored breaker goes on where it was saved, as if it had run on without requests. Failures in the window,
   probes and overrides are not saved.

docs/breaker.md has these states and transitions as a diagram.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Literal

from aibridge_trio.core.breaker.cooldown import Cooldown
from aibridge_trio.core.breaker.failures import Failures
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import PROBE_DEADLINE, Permit, Ticket
from aibridge_trio.core.breaker.recovery_ramp import Ramp
from aibridge_trio.core.breaker.state import SEVERITY, BreakerStats, Mode, Refusal, State, Transition
from aibridge_trio.core.breaker.verdict import Evidence, Verdict
from aibridge_trio.core.snapshots import Saved, number
from aibridge_trio.errors import OpenCause

__all__ = ["SEVERITY", "Breaker", "BreakerStats", "Mode", "Refusal", "State", "Transition"]

# The wait of a request that finds all permits of probes taken (seconds): a verdict may free one at any moment.
PROBE_WAIT = 1.0
# Why a breaker is half-open after its cooldown.
COOLDOWN_OVER = "cooldown over"
_CLOSED = State.CLOSED


class Breaker:
    """One breaker; `on_transition` gets each change of state, in order; `chance` is random in [0, 1).

    While its `state` is closed nothing is due.
    """

    def __init__(
        self,
        policy: BreakerPolicy,
        on_transition: Callable[[Transition], None],
        now: float = 0.0,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._policy = policy
        self._chance = chance
        self._on_transition = on_transition
        self.state = State.CLOSED
        self._mode = Mode.AUTO
        self._since = now
        self._generation = Ticket(0)
        self.failures = Failures(policy.window, policy.threshold, policy.failure_share)
        self._opened_by: Literal["overload", "failures"] = "failures"
        self._until = math.inf
        self._cooldown = Cooldown(policy.cooldown, policy.longest_cooldown, policy.growth, policy.stretch, chance)
        self._ramp = Ramp(policy.ramp)
        self._probes: dict[Permit, float] = {}
        self._successes = 0
        self._trips = 0

    def apply(self, policy: BreakerPolicy, now: float) -> None:
        """Use this policy from now on. State, mode, permits and the present cooldown stay."""
        self.advance(now)
        self._policy = policy
        self.failures.apply(policy.window, policy.threshold, policy.failure_share)
        self._cooldown.apply(policy.cooldown, policy.longest_cooldown, policy.growth, policy.stretch)
        self._ramp.apply(policy.ramp, now)

    def issue_ticket(self, now: float, caller: Hashable | None = None) -> Ticket | Refusal:
        """Admit a request whose body is still being read, or refuse it. A ticket takes no probe's permit."""
        if self.state is _CLOSED and now >= self._ramp.ends:  # as it nearly always is
            return self._generation
        refusal = self.refusal(now, caller) or self._probes_taken(now, caller) or self._ramp_refusal(now)
        return refusal or self._generation

    def admit(self, now: float, caller: Hashable | None = None, ticket: Ticket | None = None) -> Permit | Refusal:
        """Issue a permit, or refuse. The ramp does not apply again to a ticket of this generation."""
        if self.state is not _CLOSED and (refusal := self.refusal(now, caller) or self._probes_taken(now, caller)):
            return refusal
        if ticket != self._generation and (refusal := self._ramp_refusal(now)):
            return refusal
        permit = Permit(self._generation, caller, now)
        if self.state is State.HALF_OPEN:
            self._probes[permit] = now + min(self._policy.cooldown, PROBE_DEADLINE)
        return permit

    def refusal(self, now: float, caller: Hashable | None = None) -> Refusal | None:
        """Refuse a request if the breaker is open, else None. Not a query: `Failures` counts the refusal."""
        self.advance(now)
        if self.state is not State.OPEN:
            return None
        if self._mode is Mode.OPEN:
            return self._refuse(now, caller, "operator", None)
        return self._refuse(now, caller, self._opened_by, self._until - now)

    def settle(self, permit: Permit, evidence: Evidence, now: float, retry_after: float | None = None) -> None:
        """Take a permit back with its evidence; or, after a success, apply a later failure.

        `retry_after` is the provider's retry hint in seconds from now, None without one.
        """
        if self.state is not _CLOSED or self._probes:
            self.advance(now)
        failed = evidence.verdict is Verdict.FAILURE
        succeeded_at = permit.succeeded_at
        if permit.returned and not (failed and succeeded_at is not None):
            return
        succeeded = evidence.verdict is Verdict.SUCCESS
        permit.succeeded_at = now if succeeded else None
        permit.returned = True
        if succeeded and permit.caller is not None:
            self.failures.succeeded(permit.caller, now, now - permit.since if permit.since < now else 0.0)
        retry_at = self._cooldown.retry_at(retry_after, now) if failed else -math.inf
        caller = permit.caller if evidence.caller_related else None
        if permit.generation != self._generation:
            if self.failures.counts(caller, now):
                self._until = max(self._until, retry_at)  # infinite without a cooldown
            return
        if self._probes:
            self._probes.pop(permit, None)
        if failed:
            self.failures.add(now, retry_at, caller, succeeded_at)
            self._fail(evidence, retry_at, caller, now)
        elif succeeded:
            self.failures.add_success(now)
            if self.state is not _CLOSED:
                self._succeed(now)

    def advance(self, now: float) -> None:
        """Apply what is due: the end of a cooldown, deadlines of probes."""
        if self.state is State.OPEN and now >= self._until:
            self._enter(State.HALF_OPEN, COOLDOWN_OVER, now)
        if self._probes:
            for permit in [probe for probe, due in self._probes.items() if due <= now]:
                del self._probes[permit]

    def next_due(self) -> float:
        """Return when `advance` next has something to do; infinity if nothing is pending."""
        return min([self._until, *self._probes.values()]) if self._probes else self._until

    def override(self, mode: Mode, now: float, *, ended: bool = False) -> None:
        """Set the mode; setting the present one changes nothing. `ended`: an override is over by itself."""
        self.advance(now)
        if mode is self._mode:
            return
        self._mode, before = mode, self._mode
        self._cooldown.reset()
        self._ramp.stop()
        if mode is Mode.OPEN:
            self._enter(State.OPEN, "operator: open", now)
        elif mode is Mode.CLOSE:
            self._enter(State.CLOSED, "operator: close", now)
        else:
            because = "the operator's override is over" if ended else "operator: auto"
            self._enter(State.HALF_OPEN if before is Mode.OPEN else State.CLOSED, because, now)

    def snapshot(self, now: float) -> Saved:
        """Return what must survive a restart, as JSON types; times are in seconds before (after) `now`."""
        self.advance(now)
        forced = {Mode.OPEN: State.HALF_OPEN, Mode.CLOSE: State.CLOSED}  # what `auto` would lead to
        return {
            "state": str(forced.get(self._mode, self.state)),
            "age": now - self._since,
            "left": self._until - now if self._until < math.inf else 0.0,
            "overload": self._opened_by == "overload",
            "trips_in_a_row": self._cooldown.in_a_row(0.0),
            "successes": self._successes,
            "ramp": self._ramp.snapshot(now),
        }

    def restore(self, saved: Saved, now: float, elapsed: float) -> None:
        """Take over what a new breaker saved `elapsed` seconds ago; raises ValueError for what is no snapshot."""
        at = now - elapsed
        state, age, left = State(str(saved.get("state"))), number(saved, "age"), number(saved, "left")
        self._cooldown.restore(int(number(saved, "trips_in_a_row")))
        self._ramp.restore(saved.get("ramp"), at)
        self._successes = int(number(saved, "successes"))
        self._opened_by = "overload" if saved.get("overload") is True else "failures"
        longest = max(self._policy.cooldown, self._policy.longest_cooldown)
        self._until = at + min(left, longest) if state is State.OPEN else math.inf
        self.state, self._since = state, at - age
        if state is not State.CLOSED:
            self._on_transition(Transition(State.CLOSED, state, "as before the restart", trip=False))
        self.advance(now)

    def statistics(self, now: float) -> BreakerStats:
        """Return the breaker's state at `now`."""
        self.advance(now)
        return BreakerStats(
            state=self.state,
            mode=self._mode,
            since=self._since,
            cooldown_left=self._until - now if self._until < math.inf else None,
            cooldown=self._until - self._since if self._until < math.inf else None,
            failures_in_window=self.failures.total(now),
            probes=len(self._probes),
            trips=self._trips,
            in_a_row=self._cooldown.in_a_row(self._healthy(now)),
            share=self._ramp.share(now),
            failure_share=self.failures.share(now),
        )

    def __repr__(self) -> str:
        return f"<Breaker {self.state} mode={self._mode} generation={self._generation}>"

    def _probes_taken(self, now: float, caller: Hashable | None) -> Refusal | None:
        taken = self.state is State.HALF_OPEN and len(self._probes) >= self._policy.max_probes
        return self._refuse(now, caller, self._opened_by, PROBE_WAIT) if taken else None

    def _refuse(self, now: float, caller: Hashable | None, because: OpenCause, wait: float | None) -> Refusal:
        if caller is not None:
            self.failures.refused(caller, now, wait)
        return Refusal(because, wait)

    def _ramp_refusal(self, now: float) -> Refusal | None:
        if self.state is not State.CLOSED or self._ramp.admit(now):
            return None
        # A random part of the rest of the ramp, so that refused callers do not all come back at its end.
        return Refusal("ramp", max(PROBE_WAIT, self._ramp.remaining(now) * self._chance()))

    def _succeed(self, now: float) -> None:
        if self.state is not State.HALF_OPEN:
            return
        self._successes += 1
        self._close_after_probes(now)

    def _close_after_probes(self, now: float) -> None:
        if self._successes >= self._policy.max_probes:
            self._enter(State.CLOSED, f"{self._successes} of {self._policy.max_probes} probes succeeded", now)
            self._ramp.begin(now)

    def _fail(self, evidence: Evidence, retry_at: float, caller: Hashable | None, now: float) -> None:
        if self.state is State.HALF_OPEN:
            if self.failures.counts(caller, now):
                self._trip(f"a probe failed: {evidence.cause}", evidence, retry_at, now)
            return
        self._judge(evidence, now)

    def _judge(self, evidence: Evidence, now: float) -> None:
        if self._mode is Mode.AUTO and self.failures.enough(now):
            because = f"{self.failures.described(now)}, last {evidence.cause}"
            self._trip(because, evidence, self.failures.latest_retry_at(now), now)

    def _trip(self, because: str, evidence: Evidence, retry_at: float, now: float) -> None:
        self._trips += 1
        self._opened_by = "overload" if evidence.overload else "failures"
        until = self._cooldown.begin(self._healthy(now), retry_at, now)
        in_a_row = self._cooldown.in_a_row(0.0)
        if until == retry_at:
            because += f"; it asks for {until - now:.3g} s"
        elif in_a_row > 1 and until > now + self._policy.cooldown:
            because += f"; trip {in_a_row} in a row, for {until - now:.3g} s"
        self._ramp.stop()
        self._enter(State.OPEN, because, now, until=until)

    def _healthy(self, now: float) -> float:
        return now - self._since if self.state is State.CLOSED else 0.0

    def _enter(self, state: State, because: str, now: float, until: float = math.inf) -> None:
        source, self.state = self.state, state
        self._until = until
        self._generation = Ticket(self._generation + 1)
        self.failures.clear(closed=state is State.CLOSED)
        self._probes.clear()
        self._successes = 0
        if state is not source:
            self._since = now
            self._on_transition(Transition(source, state, because, trip=until < math.inf))
