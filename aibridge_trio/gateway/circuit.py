"""A breaker with a clock, a timer and a voice: the shell round `core.breaker`."""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import Self

import trio

from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.breaker import Breaker, BreakerPolicy, BreakerStats, Mode, Refusal, Transition
from aibridge_trio.core.breaker.probe_permit import NO_GENERATION, Permit, Ticket
from aibridge_trio.core.breaker.verdict import NEUTRAL, Evidence, Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import CircuitOpen, UpstreamFault
from aibridge_trio.events import Judged, OnShadowReject, Publish, Transitioned, ignore
from aibridge_trio.http.headers import Headers
from aibridge_trio.net.deadline import Deadline

# What the headers of a provider's answer say of when to come back (seconds), None if nothing.
Advice = Callable[[Headers], float | None]
# Hears that a caller's own key was told to wait for so long; tells whether that speaks of its provider, too.
# None: judge it as it would be without keys that rest.
Blame = Callable[[Caller, float | None], bool | None]


class Attempt:
    """One request's hold on a circuit: hears evidence, passes on the first, and a failure after a success.

    It has no permit before the request is whole; a `ticket` says that it still wants one. As a context: an
    UpstreamFault on the way out is evidence, and whatever is still held at the end goes back as neutral. Without a
    circuit nobody judges it.
    """

    __slots__ = (
        "_circuit",
        "_headers",
        "_response_started_at",
        "caller",
        "continues",
        "own_key",
        "permit",
        "ticket",
        "verdict",
        "would_reject",
    )

    def __init__(
        self,
        circuit: Circuit | None,
        ticket: Ticket | None = None,
        caller: Caller | None = None,
        *,
        own_key: bool = False,
        would_reject: OnShadowReject = ignore,
    ) -> None:
        self.verdict: Verdict | None = None
        self.permit: Permit | None = None
        self.ticket = ticket
        self.caller = caller
        self.own_key = own_key
        self.would_reject = would_reject
        self.continues = False
        self._circuit = circuit
        self._headers: Headers | None = None
        self._response_started_at = 0.0

    def acquire(self) -> None:
        """Take the permit, before the last of the request goes up; CircuitOpen if there is none.

        A request that is being answered already is not refused any more.
        """
        if self._circuit is None or self.ticket is None or self._headers is not None:
            return
        try:
            self._circuit.acquire(self)
        except CircuitOpen:
            self._circuit = None  # a refused request is not judged
            raise

    def request_sent(self) -> None:
        """See that the whole request is on its way: from now on the first byte may be late."""
        if self._circuit and self._circuit.slow:
            self._circuit.slow.begin(self)

    def response_started(self, headers: Headers) -> None:
        """See the head of the answer, which may say when to come back."""
        self._headers = headers
        if self._circuit:
            self._response_started_at = self._circuit.clock()

    def first_byte(self) -> None:
        """See the first byte of the answer's body."""
        if self._circuit and self._circuit.slow:
            self._circuit.slow.end(self)

    def expire(self) -> None:
        """See that the first byte is late."""
        assert self._circuit
        assert self._circuit.slow
        self.report(verdict.of_slowness(self._circuit.slow.seconds))

    def report(self, evidence: Evidence | None) -> None:
        """Hear evidence, if it is some; sync, so that no cancellation comes between."""
        if evidence is None or self._circuit is None:
            return
        relapse = self.verdict is Verdict.SUCCESS and evidence.verdict is Verdict.FAILURE
        if self.verdict is None or relapse:
            self.verdict = self._circuit.judge(self, evidence)

    def retry_after(self) -> float | None:
        """Return for how many seconds more the provider wants to be left alone, None if it has not said so."""
        if self._headers is None or self._circuit is None:
            return None
        said = self._circuit.advice(self._headers)
        return None if said is None else max(0.0, said - (self._circuit.clock() - self._response_started_at))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, UpstreamFault):
            self.report(verdict.of_fault(error))
        if self.verdict is None:
            self.report(NEUTRAL)
        self.first_byte()
        if self.continues and self._circuit:
            self._circuit.answer_ended(self)


