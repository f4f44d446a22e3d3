"""The base of all policies, which forwards every call: what runs between callers and provider in a simulation."""

from __future__ import annotations

import math

from aibridge_trio.errors import Phase, Reject, UpstreamTimeout, UpstreamUnreachable
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import Call, CallListener, CallTarget
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.providers import Providers


class Policy:
    """Forwards every call at once: no protection but the timeout for the first byte (seconds)."""

    def __init__(self, clock: Clock, measure: Measure, first_byte_timeout: float = math.inf) -> None:
        self.callers: CallListener | None = None
        self.provider: CallTarget | None = None
        self._clock = clock
        self._measure = measure
        self._first_byte_timeout = first_byte_timeout

    def connect(self, callers: CallListener, providers: Providers) -> None:
        """Stand between these."""
        self.callers, self.provider = callers, providers

    @property
    def state(self) -> str:
        """The breaker's state; empty without a breaker."""
        return ""

    @property
    def waiting(self) -> int:
        """How many calls are queued."""
        return 0

    @property
    def held(self) -> int:
        """How many slots are held."""
        return 0

    def call(self, call: Call) -> None:
        """Take a caller's call."""
        self._send(call)

    def cancel(self, call: Call) -> None:
        """Cancel a call whose caller has gone."""
        self._cancel(call)
        self._release(call)

    # Events from the provider.

    def head(self, call: Call, headers: Headers) -> None:
        """Receive what a provider with `quota_headers` tells of its quota, before the first token."""

    def first_token(self, call: Call) -> None:
        """Forward the first token."""
        call.begun = True
        self._listener.first_token(call)

    def completed(self, call: Call) -> None:
        """Forward the end."""
        self._measure.came_back(good=True, now=self._clock.now)
        self._release(call)
        self._listener.completed(call)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """Forward an error."""
        self._measure.came_back(good=False, now=self._clock.now)
        self._release(call)
        self._listener.answered(call, status, headers, exhausted=exhausted)

    def broke(self, call: Call, phase: Phase) -> None:
        """Break the answer as well; before its first token, reject the call."""
        self._measure.came_back(good=False, now=self._clock.now)
        self._release(call)
        if call.begun:
            self._listener.broke(call, phase)
        else:
            self._reject(call, UpstreamUnreachable(call.request.group.provider, phase))

    def overloaded(self, call: Call) -> None:
        """Forward the error event."""
        self._measure.came_back(good=False, now=self._clock.now)
        self._release(call)
        self._listener.overloaded(call)

    # Shared by all policies.

    @property
    def _listener(self) -> CallListener:
        assert self.callers
        return self.callers

    def _send(self, call: Call) -> None:
        assert self.provider
        call.sent = True
        self._measure.sent(call, self._clock.now)
        due = self._clock.now + self._first_byte_timeout
        # No timer for a caller that leaves earlier.
        if due < call.request.born + call.request.group.patience:
            self._clock.at(due, self._first_byte_due, (call, call.sends))
        self.provider.call(call)

    def _cancel(self, call: Call) -> None:
        if call.sent and not call.released:
            assert self.provider
            self.provider.cancel(call)
            self._measure.came_back(good=False, now=self._clock.now)

    def _first_byte_due(self, send: tuple[Call, int]) -> None:
        call, number = send
        if call.begun or call.released or call.sends != number:
            return
        self._cancel(call)
        self._timed_out(call)
        self._release(call)
        self._reject(call, UpstreamTimeout(call.request.group.provider, "head"))

    def _timed_out(self, call: Call) -> None:
        """Judge a timeout of the first byte."""

    def _release(self, call: Call) -> None:
        """Give back all that a call holds."""
        call.released = True

    def _reject(self, call: Call, reject: Reject, jitter: float = 0.0) -> None:
        self._listener.answered(call, reject.status, reject.headers(jitter))
