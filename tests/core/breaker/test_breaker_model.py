"""The breaker against a naive model: lists of facts with their times, counted from scratch on every question.

The model keeps *eras* (what the breaker calls generations): when each began, in which state, and what was said
in it. It has no counters, no window and no table of probes; whatever is asked is counted from the facts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import count, pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aibridge_trio.core.breaker.breaker import Breaker, Mode, Refusal, State, Transition
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence, Verdict

EVIDENCE = {
    Verdict.SUCCESS: SUCCESS,
    Verdict.NEUTRAL: NEUTRAL,
    Verdict.FAILURE: Evidence(Verdict.FAILURE, "503", overload=True),
}


OWN = EVIDENCE[Verdict.FAILURE]._replace(caller_related=True)
CALLERS = st.sampled_from([None, "a", "b", "c"])
# With a failure share, what leaves the window leaves it in slices of this part.
SLICE = 1 / 64
_NUMBERS = count()


@dataclass
class Said:
    """One verdict that one request gave, and when; `own` is the caller whose own doing it may be."""

    at: float
    verdict: Verdict
    retry_after: float | None = None
    own: str | None = None
    number: int = field(default_factory=_NUMBERS.__next__)


@dataclass(eq=False)
class Call:
    """One admitted request and all that it ever said; `deadline` is infinite for one that is no probe."""

    admitted: float
    deadline: float
    caller: str | None = None
    said: list[Said] = field(default_factory=list)

    def votes(self) -> list[Said]:
        """What of it counts: its first word, however late; after a success its first failure, too."""
        first, rest = self.said[:1], self.said[1:]
        if not first or first[0].verdict is not Verdict.SUCCESS:
            return first
        return first + [word for word in rest if word.verdict is Verdict.FAILURE][:1]

    def holds(self, now: float) -> bool:
        """Whether it still has its permit."""
        return not self.said and now < self.deadline


@dataclass
class Era:
    """A stretch between two transitions or overrides."""

    state: State
    began: float
    ends: float = math.inf
    calls: list[Call] = field(default_factory=list)
    trip: bool = False
    overridden: bool = False
    recovered: bool = False
    asked: list[float] = field(default_factory=list)  # when it was closed and asked for a permit

    def failures(self, since: float) -> list[Said]:
        """The failures in this era since then, in order."""
        said = [word for call in self.calls for word in call.votes() if word.verdict is Verdict.FAILURE]
        return sorted((word for word in said if word.at > since), key=lambda word: word.number)

    def successes(self) -> list[float]:
        """When calls in this era had their success, without those that failed after it."""
        votes = [call.votes() for call in self.calls]
        return [first.at for first, *rest in filter(None, votes) if first.verdict is Verdict.SUCCESS and not rest]

    def times(self, verdict: Verdict) -> list[float]:
        """When this verdict was given in this era."""
        return [word.at for call in self.calls for word in call.votes() if word.verdict is verdict]


class Model:
    """The contract's rules, in the plainest code."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self.mode = Mode.AUTO
        self.eras = [Era(State.CLOSED, 0.0)]
        self.overrides: set[int] = set()  # which eras an operator began
        self.refused: list[tuple[float, str]] = []  # each refused caller, and when it may come back

    @property
    def era(self) -> Era:
        return self.eras[-1]

    def transitions(self) -> list[tuple[State, State, bool]]:
        """All changes of state so far, and whether each was a trip."""
        return [
            (old.state, new.state, new.state is State.OPEN and index not in self.overrides)
            for index, (old, new) in enumerate(zip(self.eras, self.eras[1:], strict=False), start=1)
            if old.state is not new.state
        ]

    def look(self, now: float) -> None:
        """Notice the end of a cooldown."""
        if now >= self.era.ends:
            self.begin(Era(State.HALF_OPEN, now))

    def begin(self, era: Era) -> None:
        """End the last era; its probes have no deadline any more."""
        for call in self.era.calls:
            if call.holds(era.began):
                call.deadline = math.inf
        self.eras.append(era)
        if era.state is State.CLOSED:
            self.refused.clear()

    def length(self, now: float) -> float:
        """How long a trip now would keep it open: counted over all trips since the last override."""
        in_a_row, length = 0, self.policy.cooldown
        eras = [*self.eras, Era(State.OPEN, now, trip=True)]
        for before, era in pairwise(eras):
            if era.overridden:
                in_a_row = 0
            if era.trip:
                healthy = era.began - before.began if before.state is State.CLOSED else 0.0
                in_a_row = max(0, in_a_row - int(healthy / self.policy.cooldown))
                factor = min(self.policy.growth**in_a_row, self.policy.stretch) if in_a_row else 1.0
                length = min(
                    self.policy.cooldown * factor, max(self.policy.longest_cooldown, self.policy.cooldown)
                )
                in_a_row += 1
        return length

    def until(self, word: Said) -> float:
        """Until when a word asks for peace."""
        if word.retry_after is None or self.policy.longest_cooldown <= self.policy.cooldown:
            return -math.inf
        return word.at + min(word.retry_after, self.policy.longest_cooldown)

    def ramp_refuses(self, now: float) -> bool:
        """Whether what was admitted on the way back is all of the share so far."""
        era, span = self.era, self.policy.ramp
        if not (era.state is State.CLOSED and era.recovered and span and now < era.began + span):
            return False
        shares = math.fsum(1 - 0.9 * (era.began + span - at) / span for at in era.asked)
        return 0.9 + shares - len(era.calls) < 1 - 1e-6

    def probes(self, now: float) -> int:
        """How many hold a permit of a half-open state."""
        return sum(call.holds(now) for call in self.era.calls) if self.era.state is State.HALF_OPEN else 0

    def answered(self) -> list[tuple[float, str]]:
        """When each caller was answered, later by as much as that took."""
        calls = [call for era in self.eras for call in era.calls if call.caller]
        return [
            (2 * word.at - call.admitted, call.caller or "")
            for call in calls
            for word in call.votes()
            if word.verdict is Verdict.SUCCESS
        ]

    def blames(self, said: Said, now: float) -> bool:
        """Whether a failure counts, now."""
        since = now - self.policy.window
        also = any(word.own not in (None, said.own) for word in self.era.failures(since))
        there = any(at > since and caller != said.own for at, caller in self.answered() + self.refused)
        return said.own is None or also or not there

    def since(self, now: float) -> float:
        """When the window begins: whatever is later is in it."""
        if not self.policy.failure_share:
            return now - self.policy.window
        width = self.policy.window * SLICE
        return math.nextafter(math.floor(now / width) * width - self.policy.window, -math.inf)

    def counted(self, now: float) -> list[Said]:
        """The failures in the window that count; of the callers' own all do if the latest does."""
        failures = self.era.failures(self.since(now))
        own = [word for word in failures if word.own is not None]
        return failures if own and self.blames(own[-1], now) else [word for word in failures if word.own is None]

    def failures(self, now: float) -> int:
        """How many failures the window shows."""
        return len(self.counted(now))

    def share(self, now: float) -> float | None:
        """Which share of the judged calls in the window failed."""
        failed, since = self.failures(now), self.since(now)
        judged = failed + sum(at > since for at in self.era.successes())
        return failed / judged if judged and self.policy.failure_share else None

    def enough(self, now: float) -> bool:
        """Whether the window's failures open a closed breaker."""
        share = self.share(now)
        many = self.failures(now) >= self.policy.threshold
        return self.mode is Mode.AUTO and many and (share is None or share >= self.policy.failure_share)

    def wait(self, now: float) -> float | None:
        """What an open breaker answers."""
        return None if self.era.ends == math.inf else self.era.ends - now

    def admit(self, now: float, caller: str | None) -> Call | tuple[float | None]:
        """A call, or the wait of a refusal."""
        self.look(now)
        full = self.era.state is State.HALF_OPEN and self.probes(now) == self.policy.max_probes
        if self.era.state is State.OPEN or full:
            wait = 1.0 if full else self.wait(now)
            if caller:
                self.refused.append((now + (wait or 0.0) * (1 + 0.2), caller))
            return (wait,)
        if self.era.state is State.CLOSED:
            self.era.asked.append(now)
            if self.ramp_refuses(now):
                return (1.0,)
        deadline = min(self.policy.cooldown, 30.0) if self.era.state is State.HALF_OPEN else math.inf
        call = Call(now, now + deadline, caller)
        self.era.calls.append(call)
        return call

    def settle(
        self, call: Call, verdict: Verdict, now: float, retry_after: float | None = None, *, own: bool = False
    ) -> None:
        """Write it down; then see whether the era has ended by it, or will later."""
        self.look(now)
        before = len(call.votes())
        said = Said(now, verdict, retry_after, call.caller if own else None)
        call.said.append(said)
        if len(call.votes()) == before:
            return
        if call not in self.era.calls:
            if verdict is Verdict.FAILURE and self.blames(said, now):
                self.era.ends = max(self.era.ends, self.until(said))
            return
        trip = {
            State.CLOSED: self.enough(now),
            State.HALF_OPEN: self.blames(said, now),
        }[self.era.state]
        if verdict is Verdict.FAILURE and trip:
            counted_words = [said]
            if self.era.state is State.CLOSED:
                kinds = [
                    [word for word in self.counted(now) if (word.own is None) is plain] for plain in (True, False)
                ]
                kept = 0 if self.policy.failure_share else -self.policy.threshold
                counted_words = [word for kind in kinds for word in kind[kept:]]
            ends = max([now + self.length(now), *map(self.until, counted_words)])
            self.begin(Era(State.OPEN, now, ends=ends, trip=True))
        elif self.era.state is State.HALF_OPEN and len(self.era.times(Verdict.SUCCESS)) >= self.policy.max_probes:
            self.begin(Era(State.CLOSED, now, recovered=True))

    def override(self, mode: Mode, now: float) -> None:
        """The operator begins an era of their own."""
        self.look(now)
        if mode is self.mode:
            return
        target = {Mode.OPEN: State.OPEN, Mode.CLOSE: State.CLOSED}.get(mode)
        if target is None:
            target = State.HALF_OPEN if self.mode is Mode.OPEN else State.CLOSED
        self.mode = mode
        self.begin(Era(target, now, overridden=True))
        self.overrides.add(len(self.eras) - 1)

    def boundaries(self, now: float) -> list[float]:
        """Moments ahead at which something ends: cooldown, probes, failures in the window."""
        ends = [self.era.ends, *(call.deadline for call in self.era.calls)]
        ends += [at + self.policy.window for at in self.era.times(Verdict.FAILURE) + self.era.successes()]
        ends += [at + self.policy.window for at, _ in self.answered() + self.refused]
        return sorted({end for end in ends if now < end < math.inf})


