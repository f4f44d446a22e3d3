"""One provider's breaker and the cooldowns of callers' keys, in events of the simulated clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from random import Random

from aibridge_trio.core.breaker import retry_after, verdict
from aibridge_trio.core.breaker.breaker import Breaker, Refusal, State, Transition
from aibridge_trio.core.breaker.key_cooldowns import KeyCooldowns
from aibridge_trio.core.breaker.probe_permit import Permit
from aibridge_trio.core.breaker.verdict import NEUTRAL, Evidence
from aibridge_trio.core.sharing.needs import Holding
from aibridge_trio.errors import CircuitOpen, CredentialCooldown, Reject
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario import settings
from aibridge_trio.simulate.scenario.scenario import PROVIDER
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock

_EXHAUSTED = {"error": {"code": "insufficient_quota"}}


class Circuit:
    """Admits calls to a provider and judges their answers; without a breaker it admits all."""

    def __init__(
        self, provider: str, values: Values, clock: Clock, measure: Measure, *, own_keys: bool, seed: int | str
    ) -> None:
        self.state = State.CLOSED
        self._provider = provider
        self._clock = clock
        self._measure = measure
        self._policy = settings.breaker_policy(values)
        suffix = "" if provider == PROVIDER else f"/{provider}"
        chance: Callable[[], float] = Random(f"{seed}/bridge{suffix}").random  # noqa: S311 - no secret
        self._due = math.inf
        self._breaker: Breaker | None = self._new_breaker(chance) if values["circuit_breaker"] else None
        self._probes: dict[Permit, bool] = {}  # whether it went up
        self._own_keys = own_keys
        by_key = own_keys and values["circuit_breaker_429"] == "credential"
        self._key_cooldowns = KeyCooldowns(self._policy) if by_key and self._breaker else None

    def _new_breaker(self, chance: Callable[[], float]) -> Breaker:
        return Breaker(self._policy, self._changed, self._clock.now, chance)

    @property
    def guard(self) -> tuple[str, str]:
        """The breaker's name in the measurements."""
        return "circuit", self._provider

    def probes(self, call: Call) -> bool:
        """Return whether a call is a half-open probe."""
        return call.permit in self._probes

    def sent(self, call: Call) -> None:
        """Count a call that goes up, if it is a probe."""
        if call.permit in self._probes:
            self._probes[call.permit] = True
            self._measure.probing(1)

    def need(self) -> Holding | None:
        """Return what a call that comes now must be given to be a probe; None if it needs nothing."""
        return None

    def lacks_right(self, call: Call, rights: Sequence[str]) -> bool:  # noqa: ARG002 - only shared breakers have them
        """Return whether a probe lacks the right to be one; `rights` are keys of holdings."""
        return False

    def known_refusal(self, caller: int) -> Reject | None:
        """Return the reject for a call that would wait for a slot, if the breaker would refuse it after that."""
        if self._breaker and (known := self._breaker.refusal(self._clock.now, caller)):
            return CircuitOpen(self._provider, known.because, known.wait)
        return None

    def admit(self, call: Call) -> tuple[Reject, Hashable, float | None] | None:
        """Admit a call, or return its reject with what `Measure.refused` takes: the guard, or the true wait."""
        now = self._clock.now
        if self._key_cooldowns:
            left = self._key_cooldowns.remaining(_key(call), now)
            if left is not None:
                return CredentialCooldown(self._provider, left), None, left
        if self._breaker:
            answer = self._breaker.admit(now, call.request.caller)
            self._arm()
            if isinstance(answer, Refusal):
                guard = ("ramp", self._provider) if answer.because == "ramp" else self.guard
                return CircuitOpen(self._provider, answer.because, answer.wait), guard, None
            call.permit = answer
            if self.state is State.HALF_OPEN:
                self._probes[answer] = False
            self._measure.opened(("ramp", self._provider), now)
        return None

    def judge_error(self, call: Call, status: int, headers: Headers, *, exhausted: bool) -> None:
        """Judge an answer that is an error."""
        evidence = verdict.of_body(status, _EXHAUSTED if exhausted else {})
        hint = retry_after.from_headers(list(headers), None, 0.0)
        if evidence.quota and self._key_cooldowns:
            if not self._key_cooldowns.start(_key(call), "", hint, self._clock.now):
                evidence = NEUTRAL
        elif self._own_keys:
            evidence = verdict.on_own_key(evidence)
        self.judge(call, evidence, hint)

    def judge(self, call: Call, evidence: Evidence, hint: float | None = None) -> None:
        """Settle the call's permit; the breaker takes the first verdict, and a failure after a success."""
        if self._breaker and call.permit:
            if call.permit in self._probes:
                self._measure.probing(-self._probes.pop(call.permit))
            self._breaker.settle(call.permit, evidence, self._clock.now, hint)
            self._arm()
            if self._measure.awaits(self.guard):
                self._record_open()

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
            self._measure.opened(self.guard, now)

    def _changed(self, change: Transition) -> None:
        opened = (change.target is State.OPEN) - (self.state is State.OPEN)
        if opened:
            self._measure.opened_or_closed(self._provider, self._clock.now, opened=opened)
        self.state = change.target
        self._measure.transitioned(trip=change.trip)
        if change.target is not State.OPEN:
            self._measure.opened(self.guard, self._clock.now)


def _key(call: Call) -> bytes:
    return b"%d" % call.request.caller
