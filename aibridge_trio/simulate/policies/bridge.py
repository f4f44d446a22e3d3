"""The bridge: the program's own limiter, breaker and key cooldowns, in the order in which a request meets them.

slot → rate → shares, or a turn in the queue if the breaker is not open → key cooldown → breaker → provider.
Answers are judged by the program's own rules. What the program does in tasks is done here in events of the
simulated clock.
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
    """The program with the settings in `values`; `seed` determines its random choices."""

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
        """The number of calls in the queue."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """The number of slots in use."""
        return self._slots.borrowed_tokens

    # Admission.

    def call(self, call: Call) -> None:
        """Take a caller's call: forward it, queue it, or refuse it."""
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
            self._forward(call)
        self._schedule_rate_turn()

    def cancel(self, call: Call) -> None:
        """Cancel the call of a caller that has left, in the queue too."""
        if call.lease:
            self._waiting.pop(call.lease, None)
        super().cancel(call)

    def _wake(self, lease: Lease) -> None:
        """Continue a call whose turn it is, after the event that released its slot."""
        self._clock.at(self._clock.now, self._woken, lease)

    def _woken(self, lease: Lease) -> None:
        call = self._waiting.pop(lease, None)
        if call is None:
            return
        if lease.pushed_out:
            self._refuse_by_limits(call, self._limiter.refusal_after_wait(lease, self._clock.now))
        else:
            self._forward(call)

    def _waited(self, call: Call) -> None:
        lease = call.lease
        assert lease
        if lease.queued:
            self._limiter.advance(self._clock.now)
        if lease.queued:
            del self._waiting[lease]
            self._refuse_by_limits(call, self._limiter.refusal_after_wait(lease, self._clock.now))

    def _schedule_rate_turn(self) -> None:
        """Schedule the next turn of calls that wait for their caller's rate."""
        due = self._limiter.next_due()
        if due < self._rate_due:
            self._rate_due = due
            self._clock.at(due, self._rate_is_due)

    def _rate_is_due(self, _: None) -> None:
        self._rate_due = math.inf
        self._limiter.advance(self._clock.now)
        self._schedule_rate_turn()

    def _forward(self, call: Call) -> None:
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

    # Rejects.

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
        """Refuse a call, after everything is released.

        `guard` is the protection that refuses it; or `true` is the time (seconds) for which it would still refuse.
        """
        self._release(call)
        jitter = MAX_JITTER * randomness.uniform(call.request.seed, call.attempt, randomness.JITTER)
        headers = said.headers(jitter)
        self._measure.refused(headers, self._clock.now, guard, true)
        self._listener.answered(call, said.status, headers)

    # Evidence.

    def first_token(self, call: Call) -> None:
        """Pass the first token on; it is a success."""
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
        """Pass a broken answer on, and judge it."""
        # Under load connections are reused; one that ends before the first byte of an answer is neutral.
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
        """Settle the call's permit; the breaker takes the first verdict, and a failure after a success."""
        if self._breaker and call.permit:
            self._breaker.settle(call.permit, evidence, self._clock.now, hint)
            self._arm()
            if self._measure.awaits("circuit"):
                self._record_open()

    # Release, and timers.

    def _release(self, call: Call) -> None:
        if call.released:
            return
        super()._release(call)
        now = self._clock.now
        self._judge(call, NEUTRAL)
        if call.lease:
            self._limiter.leave(call.lease, now)
            self._schedule_rate_turn()
            if self._measure.awaits(call.request.caller):
                self._measure.opened(call.request.caller, now)
            if self._slots.available_tokens > 0:
                self._measure.opened("capacity", now)
            if len(self._waiting) < max(1, self._limits.queue_size):
                self._measure.opened("queue", now)

    def _arm(self) -> None:
        """Schedule the breaker's next due time."""
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

    def _record_open(self) -> None:
        """Record the time at which the breaker would admit a refused caller."""
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
