"""A breaker in the running program: `core.breaker` with a clock, a timer and events."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import random
from typing import NoReturn

import trio

from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.breaker import Breaker, BreakerStats, Mode, Refusal, State, Transition
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.breaker.probe_permit import NO_GENERATION, Permit
from aibridge_trio.core.breaker.verdict import EXHAUSTED, NEUTRAL, Evidence, Verdict
from aibridge_trio.core.caller import Caller
from aibridge_trio.errors import CircuitOpen
from aibridge_trio.events import Judged, OnShadowReject, Publish, Transitioned, ignore
from aibridge_trio.gateway.attempt import Attempt
from aibridge_trio.gateway.shared_breakers import SharedBreakers
from aibridge_trio.gateway.shared_circuit import SharedCircuit
from aibridge_trio.http.headers import Headers
from aibridge_trio.net.deadline import Deadline

# Returns the retry hint in the headers of a provider's answer (seconds), None without one.
ReadRetryAfter = Callable[[Headers], float | None]
# Handles a 429 for a caller's own key, with its retry hint; returns whether it counts against the provider, too.
# None: judge it like a 429 without key cooldowns.
OnKeyLimited = Callable[[Caller, float | None], bool | None]


class Circuit:
    """The breaker of one provider, or of a part of it (`scope`).

    Without a `policy` it is off: it admits all requests, and still publishes verdicts. `slow` is the timeout of
    the first byte, infinite if it may be late. `read_retry_after` reads retry hints. `on_key_limited` handles 429s
    on callers' own keys. With `shadow` rejects are only counted.
    `override_left` returns how long the operator's override lasts (seconds), None if it has no end.
    `shared` has the breakers that replicas share;
    None if nothing is shared.
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
        shared: SharedBreakers | None = None,
        override_left: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.provider = provider
        self.policy = policy
        self.scope = scope
        self.clock = clock
        self.slow = slow or Deadline(math.inf)
        self.read_retry_after = read_retry_after
        self._on_key_limited = on_key_limited
        self._shadow = shadow
        self._publish = publish
        self._rescheduled = trio.Event()
        self._due = 0.0
        self.retired = False  # its transitions concern no request any more
        # Of the latest answer to a request with the bridge's key, or without any: they tell of quotas.
        self.last_headers: Headers | None = None
        self.exhausted = 0  # answers to such requests that said that no credit is left
        self._shared = shared
        self._override_left = override_left
        self.breaker, self.sharing = self._new_breaker(policy or BreakerPolicy())

    def _new_breaker(self, policy: BreakerPolicy) -> tuple[Breaker, SharedCircuit | None]:
        if self._shared is None:
            return Breaker(policy, self._on_transition, self.clock(), random), None
        name = f"{self.provider}|{self.scope or ''}"
        sharing = self._shared.join(name, policy, self._on_transition, random, self._reschedule)
        return sharing.breaker, sharing

    def retire(self) -> None:
        """Publish no transitions any more, and share nothing."""
        self.retired = True
        if self._shared and self.sharing:
            self._shared.leave(self.sharing)

    def apply(self, policy: BreakerPolicy | None, on_key_limited: OnKeyLimited | None, *, shadow: bool) -> None:
        """Use these from now on; the breaker's state stays, also while it is off."""
        self.policy = policy
        self._on_key_limited = on_key_limited
        self._shadow = shadow
        self.breaker.apply(policy or BreakerPolicy(), self.clock())
        self._reschedule()

    @property
    def enabled(self) -> bool:
        """Whether the breaker may refuse requests."""
        return self.policy is not None

    def admit(
        self,
        caller: Caller | None = None,
        *,
        own_key: bool = False,
        would_reject: OnShadowReject = ignore,
        now: float | None = None,
    ) -> Attempt:
        """Return the attempt of a request, or raise CircuitOpen. `own_key`: it is sent with its caller's own key.

        `now` is the time, if it is known.

        The attempt acquires its permit later, when the body has been read: an unfinished upload holds none.
        """
        attempt = Attempt(self, None, caller, own_key=own_key, would_reject=would_reject)
        if self.policy is not None:
            now = self.clock() if now is None else now
            answer = self.breaker.issue_ticket(now, None if caller is None else caller.key)
            if type(answer) is Refusal:
                self._refuse(answer, would_reject)  # in shadow: admitted without a ticket
            else:
                attempt.ticket = answer
                if self.sharing is not None:
                    attempt.needs_right = self.sharing.probe_need() is not None
        return attempt

    def acquire(self, attempt: Attempt) -> None:
        """Give an attempt its permit before the last piece of its request is sent, or raise CircuitOpen."""
        ticket, attempt.ticket = attempt.ticket, None
        caller = attempt.caller
        answer: Permit | Refusal | None = None if self.sharing is None else self._lacks_right(attempt)
        if answer is None:
            answer = self.breaker.admit(self.clock(), None if caller is None else caller.key, ticket)
        if type(answer) is Refusal:
            self._refuse(answer, attempt.would_reject)
        else:
            attempt.permit = answer
            if attempt.right:
                attempt.right.permit = answer
            if self.breaker.state is not State.CLOSED:  # a probe has a deadline
                self._reschedule()

    async def ask_right(self, attempt: Attempt) -> None:
        """Ask for the right to a probe, if the request would be one in any replica; raises CircuitOpen."""
        assert self.sharing
        attempt.right = await self.sharing.ask_right()
        if refusal := self._lacks_right(attempt):
            attempt.ticket = None
            self._refuse(refusal, attempt.would_reject)

    def _lacks_right(self, attempt: Attempt) -> Refusal | None:
        if self.sharing is None:
            return None
        right = attempt.right
        return self.sharing.breaker.lacks_right(
            right.change if right and not right.given_back else None, self.clock()
        )

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
        if evidence is EXHAUSTED and not attempt.own_key:
            self.exhausted += 1
        self._publish(Judged(self.provider, evidence.verdict))
        if attempt.ticket is not None:
            self._acquire_early(attempt, evidence)
        if attempt.permit is not None:
            self.breaker.settle(attempt.permit, evidence, self.clock(), hint)
            if attempt.right:
                attempt.right.give_back()
            if self._due < math.inf or self.sharing is not None or self.breaker.state is not State.CLOSED:
                self._reschedule()
            if evidence.verdict is Verdict.SUCCESS and attempt.caller and not attempt.ended:
                attempt.continues = True
                self.breaker.failures.answer_continues(attempt.caller.key)
        return evidence.verdict

    def answer_ended(self, attempt: Attempt) -> None:
        """Note the end of an answer that continued after its success."""
        assert attempt.caller
        attempt.continues = False
        self.breaker.failures.answer_ended(attempt.caller.key, self.clock())

    def override(self, mode: Mode, *, ended: bool = False) -> bool:
        """Set the mode; return whether it has changed. `ended`: an override is over by itself."""
        before = self.statistics().mode
        self.breaker.override(mode, self.clock(), ended=ended)
        self._reschedule()
        return mode is not before

    async def run(self) -> None:
        """Apply cooldowns and deadlines of probes when they are due, without traffic too, until cancelled.

        What replicas share is sent and received meanwhile.
        """
        async with trio.open_nursery() as nursery:
            if self._shared is not None and self.sharing is not None:
                self._shared.learn(self.sharing)
                nursery.start_soon(self.sharing.run)
            await self._run_timers()

    async def _run_timers(self) -> NoReturn:
        while True:
            self._rescheduled = trio.Event()
            self._due = self.breaker.next_due()
            with trio.CancelScope(deadline=self._due):
                await self._rescheduled.wait()
            self.breaker.advance(self.clock())
            if self.sharing:
                self.sharing.expire()

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
            answer = self._lacks_right(attempt) or self.breaker.admit(self.clock(), key, ticket)
            attempt.permit = Permit(NO_GENERATION, key) if isinstance(answer, Refusal) else answer

    def _refuse(self, refusal: Refusal, would_reject: OnShadowReject) -> None:
        if not self._shadow or refusal.because == "operator":
            raise self._open(refusal)
        would_reject(CircuitOpen.reason)

    def _open(self, refusal: Refusal) -> CircuitOpen:
        wait = self._override_left() if refusal.because == "operator" else refusal.wait
        return CircuitOpen(self.provider, refusal.because, wait)

    def _reschedule(self) -> None:
        if self.sharing:
            self.sharing.stir()
        if self.breaker.next_due() != self._due:
            self._rescheduled.set()

    def _on_transition(self, change: Transition) -> None:
        if self.retired:
            return
        self._publish(
            Transitioned(self.provider, change.source, change.target, change.because, change.trip, self.scope)
        )