class BreakerMachine(RuleBasedStateMachine):
    """Both breakers get the same calls, and must answer alike."""

    @initialize(
        threshold=st.integers(1, 4),
        window=st.sampled_from([2.0, 10.0]),
        cooldown=st.sampled_from([1.0, 30.0, 40.0]),
        max_probes=st.integers(1, 3),
        longest=st.sampled_from([0.0, 35.0, 300.0]),
        ramp=st.sampled_from([0.0, 0.0, 8.0]),
        share=st.sampled_from([0.0, 0.0, 0.25, 0.6, 1.0]),
        operator=st.booleans(),
    )
    def begin(
        self,
        threshold: int,
        window: float,
        cooldown: float,
        max_probes: int,
        longest: float,
        ramp: float,
        share: float,
        operator: bool,
    ) -> None:
        policy = BreakerPolicy(threshold, window, cooldown, max_probes, longest, ramp=ramp, failure_share=share)
        self.transitions: list[Transition] = []
        self.breaker = Breaker(policy, self.transitions.append)
        self.model = Model(policy)
        self.calls: list[tuple[Permit, Call]] = []
        self.now = 0.0
        self.trips = 0
        self.operator = operator  # half of the stories are without one, so that they get farther

    # Quarters of a second are exact in binary: no rounding, and boundaries are often hit by chance, too.
    @rule(quarters=st.integers(0, 60))
    def time_passes(self, quarters: int) -> None:
        self.now += quarters / 4

    @precondition(lambda self: self.model.boundaries(self.now))
    @rule(data=st.data(), early=st.booleans())
    def time_passes_to_a_boundary(self, data: st.DataObject, early: bool) -> None:
        boundary = data.draw(st.sampled_from(self.model.boundaries(self.now)))
        self.now = max(self.now, boundary - 0.25) if early else boundary

    @rule(times=st.integers(1, 4), caller=CALLERS)
    def admit(self, times: int, caller: str | None = None) -> None:
        for _ in range(times):
            answer = self.breaker.admit(self.now, caller)
            expected = self.model.admit(self.now, caller)
            if isinstance(expected, Call):
                assert isinstance(answer, Permit), "refused, but the model admits"
                self.calls.append((answer, expected))
            else:
                assert isinstance(answer, Refusal), "admitted, but the model refuses"
                assert answer.wait == expected[0]

    @rule(verdicts=st.lists(st.sampled_from([*Verdict, Verdict.SUCCESS]), min_size=1, max_size=4))
    def short_calls(self, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            self.admit(1)
            permit, call = self.calls[-1] if self.calls else (None, None)
            if permit is not None and call is not None and not call.said:
                self.breaker.settle(permit, EVIDENCE[verdict], self.now)
                self.model.settle(call, verdict, self.now)

    @precondition(lambda self: self.calls)
    @rule(
        data=st.data(),
        verdict=st.sampled_from(Verdict),
        retry_after=st.sampled_from([None, 0.25, 20.0, 60.0, 1e6]),
    )
    def settle(self, data: st.DataObject, verdict: Verdict, retry_after: float | None) -> None:
        permit, call = data.draw(st.sampled_from(self.calls[-8:]))
        self.breaker.settle(permit, EVIDENCE[verdict], self.now, retry_after)
        self.model.settle(call, verdict, self.now, retry_after)

    @rule(caller=CALLERS, times=st.integers(1, 5), retry_after=st.sampled_from([None, 60.0]))
    def own_failures(self, caller: str | None, times: int, retry_after: float | None) -> None:
        for _ in range(times):
            before = len(self.calls)
            self.admit(1, caller)
            for permit, call in self.calls[before:]:
                self.breaker.settle(permit, OWN, self.now, retry_after)
                self.model.settle(call, Verdict.FAILURE, self.now, retry_after, own=True)

    @precondition(lambda self: any(not call.said for _, call in self.calls))
    @rule(verdict=st.sampled_from(Verdict))
    def settle_all_that_are_out(self, verdict: Verdict) -> None:
        for permit, call in self.calls:
            if not call.said:
                self.breaker.settle(permit, EVIDENCE[verdict], self.now)
                self.model.settle(call, verdict, self.now)

    @precondition(lambda self: any(call.said for _, call in self.calls))
    @rule(data=st.data(), retry_after=st.sampled_from([None, 0.25, 100.0]), own=st.booleans())
    def late_failure(self, data: st.DataObject, retry_after: float | None, own: bool) -> None:
        permit, call = data.draw(st.sampled_from([pair for pair in self.calls if pair[1].said]))
        self.breaker.settle(permit, OWN if own else EVIDENCE[Verdict.FAILURE], self.now, retry_after)
        self.model.settle(call, Verdict.FAILURE, self.now, retry_after, own=own)

    @rule()
    def the_timer_rings(self) -> None:
        self.breaker.advance(self.now)
        self.model.look(self.now)

    @rule()
    def pass_through(self) -> None:
        refusal = self.breaker.refusal(self.now)
        self.model.look(self.now)
        assert (refusal is not None) == (self.model.era.state is State.OPEN)
        assert refusal is None or refusal.wait == self.model.wait(self.now)

    # Left to chance, few stories would come as far as late answers in half-open.
    @precondition(lambda self: self.model.era.state is State.HALF_OPEN)
    @rule(verdicts=st.lists(st.sampled_from([*Verdict, Verdict.SUCCESS]), min_size=1, max_size=4))
    def slow_probes(self, verdicts: list[Verdict]) -> None:
        self.admit(self.model.policy.max_probes)
        self.now += min(self.model.policy.cooldown, 30.0) + 0.25
        late = [pair for pair in self.calls if pair[1] in self.model.era.calls and not pair[1].said]
        for (permit, call), verdict in zip(late, verdicts, strict=False):
            self.breaker.settle(permit, EVIDENCE[verdict], self.now)
            self.model.settle(call, verdict, self.now)

    # Left to chance, few stories would come as far as half-open.
    @precondition(lambda self: self.model.mode is Mode.AUTO and self.model.era.state is State.CLOSED)
    @rule(recovers=st.booleans())
    def outage(self, recovers: bool) -> None:
        self.admit(self.model.policy.threshold)
        self.settle_all_that_are_out(Verdict.FAILURE)
        if recovers and self.model.era.ends < math.inf:
            self.now = self.model.era.ends

    @precondition(lambda self: self.operator)
    @rule(mode=st.sampled_from([*Mode, Mode.AUTO]))
    def override(self, mode: Mode) -> None:
        self.breaker.override(mode, self.now)
        self.model.override(mode, self.now)

    @rule()
    def look(self) -> None:
        statistics = self.breaker.statistics(self.now)
        self.model.look(self.now)
        era = self.model.era
        assert statistics.state is era.state
        assert statistics.mode is self.model.mode
        assert statistics.cooldown_left == (self.model.wait(self.now) if era.state is State.OPEN else None)
        most = math.inf if self.model.policy.failure_share else self.model.policy.threshold
        assert statistics.failures_in_window == min(self.model.failures(self.now), most)
        assert statistics.failure_share == self.model.share(self.now)
        assert statistics.probes == self.model.probes(self.now)
        deadlines = [call.deadline for call in era.calls if call.holds(self.now)]
        assert self.breaker.next_due() == min([era.ends, *deadlines])

    # Invariants must not ask `statistics`, which would apply a due cooldown in passing.

    @invariant()
    def both_tell_the_same_transitions(self) -> None:
        assert [
            (change.source, change.target, change.trip) for change in self.transitions
        ] == self.model.transitions()

    @invariant()
    def transitions_follow_from_one_another(self) -> None:
        states = [State.CLOSED, *(change.target for change in self.transitions)]
        assert [change.source for change in self.transitions] == states[:-1]

    @invariant()
    def trips_only_grow_and_are_the_trips_told(self) -> None:
        assert self.breaker._trips >= self.trips
        self.trips = self.breaker._trips
        assert self.trips == sum(change.trip for change in self.transitions)

    @invariant()
    def probes_never_exceed_the_maximum(self) -> None:
        assert len(self.breaker._probes) <= self.model.policy.max_probes

    @invariant()
    def a_permit_that_went_back_stays_back(self) -> None:
        assert all(permit.returned for permit, call in self.calls if call.said)
        assert not any(permit.returned for permit in self.breaker._probes)

    def teardown(self) -> None:
        if hasattr(self, "breaker"):
            self.look()


def test_the_breaker_does_what_the_naive_model_does() -> None:
    """In any story of admissions, verdicts, time and overrides the breaker tells what counting the facts tells."""
    run_state_machine_as_test(
        BreakerMachine, settings=settings(max_examples=250, stateful_step_count=60, deadline=None)
    )