class Circuit:
    """Admits requests to one provider, or to a part of it (`scope`).

    Off (`policy` None) it lets all through, and still counts verdicts. `slow` is how long a first byte may take.
    """

    def __init__(
        self,
        provider: str,
        policy: BreakerPolicy | None,
        clock: Callable[[], float],
        publish: Publish,
        *,
        scope: str | None = None,
        slow: Deadline | None = None,
        advice: Advice = lambda _: None,
        blame: Blame | None = None,
        shadow: bool = False,
    ) -> None:
        self.provider = provider
        self.policy = policy
        self.scope = scope
        self.clock = clock
        self.slow = slow if policy else None
        self.advice = advice
        self._blame = blame
        self._shadow = shadow
        self._publish = publish
        self._breaker = Breaker(policy or BreakerPolicy(), self._transitioned, clock(), random)
        self._rescheduled = trio.Event()
        self._due = 0.0

    @property
    def enabled(self) -> bool:
        """Whether the breaker rules."""
        return self.policy is not None

    def admit(
        self, caller: Caller | None = None, *, own_key: bool = False, would_reject: OnShadowReject = ignore
    ) -> Attempt:
        """Let a request begin or raise CircuitOpen. `own_key` if its caller's own key goes up.

        What it returns takes the permit later, when the request is whole: an unfinished upload holds none.
        """
        attempt = Attempt(self, None, caller, own_key=own_key, would_reject=would_reject)
        if self.enabled:
            answer = self._breaker.issue_ticket(self.clock(), caller and caller.key)
            if isinstance(answer, Refusal):
                self._refuse(answer, would_reject)  # in shadow nothing of it counts: it should not be there
            else:
                attempt.ticket = answer
        return attempt

    def acquire(self, attempt: Attempt) -> None:
        """Give a permit to a request whose last piece is about to go up, or raise CircuitOpen."""
        ticket, attempt.ticket = attempt.ticket, None
        answer = self._breaker.admit(self.clock(), attempt.caller and attempt.caller.key, ticket)
        if isinstance(answer, Refusal):
            self._refuse(answer, attempt.would_reject)
        else:
            attempt.permit = answer
            self._reschedule()

    def refusal(self, caller: Caller | None = None) -> CircuitOpen | None:
        """Return what a request that holds no permit and never votes is told: refused only while open."""
        if not self.enabled:
            return None
        refusal = self._breaker.refusal(self.clock(), caller and caller.key)
        return self._open(refusal) if refusal else None

    def judge(self, attempt: Attempt, evidence: Evidence) -> Verdict:
        """Hear what a request has shown; return what it says of the provider's health."""
        retry_after = attempt.retry_after() if evidence.verdict is Verdict.FAILURE else None
        if evidence.quota and attempt.own_key and attempt.caller:
            evidence = self._of_own_key(evidence, attempt.caller, retry_after)
        self._publish(Judged(self.provider, evidence.verdict))
        if attempt.ticket is not None:
            self._acquire_early(attempt, evidence)
        if attempt.permit is not None:
            self._breaker.settle(attempt.permit, evidence, self.clock(), retry_after)
            self._reschedule()
            if evidence.verdict is Verdict.SUCCESS and attempt.caller:
                attempt.continues = True
                self._breaker.failures.answer_continues(attempt.caller.key)
        return evidence.verdict

    def answer_ended(self, attempt: Attempt) -> None:
        """See the end of a request whose answer went on behind its success."""
        assert attempt.caller
        attempt.continues = False
        self._breaker.failures.answer_ended(attempt.caller.key, self.clock())

    def override(self, mode: Mode) -> bool:
        """Let the operator rule, or the breaker itself again; tell whether that is a change."""
        before = self.statistics().mode
        self._breaker.override(mode, self.clock())
        self._reschedule()
        return mode is not before

    async def run(self) -> None:
        """Keep the state true without traffic: apply cooldowns and probe deadlines when they fall due."""
        while True:
            self._rescheduled = trio.Event()
            self._due = self._breaker.next_due()
            with trio.CancelScope(deadline=self._due):
                await self._rescheduled.wait()
            self._breaker.advance(self.clock())

    def statistics(self) -> BreakerStats:
        """Return the breaker as it is now."""
        return self._breaker.statistics(self.clock())

    def __repr__(self) -> str:
        name = self.provider if self.scope is None else f"{self.provider} {self.scope}"
        return f"<Circuit {name} {self._breaker!r}>"

    def _of_own_key(self, evidence: Evidence, owner: Caller, retry_after: float | None) -> Evidence:
        """Return what a caller's own key being told to wait says: of that caller, of many, or of its key alone."""
        speaks: bool | None = None
        if self._blame:
            speaks = self._blame(owner, retry_after)
        if speaks is None:
            return verdict.on_own_key(evidence)
        return evidence if speaks else NEUTRAL

    def _acquire_early(self, attempt: Attempt, evidence: Evidence) -> None:
        """Take what is judged before it was whole for a request like others, if there is a permit for it."""
        ticket, attempt.ticket = attempt.ticket, None
        if evidence.verdict is not Verdict.NEUTRAL:
            key = attempt.caller and attempt.caller.key
            answer = self._breaker.admit(self.clock(), key, ticket)
            attempt.permit = Permit(NO_GENERATION, key) if isinstance(answer, Refusal) else answer

    def _refuse(self, refusal: Refusal, would_reject: OnShadowReject) -> None:
        if not self._shadow or refusal.because == "operator":
            raise self._open(refusal)
        would_reject(CircuitOpen.reason)

    def _open(self, refusal: Refusal) -> CircuitOpen:
        return CircuitOpen(self.provider, refusal.because, refusal.wait)

    def _reschedule(self) -> None:
        if self._breaker.next_due() != self._due:
            self._rescheduled.set()

    def _transitioned(self, change: Transition) -> None:
        told = Transitioned(self.provider, change.source, change.target, change.because, change.trip, self.scope)
        self._publish(told)
