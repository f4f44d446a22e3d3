"""The callers: each request is attempted as its client retries, until its caller's patience ends; it ends once."""

from __future__ import annotations

from collections.abc import Sequence

from aibridge_trio.errors import Phase
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario.demand import Request
from aibridge_trio.simulate.world.call import Call, CallTarget
from aibridge_trio.simulate.world.clients import BROKEN, Headers
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.randomness import BACKOFF, uniform

WAITING, READING, DONE = range(3)


class PendingRequest:
    """The state of one request: its attempts so far, and the current call."""

    __slots__ = ("attempts", "breaks", "call", "first_at", "request", "retries", "state")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.state = WAITING
        self.call: Call | None = None
        self.attempts = 0
        self.retries = 0
        self.breaks = 0
        self.first_at = 0.0


class Callers:
    """Issues all requests, each at its time, to `target`, and receives the events of its calls."""

    def __init__(self, requests: Sequence[Request], clock: Clock, measure: Measure) -> None:
        self.target: CallTarget | None = None
        self._clock = clock
        self._measure = measure
        self._coming = iter(requests)
        self._schedule_next()

    # What callers do.

    def _schedule_next(self) -> None:
        """Schedule the next request; one at a time, which keeps the heap small."""
        request = next(self._coming, None)
        if request is not None:
            self._clock.at(request.born, self._come, request)

    def _come(self, request: Request) -> None:
        self._schedule_next()
        caller = PendingRequest(request)
        self._measure.wanted(request)
        self._clock.at(request.born + request.group.patience, self._end_patience, caller)
        self._try(caller)

    def _try(self, caller: PendingRequest) -> None:
        if caller.state == DONE:
            return
        assert self.target
        caller.call = Call(caller.request, caller.attempts, caller)
        caller.attempts += 1
        self._measure.tried()
        self.target.call(caller.call)

    def _try_again(self, caller: PendingRequest, seconds: float | None) -> None:
        caller.call = None
        caller.state = WAITING
        now, until = self._clock.now, caller.request.born + caller.request.group.patience
        if seconds is None or until <= now:
            caller.state = DONE
            self._measure.gave_up()
        elif now + seconds < until:
            self._clock.at(now + seconds, self._try, caller)
        # Otherwise its patience ends before the next attempt.

    def _end_patience(self, caller: PendingRequest) -> None:
        if caller.state != WAITING:
            return
        caller.state = DONE
        self._measure.left()
        if caller.call:
            assert self.target
            call, caller.call = caller.call, None
            self.target.cancel(call)

    # Events of their calls.

    def head(self, call: Call, headers: Headers) -> None:
        """Ignore the quota, as clients do."""

    def first_token(self, call: Call) -> None:
        """Begin to read."""
        call.caller.state = READING
        call.caller.first_at = self._clock.now

    def completed(self, call: Call) -> None:
        """Count the request as served."""
        caller = call.caller
        caller.state, caller.call = DONE, None
        self._measure.served(call.request, caller.first_at, self._clock.now)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:  # noqa: ARG002 - clients do not look
        """Retry if the client does."""
        self._failed(call, status, headers)

    def broke(self, call: Call, phase: Phase) -> None:
        """Retry if the client does; few clients do after the first token."""
        if phase != "stream":
            self._failed(call, BROKEN, ())
            return
        caller, client = call.caller, call.request.group.client
        seconds = None
        if caller.breaks < client.streams:
            seconds = client.backoff(caller.breaks, uniform(call.request.seed, call.attempt, BACKOFF))
        caller.breaks += 1
        self._try_again(caller, seconds)

    def _failed(self, call: Call, status: int, headers: Headers) -> None:
        """Retry an attempt that failed before its first token; a client that starts over has all retries again."""
        caller, client = call.caller, call.request.group.client
        quantile = uniform(call.request.seed, call.attempt, BACKOFF)
        seconds = client.retry_delay(status, headers, caller.retries, quantile)
        caller.retries += 1
        if seconds is None:
            seconds = client.restart_delay(status, headers, caller.breaks, quantile)
            caller.breaks, caller.retries = caller.breaks + 1, 0
        self._try_again(caller, seconds)

    def overloaded(self, call: Call) -> None:
        """Handle it as an answer that broke."""
        self.broke(call, "stream")
