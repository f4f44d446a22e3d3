"""A provider with slots, a token rate, quotas, and phases with faults.

A call meets, in this order: the phase's fault (refused connection, error, silence), the key's quota, and a free
slot. Its first token comes after a lognormal time, the others at a steady rate; or the answer breaks half-way.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

from aibridge_trio.core.quota import Quotas
from aibridge_trio.core.quota_headers import openai_headers
from aibridge_trio.simulate.scenario.scenario import PROVIDER, Scenario
from aibridge_trio.simulate.world.call import GONE, OUTSIDE, QUEUED, SILENT, STREAMING, WORKING, Call, CallListener
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.randomness import FAULT, FIRST_TOKEN, lognormal
from aibridge_trio.simulate.world.timeline import HEALTHY, Timeline

# How long a refused connection takes (seconds).
_REFUSED_AFTER = 0.001
# When to ask again about a call that comes too late while there are too many (seconds).
_SOON = 0.1
# Faults that come after the answer has begun, or in place of its first token; the others come at once.
_LATE = ("none", "overloaded", "break")
# A call, and which of its sends it is: what is scheduled for an earlier one does not concern a later one.
_Send = tuple[Call, int]


class Provider:
    """Answers calls; its `listener` gets their events. It is the one of this name in the scenario."""

    def __init__(self, scenario: Scenario, clock: Clock, name: str = PROVIDER) -> None:
        self.listener: CallListener | None = None
        self.calls = 0
        self._model = model = scenario.models[name]
        self._clock = clock
        self._quotas: Quotas[int] = Quotas(model.requests_per_minute, model.tokens_per_minute, model.quota_burst)
        phases = [phase for phase in scenario.phases if phase.provider in ("", name)]
        self._timeline = Timeline(phases, model.slots, model.slots_curve, scenario.duration)
        self._phase = HEALTHY
        self._slots = self._timeline.slots(-1.0)
        # In the order in which they began. A call without an answer, or with an error, holds no slot.
        self._serving: dict[Call, None] = {}
        self._silent = 0
        self._queue: deque[Call] = deque()
        for when in self._timeline.changes:
            clock.at(when, self._change)

    @property
    def in_flight(self) -> int:
        """How many calls it has, in whatever state."""
        return len(self._serving) + len(self._queue) + self._silent

    # What only a clairvoyant policy may ask.

    @property
    def changes(self) -> list[float]:
        """When its phases change."""
        return self._timeline.changes

    def blocked(self) -> float:
        """Return for how many seconds no call would be answered if it were sent; infinite: until a change.

        A change is that a phase begins or ends, or that a call does. A provider that queues calls takes them until
        its queue is full, and one that serves more of them more slowly takes all.
        """
        phase, model = self._phase, self._model
        if phase.share >= 1 and phase.fault not in _LATE:
            return math.inf
        full = len(self._serving) >= self._slots
        queues = model.when_full == "queue" and len(self._queue) < model.queue
        if full and not queues and model.when_full != "slow":
            return math.inf
        return 0.0 if model.own_keys else self._quotas.shortage(0, 1, self._clock.now).wait

    def foresee(self, call: Call) -> float:
        """Return 0 if a call that is sent now would be answered, else in how many seconds one may be.

        Infinite is when a phase begins or ends, at the soonest. What chance decides against a call is passed over:
        the number of its sends goes on as if it had failed in no time.
        """
        now = self._clock.now
        if wait := self._quotas.shortage(*self._price(call), now).wait:
            return wait
        until = call.request.born + call.request.group.patience
        while True:
            first, end = self._times(call)
            if first >= until or end >= self._timeline.next_cut(now):
                # Where many make it slow, a call may be answered in time when they are fewer.
                return _SOON if len(self._serving) >= self._slots else math.inf
            at_once, late = self._phase, self._timeline.at(first)
            faults = [at_once] if at_once.fault not in _LATE else []
            faults += [late] if late.fault in ("overloaded", "break") else []
            shares = [phase.share for phase in faults if call.chance(FAULT) <= phase.share]
            if not shares:
                return 0.0
            if max(shares) >= 1:
                return math.inf
            call.sends += 1

    # Calls.

    def call(self, call: Call) -> None:
        """Begin to answer."""
        self.calls += 1
        call.head = ()
        now, phase, model = self._clock.now, self._phase, self._model
        fault = phase.fault if call.chance(FAULT) <= phase.share else "none"
        if fault == "hang":
            call.stage = SILENT
            self._silent += 1
        elif fault == "refuse":
            call.stage = SILENT
            self._silent += 1
            self._clock.at(now + _REFUSED_AFTER, self._refused, (call, call.sends))
        elif fault == "exhausted":
            self._answer(call, 429, None, exhausted=True)
        elif fault.isdigit():
            until_over = phase.retry_after == math.inf
            self._answer(call, int(fault), phase.end - now if until_over else phase.retry_after)
        elif wait := self._charge(call):
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
        if call.stage == QUEUED:
            self._queue.remove(call)
        if call.stage in (OUTSIDE, GONE):
            return
        self._finish(call)

    def __repr__(self) -> str:
        return f"<Provider {len(self._serving)} served, {len(self._queue)} wait>"

    # A call that is served.

    def _begin(self, call: Call) -> None:
        first, call.end = self._times(call)
        self._serving[call] = None
        call.stage = WORKING
        self._clock.at(first, self._start, (call, call.sends))

    def _times(self, call: Call) -> tuple[float, float]:
        """Return when a call that begins now has its first token, and when it is complete."""
        model, serving = self._model, len(self._serving) + 1
        slower = self._phase.slower
        if model.when_full == "slow" and serving > self._slots:
            slower *= serving / self._slots
        first = slower * lognormal(model.first_token, model.first_token_spread, call.chance(FIRST_TOKEN))
        first += self._clock.now
        return first, first + slower * call.request.tokens / model.tokens_per_second

    def _charge(self, call: Call) -> float:
        """Charge a call to its key's quota, and return 0; or return seconds until there is enough."""
        now, (key, tokens) = self._clock.now, self._price(call)
        wait = self._quotas.take(key, tokens, now).wait
        if self._model.quota_headers:
            call.head = openai_headers(self._quotas.of(key, now), now)
        return wait

    def _price(self, call: Call) -> tuple[int, int]:
        """Return the key of a call, and how many tokens of its quota it takes."""
        return call.request.caller if self._model.own_keys else 0, call.request.prompt + call.request.tokens

    def _start(self, send: _Send) -> None:
        call, number = send
        if call.sends != number:
            return
        if call.head:
            self._listener.head(call, call.head)
        phase = self._phase
        hit = call.chance(FAULT) <= phase.share
        if hit and phase.fault == "overloaded":
            self._finish(call)
            self._listener.overloaded(call)
            return
        call.stage = STREAMING
        if hit and phase.fault == "break":
            self._clock.at((self._clock.now + call.end) / 2, self._break, send)
        else:
            self._clock.at(call.end, self._complete, send)
        self._listener.first_token(call)

    def _complete(self, send: _Send) -> None:
        call, number = send
        if call.sends == number:
            self._finish(call)
            self._listener.completed(call)

    def _break(self, send: _Send) -> None:
        call, number = send
        if call.sends == number:
            phase: Literal["stream", "head"] = "stream" if call.stage == STREAMING else "head"
            self._finish(call)
            self._listener.broke(call, phase)

    # A call that gets an error.

    def _answer(self, call: Call, status: int, wait: float | None, *, exhausted: bool = False) -> None:
        headers = [*call.head]
        if wait is not None:
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(wait))))
        call.stage = SILENT
        self._silent += 1
        what = ((call, call.sends), status, headers, exhausted)
        self._clock.at(self._clock.now + self._model.error_latency, self._send_error, what)

    def _send_error(self, what: tuple[_Send, int, Headers, bool]) -> None:
        (call, number), status, headers, exhausted = what
        if call.sends == number:
            self._finish(call)
            self._listener.answered(call, status, headers, exhausted=exhausted)

    def _refused(self, send: _Send) -> None:
        call, number = send
        if call.sends == number:
            self._finish(call)
            self._listener.broke(call, "connect")

    # Slots and phases.

    @property
    def _listener(self) -> CallListener:
        assert self.listener
        return self.listener

    def _finish(self, call: Call) -> None:
        """End this send of a call; a policy may send it once more."""
        stage, call.stage = call.stage, GONE
        call.sends += 1
        if stage == SILENT:
            self._silent -= 1
        elif stage in (WORKING, STREAMING):
            del self._serving[call]
            self._fill()

    def _fill(self) -> None:
        while self._queue and len(self._serving) < self._slots:
            self._begin(self._queue.popleft())

    def _change(self, _: None) -> None:
        """Begin the phase that counts from now on."""
        now = self._clock.now
        self._phase = self._timeline.at(now)
        self._slots = self._timeline.slots(now)
        self._fill()
        if now in self._timeline.cuts:
            for call in list(self._serving):
                self._break((call, call.sends))
