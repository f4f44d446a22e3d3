"""The bridge: the product's own machines, in the order in which a request meets them.

slot → rate → shares, or a turn in the queue if the breaker is not open → key at rest → breaker → provider; and
what the provider shows is judged by the product's own table. Only what is asynchronous there is an event here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from random import Random

from aibridge_trio.core.breaker import retry_after, verdict
from aibridge_trio.core.breaker.breaker import Breaker, Refusal, State, Transition
from aibridge_trio.core.breaker.key_cooldowns import KeyCooldowns
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence
from aibridge_trio.core.limits import refusals
from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.limits.lease import Lease
from aibridge_trio.core.limits.rate import RateLimiter
from aibridge_trio.errors import (
    MAX_JITTER,
    AtCapacity,
    CircuitOpen,
    CredentialCooldown,
    Phase,
    RateLimited,
    Reject,
    UpstreamFault,
)
from aibridge_trio.simulate.policies.in_flight import InFlight
from aibridge_trio.simulate.policies.passthrough import PROVIDER, Policy
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario import settings
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.world import randomness
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock

_OVERLOADED = verdict.of_event("error", {"type": "error", "error": {"type": "overloaded_error"}})
_EXHAUSTED = {"error": {"code": "insufficient_quota"}}


class Bridge(Policy):
    """The product, set as `values` say; `seed` decides what it leaves to chance."""

    def __init__(self, values: Values, clock: Clock, measure: Measure, *, own_keys: bool, seed: int) -> None:
        super().__init__(clock, measure, values["first_byte_timeout"])
        self._limits = limits = settings.limits(values)
        self._slots = InFlight(limits.max_concurrency or math.inf)
        self._waiting: dict[Lease, Call] = {}
        spread: Callable[[], float] = Random(f"{seed}/rate").random  # noqa: S311 - no secret
        rate = RateLimiter(values["rate_limit"], chance=spread) if values["rate_limit"] else None
        self._limiter = ConcurrencyLimiter(limits, self._slots, self._wake, rate=rate)
        self._rate_due = math.inf
        self._policy = settings.breaker_policy(values)
        chance: Callable[[], float] = Random(f"{seed}/bridge").random  # noqa: S311 - no secret
        self._breaker = (
            Breaker(self._policy, self._changed, clock.now, chance) if values["circuit_breaker"] else None
        )
        self._due = math.inf
        self._state = State.CLOSED
        self._slow: float = values["circuit_breaker_slow_first_byte"]
        self._own_keys = own_keys
        by_key = own_keys and values["circuit_breaker_429"] == "credential"
        self._key_cooldowns = KeyCooldowns(self._policy) if by_key and self._breaker else None

    @property
    def state(self) -> str:
        """The breaker's state; empty without a breaker."""
        return str(self._state) if self._breaker else ""

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """How many slots are held."""
        return self._slots.borrowed_tokens

    # The way up.

    def call(self, call: Call) -> None:
        """Take a caller's call: let it through, let it wait, or say no."""
        now, caller = self._clock.now, call.request.caller
        lease = call.lease = Lease()
        if self._limiter.enter(lease, now):
            self._refuse(call, AtCapacity(), "capacity")
            return
        budget = self._limiter.charge_rate(lease, caller, now)
        if budget and budget.wait is not None:
            self._refuse(call, RateLimited(budget.wait, budget.spread), true=budget.wait)
            return
        acquired = self._limiter.acquire(lease, caller, PROVIDER, now)
        if not acquired and (refusal := self._limiter.join_queue(lease, now)):
            self._refuse_by_limits(call, refusal)
        elif lease.queued and self._breaker and (known := self._breaker.refusal(now, caller)):
            # An open breaker refuses before the wait, not after it.
            self._refuse(call, CircuitOpen(PROVIDER, known.because, known.wait), "circuit")
        elif lease.queued:
            self._waiting[lease] = call
            self._clock.at(lease.deadline, self._waited, call)
        else:
            self._go_up(call)
        self._await_the_rate()

    def cancel(self, call: Call) -> None:
        """Hear that the caller has gone: cancel its call, or let it leave the queue."""
        if call.lease:
            self._waiting.pop(call.lease, None)
        super().cancel(call)

    def _wake(self, lease: Lease) -> None:
        """Go on with a call whose turn it is, once the one that made room has been dealt with."""
        self._clock.at(self._clock.now, self._woken, lease)

    def _woken(self, lease: Lease) -> None:
        call = self._waiting.pop(lease, None)
        if call is None:
            return
        if lease.pushed_out:
            self._refuse_by_limits(call, self._limiter.refusal_after_wait(lease, self._clock.now))
        else:
            self._go_up(call)

    def _waited(self, call: Call) -> None:
        lease = call.lease
        assert lease
        if lease.queued:
            self._limiter.advance(self._clock.now)
        if lease.queued:
            del self._waiting[lease]
            self._refuse_by_limits(call, self._limiter.refusal_after_wait(lease, self._clock.now))

    def _await_the_rate(self) -> None:
        """See that time gives turns, where calls wait for their caller's rate."""
        due = self._limiter.next_due()
        if due < self._rate_due:
            self._rate_due = due
            self._clock.at(due, self._rate_has_come)

    def _rate_has_come(self, _: None) -> None:
        self._rate_due = math.inf
        self._limiter.advance(self._clock.now)
        self._await_the_rate()

    def _go_up(self, call: Call) -> None:
        now = self._clock.now
        if self._key_cooldowns:
            left = self._key_cooldowns.remaining(_key(call), now)
            if left is not None:
                self._refuse(call, CredentialCooldown(PROVIDER, left), true=left)
                return
        if self._breaker:
            answer = self._breaker.admit(now, call.request.caller)
            self._arm()
            if isinstance(answer, Refusal):
                guard = "ramp" if answer.because == "ramp" else "circuit"
                self._refuse(call, CircuitOpen(PROVIDER, answer.because, answer.wait), guard)
                return
            call.permit = answer
            self._measure.opened("ramp", now)
        if self._clock.now + self._slow < call.request.born + call.request.group.patience:
            self._clock.at(self._clock.now + self._slow, self._is_slow, call)
        if call.lease:
            call.lease.forwarded = True
        self._send(call)

    # The ways to say no.

    def _refuse_by_limits(self, call: Call, refusal: refusals.Refusal) -> None:
        lease = call.lease
        assert lease
        guards: dict[str, Hashable] = {"caller_capacity": call.request.caller}
        guard = guards.get(refusal.reason, "queue" if refusal.reason.startswith("queue") else "capacity")
        timeout = self._limits.queue_timeout
        seconds = self._clock.now - lease.since if refusal.reason == "queue_timeout" else timeout
        true = refusal.wait if refusal.reason == "rate_limit" else None
        self._refuse(call, refusals.reject(refusal, self._limits, PROVIDER, seconds), guard, true)

    def _refuse(self, call: Call, said: Reject, guard: Hashable = None, true: float | None = None) -> None:
        """Say no, after all is given back; `guard` is what said it, or `true` how long it will go on saying it."""
        self._release(call)
        jitter = MAX_JITTER * randomness.uniform(call.request.seed, call.attempt, randomness.JITTER)
        headers = said.headers(jitter)
        self._measure.refused(headers, self._clock.now, guard, true)
        self._listener.answered(call, said.status, headers)

    # What the provider shows.

    def first_token(self, call: Call) -> None:
        """Pass the first token on: that is health."""
        self._judge(call, SUCCESS)
        super().first_token(call)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """Pass an error on, and judge it."""
        evidence = verdict.of_body(status, _EXHAUSTED if exhausted else {})
        hint = retry_after.from_headers(list(headers), None, 0.0)
        if evidence.quota and self._key_cooldowns:
            if not self._key_cooldowns.start(_key(call), "", hint, self._clock.now):
                evidence = NEUTRAL
        elif self._own_keys:
            evidence = verdict.on_own_key(evidence)
        self._judge(call, evidence, hint)
        super().answered(call, status, headers, exhausted=exhausted)

    def broke(self, call: Call, phase: Phase) -> None:
        """Break off, or say so; and judge it."""
        # Under load connections are kept ones, and one that ends before a byte of its answer says nothing.
        self._judge(call, verdict.of_fault(UpstreamFault(phase, "", neutral=phase == "head")))
        super().broke(call, phase)

    def overloaded(self, call: Call) -> None:
        """Pass the error event on, and judge it."""
        assert _OVERLOADED
        self._judge(call, _OVERLOADED)
        super().overloaded(call)

    def _timed_out(self, call: Call) -> None:
        self._judge(call, verdict.of_fault(UpstreamFault("head", "", timeout=True)))

    def _is_slow(self, call: Call) -> None:
        if call.begun or call.released:
            return
        self._judge(call, verdict.of_slowness(self._slow))

    def _judge(self, call: Call, evidence: Evidence, hint: float | None = None) -> None:
        """Pass on the first verdict, and a failure after a success; the breaker knows which."""
        if self._breaker and call.permit:
            self._breaker.settle(call.permit, evidence, self._clock.now, hint)
            self._arm()
            if self._measure.awaits("circuit"):
                self._look()

    # What is given back, and what falls due.

    def _release(self, call: Call) -> None:
        if call.released:
            return
        super()._release(call)
        now = self._clock.now
        self._judge(call, NEUTRAL)
        if call.lease:
            self._limiter.leave(call.lease, now)
            self._await_the_rate()
            if self._measure.awaits(call.request.caller):
                self._measure.opened(call.request.caller, now)
            if self._slots.available_tokens > 0:
                self._measure.opened("capacity", now)
            if len(self._waiting) < max(1, self._limits.queue_size):
                self._measure.opened("queue", now)

    def _arm(self) -> None:
        """See that the breaker's time passes without calls."""
        assert self._breaker
        due = self._breaker.next_due()
        if due != self._due:
            self._due = due
            if due < math.inf:
                self._clock.at(due, self._advance)

    def _advance(self, _: None) -> None:
        if self._breaker:
            self._breaker.advance(self._clock.now)
            self._arm()

    def _look(self) -> None:
        """Tell those who wait for the breaker when it would admit one of them."""
        assert self._breaker
        now = self._clock.now
        seen = self._breaker.statistics(now)
        probing = seen.state is State.HALF_OPEN and seen.probes < self._policy.max_probes
        if seen.state is State.CLOSED or probing:
            self._measure.opened("circuit", now)

    def _changed(self, change: Transition) -> None:
        self._state = change.target
        self._measure.transitioned(trip=change.trip)
        if change.target is not State.OPEN:
            self._measure.opened("circuit", self._clock.now)


def _key(call: Call) -> bytes:
    return b"%d" % call.request.caller
