"""What stands between callers and provider: here nothing but the way there and back, which others narrow."""

from __future__ import annotations

import math

from aibridge_trio.errors import Phase, Reject, UpstreamTimeout, UpstreamUnreachable
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import Call, CallListener, CallTarget
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Clock

# What stands for the only provider of a simulation in messages and shares.
PROVIDER = "provider"


class Policy:
    """Lets every call through at once: no protection. An answer that does not begin in time is given up."""

    def __init__(self, clock: Clock, measure: Measure, patience: float = math.inf) -> None:
        self.callers: CallListener | None = None
        self.provider: CallTarget | None = None
        self._clock = clock
        self._measure = measure
        self._patience = patience

    @property
    def state(self) -> str:
        """The breaker's state; empty without a breaker."""
        return ""

    @property
    def waiting(self) -> int:
        """How many calls wait here."""
        return 0

    @property
    def held(self) -> int:
        """How many slots are held here."""
        return 0

    def call(self, call: Call) -> None:
        """Take a caller's call."""
        self._send(call)

    def left(self, call: Call) -> None:
        """Hear that the caller has gone, and cancel its call."""
        self._cancel(call)
        self._over(call)

    # What the provider says.

    def first(self, call: Call) -> None:
        """Pass the first token on."""
        call.begun = True
        self._back.first(call)

    def ended(self, call: Call) -> None:
        """Pass the end on."""
        self._measure.came_back(good=True, now=self._clock.now)
        self._over(call)
        self._back.ended(call)

    def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
        """Pass an error on."""
        self._measure.came_back(good=False, now=self._clock.now)
        self._over(call)
        self._back.answered(call, status, headers, exhausted=exhausted)

    def broke(self, call: Call, phase: Phase) -> None:
        """Break off as well; or say so, while nothing has been passed on."""
        self._measure.came_back(good=False, now=self._clock.now)
        self._over(call)
        if call.begun:
            self._back.broke(call, phase)
        else:
            self._say(call, UpstreamUnreachable(PROVIDER, phase))

    def overloaded(self, call: Call) -> None:
        """Pass the error event on."""
        self._measure.came_back(good=False, now=self._clock.now)
        self._over(call)
        self._back.overloaded(call)

    # What the kinds of doors share.

    @property
    def _back(self) -> CallListener:
        assert self.callers
        return self.callers

    def _send(self, call: Call) -> None:
        assert self.provider
        call.sent = True
        self._measure.sent()
        due = self._clock.now + self._patience
        # A caller who leaves earlier needs no alarm.
        if due < call.wish.born + call.wish.group.patience:
            self._clock.at(due, self._too_late, call)
        self.provider.call(call)

    def _cancel(self, call: Call) -> None:
        if call.sent and not call.over:
            assert self.provider
            self.provider.left(call)
            self._measure.came_back(good=False, now=self._clock.now)

    def _too_late(self, call: Call) -> None:
        if call.begun or call.over:
            return
        self._cancel(call)
        self._silent(call)
        self._over(call)
        self._say(call, UpstreamTimeout(PROVIDER, "head"))

    def _silent(self, call: Call) -> None:
        """Judge a provider that did not begin to answer in time."""

    def _over(self, call: Call) -> None:
        """Give back what a call holds."""
        call.over = True

    def _say(self, call: Call, reject: Reject, jitter: float = 0.0) -> None:
        self._back.answered(call, reject.status, reject.headers(jitter))
