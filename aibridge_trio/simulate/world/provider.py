"""A provider with slots, a token rate, quotas, and phases with faults.

A call meets, in this order: the phase's fault (refused connection, error, silence), the key's quota, and a free
slot. Its first token comes after a lognormal time, the others at a steady rate; or the answer breaks half-way.
"""

from __future__ import annotations

import math
from collections import deque

from aibridge_trio.simulate.scenario.scenario import Phase, Scenario
from aibridge_trio.simulate.world.call import GONE, QUEUED, SILENT, STREAMING, WORKING, Call, CallListener
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.quota import Keys
from aibridge_trio.simulate.world.randomness import FAULT, FIRST_TOKEN, lognormal, uniform

# How long a refused connection takes (seconds).
_REFUSED_AFTER = 0.001
_HEALTHY = Phase(0.0, math.inf, "none", 0.0, None, cuts=False, slower=1.0, slots=None)


class Provider:
    """Answers calls; its `listener` gets their events."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.listener: CallListener | None = None
        self.calls = 0
        self._model = scenario.model
        self._clock = clock
        self._keys = Keys(scenario.model)
        self._active: list[Phase] = []
        self._phase = _HEALTHY
        self._slots = self._model.slots or math.inf
        # In the order in which they began. A call without an answer, or with an error, holds no slot.
        self._serving: dict[Call, None] = {}
        self._silent = 0
        self._queue: deque[Call] = deque()
        for phase in scenario.phases:
            clock.at(phase.start, self._start_phase, phase)
            clock.at(phase.end, self._end_phase, phase)

    @property
    def in_flight(self) -> int:
        """How many calls it has, in whatever state."""
        return len(self._serving) + len(self._queue) + self._silent

    def call(self, call: Call) -> None:
        """Begin to answer."""
        self.calls += 1
        now, phase, model = self._clock.now, self._phase, self._model
        fault = phase.fault if uniform(call.request.seed, call.attempt, FAULT) <= phase.share else "none"
        if fault == "hang":
            call.stage = SILENT
            self._silent += 1
        elif fault == "refuse":
            call.stage = SILENT
            self._silent += 1
            self._clock.at(now + _REFUSED_AFTER, self._refused, call)
        elif fault == "exhausted":
            self._answer(call, 429, None, exhausted=True)
        elif fault.isdigit():
            until_over = phase.retry_after == math.inf
            self._answer(call, int(fault), phase.end - now if until_over else phase.retry_after)
        elif wait := self._keys.take(
            call.request.caller if model.own_keys else 0, call.request.prompt + call.request.tokens, now
        ):
            self._answer(call, 429, wait)
        elif len(self._serving) < self._slots or model.when_full == "slow":
            self._begin(call)
        elif model.when_full == "queue" and len(self._queue) < model.queue:
            call.stage = QUEUED
            self._queue.append(call)
        else:
            status = int(model.when_full) if model.when_full.isdigit() else 529
            self._answer(call, status, model.full_retry_after or None)

    def cancel(self, call: Call) -> None:
        """Stop working for a call whose caller has gone."""
        stage, call.stage = call.stage, GONE
        if stage == QUEUED:
            self._queue.remove(call)
        elif stage == SILENT:
            self._silent -= 1
        elif stage in (WORKING, STREAMING):
            self._free(call)

    def __repr__(self) -> str:
        return f"<Provider {len(self._serving)} served, {len(self._queue)} wait>"

    # A call that is served.

    def _begin(self, call: Call) -> None:
        model, phase, now = self._model, self._phase, self._clock.now
        self._serving[call] = None
        call.stage = WORKING
        slower = phase.slower
        if model.when_full == "slow" and len(self._serving) > self._slots:
            slower *= len(self._serving) / self._slots
        quantile = uniform(call.request.seed, call.attempt, FIRST_TOKEN)
        first = now + slower * lognormal(model.first_token, model.first_token_spread, quantile)
        call.end = first + slower * call.request.tokens / model.tokens_per_second
        self._clock.at(first, self._start, call)

    def _start(self, call: Call) -> None:
        if call.stage != WORKING:
            return
        phase = self._phase
        hit = uniform(call.request.seed, call.attempt, FAULT) <= phase.share
        if hit and phase.fault == "overloaded":
            self._finish(call)
            self._listener.overloaded(call)
            return
        call.stage = STREAMING
        if hit and phase.fault == "break":
            self._clock.at((self._clock.now + call.end) / 2, self._break, call)
        else:
            self._clock.at(call.end, self._complete, call)
        self._listener.first_token(call)

    def _complete(self, call: Call) -> None:
        if call.stage == STREAMING:
            self._finish(call)
            self._listener.completed(call)

    def _break(self, call: Call) -> None:
        if call.stage in (WORKING, STREAMING):
            phase = "stream" if call.stage == STREAMING else "head"
            self._finish(call)
            self._listener.broke(call, "stream" if phase == "stream" else "head")

    # A call that gets an error.

    def _answer(self, call: Call, status: int, wait: float | None, *, exhausted: bool = False) -> None:
        headers = [] if wait is None else [(b"retry-after", b"%d" % max(1, math.ceil(wait)))]
        call.stage = SILENT
        self._silent += 1
        self._clock.at(
            self._clock.now + self._model.error_latency, self._send_error, (call, status, headers, exhausted)
        )

    def _send_error(self, what: tuple[Call, int, Headers, bool]) -> None:
        call, status, headers, exhausted = what
        if call.stage == SILENT:
            self._silent -= 1
            call.stage = GONE
            self._listener.answered(call, status, headers, exhausted=exhausted)

    def _refused(self, call: Call) -> None:
        if call.stage == SILENT:
            self._silent -= 1
            call.stage = GONE
            self._listener.broke(call, "connect")

    # Slots and phases.

    @property
    def _listener(self) -> CallListener:
        assert self.listener
        return self.listener

    def _finish(self, call: Call) -> None:
        call.stage = GONE
        self._free(call)

    def _free(self, call: Call) -> None:
        del self._serving[call]
        self._fill()

    def _fill(self) -> None:
        while self._queue and len(self._serving) < self._slots:
            self._begin(self._queue.popleft())

    def _start_phase(self, phase: Phase) -> None:
        self._active.append(phase)
        self._apply_phase()
        if phase.cuts:
            for call in list(self._serving):
                self._break(call)

    def _end_phase(self, phase: Phase) -> None:
        self._active.remove(phase)
        self._apply_phase()

    def _apply_phase(self) -> None:
        """Apply the phase that began last."""
        self._phase = self._active[-1] if self._active else _HEALTHY
        self._slots = self._model.slots if self._phase.slots is None else self._phase.slots
        self._slots = self._slots or math.inf
        self._fill()
