"""Policies of other programs, as read in their code, for comparison.

Both get their best case: one breaker for all callers of a provider, in one process.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

from aibridge_trio.errors import Phase
from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario.scenario import PROVIDER
from aibridge_trio.simulate.scenario.settings import Values
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock

_TOO_MANY_REQUESTS = 429
_UNAVAILABLE = 503
_OVERLOADED = 529


class GoBridge(Policy):
    """The Go AI Bridge: a breaker on consecutive failures (gobreaker), judged by the status sent to the caller.

    Five in a row within a tumbling interval of 10 s open it for 30 s. Half-open it admits three calls, and three
    successes close it. A call that ends in another interval than it began in is not counted. A broken stream, an
    error event in a 200 and an unreachable provider are successes. Retry-After is always the whole 30 s; a reject
    above the concurrency limit has none.
    """

    _THRESHOLD, _INTERVAL, _TIMEOUT, _PROBES = 5, 10.0, 30.0, 3

    def __init__(self, values: Values, clock: Clock, measure: Measure, provider: str = PROVIDER) -> None:
        super().__init__(clock, measure, values["first_byte_timeout"])
        self._guard = ("circuit", provider)
        self._most = values["max_concurrency"] or math.inf
        self._held = 0
        self._state = "closed"
        self._generation = 0
        self._until = clock.now + self._INTERVAL
        self._requests = self._failures = self._successes = 0

    @property
    def state(self) -> str:
        """The breaker's state."""
        return self._state

    @property
    def held(self) -> int:
        """How many slots are held."""
        return self._held

    def call(self, call: Call) -> None:
        """Take a caller's call."""
        now = self._clock.now
        if self._held >= self._most:
            self._refuse(call, _UNAVAILABLE, (), "capacity")
            return
        self._advance()
        if self._state == "open" or (self._state == "half-open" and self._requests >= self._PROBES):
            self._refuse(call, _UNAVAILABLE, ((b"retry-after", b"%d" % self._TIMEOUT),), self._guard)
            return
        self._requests += 1
        self._held += 1
        call.permit = self._generation
        self._measure.opened(self._guard, now)
        self._send(call)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """Count 429, 503 and 529 as failures; any other answer is a success."""
        self._count(call, failed=status in (_TOO_MANY_REQUESTS, _UNAVAILABLE, _OVERLOADED))
        super().answered(call, status, headers, exhausted=exhausted)

    def _release(self, call: Call) -> None:
        if call.released:
            return
        super()._release(call)
        if call.sent:
            self._count(call, failed=False)
            self._held -= 1
            self._measure.opened("capacity", self._clock.now)

    def _count(self, call: Call, *, failed: bool) -> None:
        if call.judged:
            return
        call.judged = True
        self._advance()
        if call.permit != self._generation:
            return
        if failed:
            self._failures, self._successes = self._failures + 1, 0
            if self._state == "half-open" or self._failures >= self._THRESHOLD:
                self._become("open")
        else:
            self._failures, self._successes = 0, self._successes + 1
            if self._state == "half-open" and self._successes >= self._PROBES:
                self._become("closed")

    def _advance(self) -> None:
        if self._clock.now < self._until:
            return
        if self._state == "open":
            self._become("half-open")
        elif self._state == "closed":
            self._begin(self._INTERVAL)

    def _become(self, state: str) -> None:
        self._state = state
        self._measure.transitioned(trip=state == "open")
        self._begin({"closed": self._INTERVAL, "open": self._TIMEOUT}.get(state, math.inf))
        if state == "open":
            self._clock.at(self._until, self._would_admit)
        else:
            self._measure.opened(self._guard, self._clock.now)

    def _begin(self, seconds: float) -> None:
        self._generation += 1
        self._until = self._clock.now + seconds
        self._requests = self._failures = self._successes = 0

    def _would_admit(self, _: None) -> None:
        if self._state == "open" and self._clock.now >= self._until:
            self._measure.opened(self._guard, self._clock.now)

    def _refuse(self, call: Call, status: int, headers: Headers, guard: Hashable) -> None:
        self._measure.refused(headers, self._clock.now, guard)
        self._listener.answered(call, status, headers)


class LiteLlm(Policy):
    """LiteLLM's router, for one deployment: a cooldown of 5 s after more than three failures in a minute.

    Errors and failed connections count, broken streams do not. During a cooldown calls get a 429 without
    Retry-After; after it all are admitted, and the next failure in the same minute starts another cooldown.
    """

    _ALLOWED, _MINUTE, _COOLDOWN = 3, 60.0, 5.0

    def __init__(self, values: Values, clock: Clock, measure: Measure, provider: str = PROVIDER) -> None:
        super().__init__(clock, measure, values["first_byte_timeout"])
        self._guard = ("circuit", provider)
        self._minute = 0
        self._failures = 0
        self._until = 0.0

    @property
    def state(self) -> str:
        """`open` during a cooldown."""
        return "open" if self._clock.now < self._until else "closed"

    def call(self, call: Call) -> None:
        """Take a caller's call."""
        if self._clock.now < self._until:
            self._measure.refused((), self._clock.now, self._guard)
            self._listener.answered(call, _TOO_MANY_REQUESTS, ())
            return
        self._send(call)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """Count errors of the server, of authentication and of quotas as failures."""
        if status >= 500 or status in (401, 404, 408, 429):  # noqa: PLR2004 - HTTP's
            self._fail()
        super().answered(call, status, headers, exhausted=exhausted)

    def broke(self, call: Call, phase: Phase) -> None:
        """Count a failed connection."""
        if not call.begun:
            self._fail()
        super().broke(call, phase)

    def _timed_out(self, call: Call) -> None:  # noqa: ARG002 - any call's silence counts
        self._fail()

    def _fail(self) -> None:
        now = self._clock.now
        minute = int(now / self._MINUTE)
        if minute != self._minute:
            self._minute, self._failures = minute, 0
        self._failures += 1
        if self._failures > self._ALLOWED:
            if now >= self._until:
                self._measure.transitioned(trip=True)
            self._until = now + self._COOLDOWN
            self._clock.at(self._until, self._would_admit)

    def _would_admit(self, _: None) -> None:
        if self._clock.now >= self._until:
            self._measure.opened(self._guard, self._clock.now)
