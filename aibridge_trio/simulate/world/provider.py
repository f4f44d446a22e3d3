"""A provider as its callers see it: so many slots, a pace, quotas, and phases in which something is wrong.

In the order of a call: what the phase does to it (refused connection, an error, silence), the key's quota, a free
slot. Then its first token comes after a lognormal time and the others at a steady pace; or it breaks off half-way.
"""

from __future__ import annotations

import math
from collections import deque

from aibridge_trio.simulate.scenario.scenario import Phase, Scenario
from aibridge_trio.simulate.world.call import GONE, QUEUED, SILENT, STREAMING, WORKING, Call, CallListener
from aibridge_trio.simulate.world.chance import FAULT, FIRST_TOKEN, chance, lognormal
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.quota import Keys

# How long it takes to find nobody there.
_REFUSED_AFTER = 0.001
_WELL = Phase(0.0, math.inf, "none", 0.0, None, cuts=False, slower=1.0, slots=None)


class Provider:
    """Answers calls, and tells its `listener` what comes of them."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.listener: CallListener | None = None
        self.calls = 0
        self._model = scenario.model
        self._clock = clock
        self._keys = Keys(scenario.model)
        self._active: list[Phase] = []
        self._phase = _WELL
        self._slots = self._model.slots or math.inf
        # In the order in which they began. Who is silent holds no slot.
        self._serving: dict[Call, None] = {}
        self._silent = 0
        self._queue: deque[Call] = deque()
        for phase in scenario.phases:
            clock.at(phase.start, self._begins, phase)
            clock.at(phase.end, self._is_over, phase)

    @property
    def in_flight(self) -> int:
        """How many calls are with it, in whatever state."""
        return len(self._serving) + len(self._queue) + self._silent

    def call(self, call: Call) -> None:
        """Begin to answer."""
        self.calls += 1
        now, phase, model = self._clock.now, self._phase, self._model
        fault = phase.fault if chance(call.wish.luck, call.number, FAULT) <= phase.share else "none"
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
            call.wish.caller if model.own_keys else 0, call.wish.prompt + call.wish.tokens, now
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

    def left(self, call: Call) -> None:
        """Stop working for a call: nobody waits for it."""
        stage, call.stage = call.stage, GONE
        if stage == QUEUED:
            self._queue.remove(call)
        elif stage == SILENT:
            self._silent -= 1
        elif stage in (WORKING, STREAMING):
            self._free(call)

    def __repr__(self) -> str:
        return f"<Provider {len(self._serving)} served, {len(self._queue)} wait>"

    # The way of a call that is served.

    def _begin(self, call: Call) -> None:
        model, phase, now = self._model, self._phase, self._clock.now
        self._serving[call] = None
        call.stage = WORKING
        slower = phase.slower
        if model.when_full == "slow" and len(self._serving) > self._slots:
            slower *= len(self._serving) / self._slots
        luck = chance(call.wish.luck, call.number, FIRST_TOKEN)
        first = now + slower * lognormal(model.first_token, model.first_token_spread, luck)
        call.end = first + slower * call.wish.tokens / model.tokens_per_second
        self._clock.at(first, self._first, call)

    def _first(self, call: Call) -> None:
        if call.stage != WORKING:
            return
        phase = self._phase
        hit = chance(call.wish.luck, call.number, FAULT) <= phase.share
        if hit and phase.fault == "overloaded":
            self._finish(call)
            self._to.overloaded(call)
            return
        call.stage = STREAMING
        if hit and phase.fault == "break":
            self._clock.at((self._clock.now + call.end) / 2, self._breaks, call)
        else:
            self._clock.at(call.end, self._ends, call)
        self._to.first(call)

    def _ends(self, call: Call) -> None:
        if call.stage == STREAMING:
            self._finish(call)
            self._to.ended(call)

    def _breaks(self, call: Call) -> None:
        if call.stage in (WORKING, STREAMING):
            phase = "stream" if call.stage == STREAMING else "head"
            self._finish(call)
            self._to.broke(call, "stream" if phase == "stream" else "head")

    # The ways of those that are not.

    def _answer(self, call: Call, status: int, wait: float | None, *, exhausted: bool = False) -> None:
        headers = [] if wait is None else [(b"retry-after", b"%d" % max(1, math.ceil(wait)))]
        call.stage = SILENT
        self._silent += 1
        self._clock.at(
            self._clock.now + self._model.error_latency, self._says_no, (call, status, headers, exhausted)
        )

    def _says_no(self, what: tuple[Call, int, Headers, bool]) -> None:
        call, status, headers, exhausted = what
        if call.stage == SILENT:
            self._silent -= 1
            call.stage = GONE
            self._to.answered(call, status, headers, exhausted=exhausted)

    def _refused(self, call: Call) -> None:
        if call.stage == SILENT:
            self._silent -= 1
            call.stage = GONE
            self._to.broke(call, "connect")

    # Slots and phases.

    @property
    def _to(self) -> CallListener:
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

    def _begins(self, phase: Phase) -> None:
        self._active.append(phase)
        self._turn()
        if phase.cuts:
            for call in list(self._serving):
                self._breaks(call)

    def _is_over(self, phase: Phase) -> None:
        self._active.remove(phase)
        self._turn()

    def _turn(self) -> None:
        """Go by the phase that began last."""
        self._phase = self._active[-1] if self._active else _WELL
        self._slots = self._model.slots if self._phase.slots is None else self._phase.slots
        self._slots = self._slots or math.inf
        self._fill()
