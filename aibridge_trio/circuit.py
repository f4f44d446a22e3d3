"""A provider's breaker with a clock, a timer and a voice: the shell round `core.breaker`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import trio

from aibridge_trio.core import breaker
from aibridge_trio.core.breaker import Breaker, Mode, Policy, Refusal, Statistics, Transition
from aibridge_trio.core.verdict import NEUTRAL, Evidence, Verdict, of_fault
from aibridge_trio.errors import CircuitOpen, UpstreamFault
from aibridge_trio.events import Judged, Overridden, Publish, Transitioned


class Hold:
    """One request's hold on a circuit: hears evidence, passes on the first, and a failure after a success.

    As a context: an UpstreamFault on the way out is evidence, and whatever is still held at the end goes back as
    neutral.
    """

    def __init__(self, judge: Callable[[Evidence], None] | None) -> None:
        self._judge = judge
        self.verdict: Verdict | None = None

    def settle(self, evidence: Evidence | None) -> None:
        """Hear evidence, if it is some; sync, so that no cancellation comes between."""
        if evidence is None or self._judge is None:
            return
        relapse = self.verdict is Verdict.SUCCESS and evidence.verdict is Verdict.FAILURE
        if self.verdict is None or relapse:
            self.verdict = evidence.verdict
            self._judge(evidence)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, UpstreamFault):
            self.settle(of_fault(error))
        if self.verdict is None:
            self.settle(NEUTRAL)


class Circuit:
    """Admits requests to one provider. Off (`policy` None) it lets all through, and still counts verdicts."""

    def __init__(self, provider: str, policy: Policy | None, clock: Callable[[], float], publish: Publish) -> None:
        self.provider = provider
        self.policy = policy
        self._clock = clock
        self._publish = publish
        self._breaker = Breaker(policy or Policy(), self._transitioned, clock())
        self._rescheduled = trio.Event()
        self._due = 0.0

    @property
    def enabled(self) -> bool:
        """Whether the breaker rules."""
        return self.policy is not None

    def admit(self, *, votes: bool) -> Hold:
        """Let a request through or raise CircuitOpen.

        A request that does not vote is refused while open, and never judged.
        """
        if votes:
            return Hold(self._admitted())
        if self.enabled and (refusal := self._breaker.refuse(self._clock())):
            raise self._open(refusal)
        return Hold(None)

    def override(self, mode: Mode) -> None:
        """Let the operator rule, or the breaker itself again."""
        before = self.statistics().mode
        self._breaker.override(mode, self._clock())
        self._reschedule()
        if mode is not before:
            self._publish(Overridden(self.provider, mode))

    async def run(self) -> None:
        """Keep the state true without traffic: apply cooldowns and probe deadlines when they fall due."""
        while True:
            self._rescheduled = trio.Event()
            self._due = self._breaker.next_due()
            with trio.CancelScope(deadline=self._due):
                await self._rescheduled.wait()
            self._breaker.advance(self._clock())

    def statistics(self) -> Statistics:
        """Return the breaker as it is now."""
        return self._breaker.statistics(self._clock())

    def __repr__(self) -> str:
        return f"<Circuit {self.provider} {self._breaker!r}>"

    def _admitted(self) -> Callable[[Evidence], None]:
        """Ask for a permit; return what takes it back."""
        permit: breaker.Permit | None = None
        if self.enabled:
            answer = self._breaker.admit(self._clock())
            if isinstance(answer, Refusal):
                raise self._open(answer)
            permit = answer
            self._reschedule()

        def judge(evidence: Evidence) -> None:
            self._publish(Judged(self.provider, evidence.verdict))
            if permit is not None:
                self._breaker.settle(permit, evidence, self._clock())
                self._reschedule()

        return judge

    def _open(self, refusal: Refusal) -> CircuitOpen:
        return CircuitOpen(self.provider, refusal.because, refusal.wait)

    def _reschedule(self) -> None:
        if self._breaker.next_due() != self._due:
            self._rescheduled.set()

    def _transitioned(self, change: Transition) -> None:
        self._publish(Transitioned(self.provider, change.source, change.target, change.because, trip=change.trip))
