"""A breaker in the running program: `core.breaker` with a clock, a timer and events; and one request's attempt."""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import Self

import trio

from aibridge_trio.core.breaker import retry_after, verdict
from aibridge_trio.core.breaker.breaker import Breaker, BreakerStats, Mode, Refusal, Transition
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import NO_GENERATION, Permit, Ticket
from aibridge_trio.core.breaker.verdict import NEUTRAL, Evidence, Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import CircuitOpen, UpstreamFault
from aibridge_trio.events import Judged, OnShadowReject, Publish, Transitioned, ignore
from aibridge_trio.http.headers import Headers
from aibridge_trio.net.deadline import Deadline

# Returns the retry hint in the headers of a provider's answer (seconds), None without one.
ReadRetryAfter = Callable[[Headers], float | None]
# Handles a 429 for a caller's own key, with its retry hint; returns whether it counts against the provider, too.
# None: judge it like a 429 without key cooldowns.
OnKeyLimited = Callable[[Caller, float | None], bool | None]


class Attempt:
    """One request at the provider: reports its first evidence to the circuit, and a failure after a success.

    It has a `ticket` while the request's body is being read, and then a permit. As a context manager: an
    UpstreamFault that leaves it is evidence, and without any evidence it ends as neutral. Without a circuit it is
    not judged. `headers` are those of the answer; `listener` is called with all evidence, too. `keys_wait`, in
    place of a retry hint, is when the first of the provider's keys is ready (seconds).
    """

    __slots__ = (
        "_circuit",
        "_response_started_at",
        "caller",
        "continues",
        "headers",
        "keys_wait",
        "listener",
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
        self.listener: Callable[[Evidence], None] | None = None
        self.keys_wait: float | None = None
        self._circuit = circuit
        self.headers: Headers | None = None
        self._response_started_at = 0.0

    def acquire(self) -> None:
        """Acquire the permit, before the last piece of the request is sent; raises CircuitOpen if there is none.

        A request whose answer has already begun is not refused any more.
        """
        if self._circuit is None or self.ticket is None or self.headers is not None:
            return
        try:
            self._circuit.acquire(self)
        except CircuitOpen:
            self.withdraw()
            raise

    def withdraw(self) -> None:
        """Leave the circuit: a request that does not go up is not judged."""
        self._circuit = None

    def request_sent(self) -> None:
        """Note that the whole request has been sent: from now on the first byte can be late."""
        if self._circuit and self._circuit.slow:
            self._circuit.slow.begin(self)

    def response_started(self, headers: Headers) -> None:
        """Note the head of the answer, which may have a retry hint; a second call changes nothing."""
        if self.headers is not None:
            return
        self.headers = headers
        if self._circuit:
            self._response_started_at = self._circuit.clock()

    def first_byte(self) -> None:
        """Note the first byte of the answer's body."""
        if self._circuit and self._circuit.slow:
            self._circuit.slow.end(self)

    def expire(self) -> None:
        """Report that the first byte is late."""
        assert self._circuit
        assert self._circuit.slow
        self.report(verdict.of_slowness(self._circuit.slow.seconds))

    def report(self, evidence: Evidence | None) -> None:
        """Take evidence, if there is any. Not async, so that no cancellation can come in between."""
        if evidence is None:
            return
        if self.listener:
            self.listener(evidence)
        if self._circuit is None:
            return
        relapse = self.verdict is Verdict.SUCCESS and evidence.verdict is Verdict.FAILURE
        if self.verdict is None or relapse:
            self.verdict = self._circuit.judge(self, evidence)

    def retry_after(self, evidence: Evidence) -> float | None:
        """Return the provider's retry hint in seconds from now, of its headers or its error; None without one."""
        if self.keys_wait is not None or self.headers is None or self._circuit is None:
            return evidence.retry_after if self.keys_wait is None else self.keys_wait
        hint = retry_after.later(self._circuit.read_retry_after(self.headers), evidence.retry_after)
        return None if hint is None else max(0.0, hint - (self._circuit.clock() - self._response_started_at))

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
    """The breaker of one provider, or of a part of it (`scope`).

    Without a `policy` it is off: it admits all requests, and still publishes verdicts. `slow` is the timeout of
    the first byte. `read_retry_after` reads retry hints. `on_key_limited` handles 429s on callers' own keys. With
    `shadow` rejects are only counted.
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
        read_retry_after: ReadRetryAfter = lambda _: None,
        on_key_limited: OnKeyLimited | None = None,
        shadow: bool = False,
    ) -> None:
        self.provider = provider
        self.policy = policy
        self.scope = scope
        self.clock = clock
        self.slow = slow if policy else None
        self.read_retry_after = read_retry_after
        self._on_key_limited = on_key_limited
        self._shadow = shadow
        self._publish = publish
        self.breaker = Breaker(policy or BreakerPolicy(), self._on_transition, clock(), random)
        self._rescheduled = trio.Event()
        self._due = 0.0

    @property
    def enabled(self) -> bool:
        """Whether the breaker may refuse requests."""
        return self.policy is not None

    def admit(
        self, caller: Caller | None = None, *, own_key: bool = False, would_reject: OnShadowReject = ignore
    ) -> Attempt:
        """Return the attempt of a request, or raise CircuitOpen. `own_key`: it is sent with its caller's own key.

        The attempt acquires its permit later, when the body has been read: an unfinished upload holds none.
        """
        attempt = Attempt(self, None, caller, own_key=own_key, would_reject=would_reject)
        if self.enabled:
            answer = self.breaker.issue_ticket(self.clock(), caller and caller.key)
            if isinstance(answer, Refusal):
                self._refuse(answer, would_reject)  # in shadow: admitted without a ticket
            else:
                attempt.ticket = answer
        return attempt

    def acquire(self, attempt: Attempt) -> None:
        """Give an attempt its permit before the last piece of its request is sent, or raise CircuitOpen."""
        ticket, attempt.ticket = attempt.ticket, None
        answer = self.breaker.admit(self.clock(), attempt.caller and attempt.caller.key, ticket)
        if isinstance(answer, Refusal):
            self._refuse(answer, attempt.would_reject)
        else:
            attempt.permit = answer
            self._reschedule()

    def refusal(self, caller: Caller | None = None) -> CircuitOpen | None:
        """Refuse a request if the breaker is open: return the reject, else None. It counts as a refusal."""
        if not self.enabled:
            return None
        refusal = self.breaker.refusal(self.clock(), caller and caller.key)
        return self._open(refusal) if refusal else None

    def judge(self, attempt: Attempt, evidence: Evidence) -> Verdict:
        """Judge an attempt's evidence; return the verdict on the provider's health."""
        hint = attempt.retry_after(evidence) if evidence.verdict is Verdict.FAILURE else None
        if evidence.quota and attempt.own_key and attempt.caller:
            evidence = self._on_own_key(evidence, attempt.caller, hint)
        self._publish(Judged(self.provider, evidence.verdict))
        if attempt.ticket is not None:
            self._acquire_early(attempt, evidence)
        if attempt.permit is not None:
            self.breaker.settle(attempt.permit, evidence, self.clock(), hint)
            self._reschedule()
            if evidence.verdict is Verdict.SUCCESS and attempt.caller:
                attempt.continues = True
                self.breaker.failures.answer_continues(attempt.caller.key)
        return evidence.verdict

    def answer_ended(self, attempt: Attempt) -> None:
        """Note the end of an answer that continued after its success."""
        assert attempt.caller
        attempt.continues = False
        self.breaker.failures.answer_ended(attempt.caller.key, self.clock())

    def override(self, mode: Mode) -> bool:
        """Set the mode; return whether it has changed."""
        before = self.statistics().mode
        self.breaker.override(mode, self.clock())
        self._reschedule()
        return mode is not before

    async def run(self) -> None:
        """Apply cooldowns and deadlines of probes when they are due, without traffic too, until cancelled."""
        while True:
            self._rescheduled = trio.Event()
            self._due = self.breaker.next_due()
            with trio.CancelScope(deadline=self._due):
                await self._rescheduled.wait()
            self.breaker.advance(self.clock())

    def statistics(self) -> BreakerStats:
        """Return the breaker's present state."""
        return self.breaker.statistics(self.clock())

    def __repr__(self) -> str:
        name = self.provider if self.scope is None else f"{self.provider} {self.scope}"
        return f"<Circuit {name} {self.breaker!r}>"

    def _on_own_key(self, evidence: Evidence, owner: Caller, retry_after: float | None) -> Evidence:
        """Judge a 429 on a caller's own key: caller-related, the provider's, or that key's alone (neutral)."""
        counts = self._on_key_limited(owner, retry_after) if self._on_key_limited else None
        if counts is None:
            return verdict.on_own_key(evidence)
        return evidence if counts else NEUTRAL

    def _acquire_early(self, attempt: Attempt, evidence: Evidence) -> None:
        """Acquire a permit for an attempt that is judged before its request has been sent in full.

        If the breaker refuses, the permit has no generation: the evidence can only extend a cooldown.
        """
        ticket, attempt.ticket = attempt.ticket, None
        if evidence.verdict is not Verdict.NEUTRAL:
            key = attempt.caller and attempt.caller.key
            answer = self.breaker.admit(self.clock(), key, ticket)
            attempt.permit = Permit(NO_GENERATION, key) if isinstance(answer, Refusal) else answer

    def _refuse(self, refusal: Refusal, would_reject: OnShadowReject) -> None:
        if not self._shadow or refusal.because == "operator":
            raise self._open(refusal)
        would_reject(CircuitOpen.reason)

    def _open(self, refusal: Refusal) -> CircuitOpen:
        return CircuitOpen(self.provider, refusal.because, refusal.wait)

    def _reschedule(self) -> None:
        if self.breaker.next_due() != self._due:
            self._rescheduled.set()

    def _on_transition(self, change: Transition) -> None:
        self._publish(
            Transitioned(self.provider, change.source, change.target, change.because, change.trip, self.scope)
        )
