"""The bridge: the program's own limiter, breaker and key cooldowns, in the order in which a request meets them.

slot → rate → shares, or a turn in the queue if the breaker is not open → tokens → key cooldown → breaker →
provider. Answers are judged by the program's own rules. What the program does in tasks is done here in events of
the simulated clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from random import Random

from aibridge_trio.core.breaker import verdict
from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.core.breaker.verdict import NEUTRAL, SUCCESS, Evidence
from aibridge_trio.core.limits import refusals
from aibridge_trio.core.limits.concurrency import ConcurrencyLimiter
from aibridge_trio.core.limits.in_flight import InFlight
from aibridge_trio.core.limits.lease import Lease
from aibridge_trio.errors import MAX_JITTER, AtCapacity, Phase, RateLimited, Reject, UpstreamFault
from aibridge_trio.simulate.policies.circuit import Circuit
from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.policies.token_limit import TokenLimit
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario import settings
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.world import randomness
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock

_OVERLOADED = verdict.of_event("error", {"type": "error", "error": {"type": "overloaded_error"}})


class Bridge(Policy):
    """The program with the settings in `values`; `seed` determines its random choices.

    `own_keys` tells of each provider whether callers' own keys go up.
    """

    def __init__(
        self, values: Values, clock: Clock, measure: Measure, *, own_keys: Mapping[str, bool], seed: int | str
    ) -> None:
        super().__init__(clock, measure, values["first_byte_timeout"])
        self._limits = limits = settings.limits(values)
        self._slots = InFlight(limits.max_concurrency or math.inf)
        self._waiting: dict[Lease, Call] = {}
        spread: Callable[[], float] = Random(f"{seed}/rate").random  # noqa: S311 - no secret
        self._limiter = ConcurrencyLimiter(limits, self._slots, self._wake, chance=spread)
        self._rate_due = math.inf
        self._tokens = TokenLimit(values["token_limit"], measure)
        self._breaks: bool = values["circuit_breaker"]
        self._circuits = {
            name: self._new_circuit(name, values, own_keys=own, seed=seed) for name, own in own_keys.items()
        }
        self._slow: float = values["circuit_breaker_slow_first_byte"]

    def _new_circuit(self, provider: str, values: Values, *, own_keys: bool, seed: int | str) -> Circuit:
        return Circuit(provider, values, self._clock, self._measure, own_keys=own_keys, seed=seed)

    @property
    def state(self) -> str:
        """The state of the first breaker that is not closed, else closed; empty without breakers."""
        states = [each.state for each in self._circuits.values() if each.state is not State.CLOSED]
        return str(states[0] if states else State.CLOSED) if self._breaks else ""

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
        acquired = self._limiter.acquire(lease, caller, call.request.group.provider, now)
        if not acquired and (refusal := self._limiter.join_queue(lease, now)):
            self._refuse_by_limits(call, refusal)
        elif lease.queued and (known := self._circuit(call).known_refusal(caller)):
            # An open breaker refuses before the wait, not after it.
            self._refuse(call, known, self._circuit(call).guard)
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
        if spent := self._tokens.charge(call, self._clock.now):
            self._refuse(call, spent, true=spent.wait)
            return
        if refused := self._circuit(call).admit(call):
            self._refuse(call, *refused)
            return
        self._admitted(call)

    def _admitted(self, call: Call) -> None:
        """Send a call that has all it needs."""
        self._circuit(call).sent(call)
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
        self._refuse(call, refusals.reject(refusal, call.request.group.provider, seconds), guard, true)

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
        self._circuit(call).judge_error(call, status, headers, exhausted=exhausted)
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

    def _judge(self, call: Call, evidence: Evidence) -> None:
        self._circuit(call).judge(call, evidence)

    def _circuit(self, call: Call) -> Circuit:
        return self._circuits[call.request.group.provider]

    # Release.

    def _release(self, call: Call) -> None:
        if call.released:
            return
        super()._release(call)
        now = self._clock.now
        self._tokens.settle(call, now)
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
