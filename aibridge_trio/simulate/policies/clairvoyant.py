"""The bound: what a bridge that sees into the provider, and into the future, could answer.

It holds what would fail, and sends it when it will be answered. Callers have turns, and of a caller's requests the
oldest is sent whose caller will still be there. It wastes no call, and rejects none.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import Call, CallListener
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.provider import Provider
from aibridge_trio.simulate.world.providers import Providers


class _CallerCalls:
    """The held calls of one caller, in the order in which they came."""

    __slots__ = ("calls", "not_before")

    def __init__(self) -> None:
        # For each call the time before which it would not be answered; and the earliest of these times.
        self.calls: dict[Call, float] = {}
        self.not_before = -math.inf


class _Foreseen:
    """The calls that are held for one provider; `send` sends one."""

    def __init__(self, provider: Provider, clock: Clock, send: Callable[[Call], None]) -> None:
        self._provider = provider
        self._clock = clock
        self._send = send
        # By caller; the caller whose turn is next comes first.
        self._lanes: OrderedDict[int, _CallerCalls] = OrderedDict()
        self._wake_at = math.inf
        for when in provider.changes:
            clock.at(when, self._look_again)

    def add(self, call: Call) -> None:
        """Hold a call until it will be answered; mostly that is now."""
        lane = self._lanes.get(call.request.caller)
        if lane is None:
            lane = self._lanes[call.request.caller] = _CallerCalls()
        lane.calls[call] = lane.not_before = -math.inf
        self.send_held()

    def remove(self, call: Call) -> None:
        """Hold a call no longer."""
        lane = self._lanes[call.request.caller]
        del lane.calls[call]
        if not lane.calls:
            del self._lanes[call.request.caller]

    def send_held(self, _: None = None) -> None:
        """Send all that would be answered if it were sent now."""
        now = self._clock.now
        if now >= self._wake_at:
            self._wake_at = math.inf
        while self._lanes:
            if seconds := self._provider.blocked():
                self._schedule(now + seconds)
                return
            call = self._next()
            if call is None:
                self._schedule(min(lane.not_before for lane in self._lanes.values()))
                return
            self.remove(call)
            if call.request.caller in self._lanes:
                self._lanes.move_to_end(call.request.caller)
            self._send(call)

    def _next(self) -> Call | None:
        """Return the call whose turn it is, of those that would be answered."""
        now = self._clock.now
        for lane in self._lanes.values():
            if lane.not_before > now:
                continue
            for call, not_before in lane.calls.items():
                if not_before <= now:
                    seconds = self._provider.foresee(call)
                    if not seconds:
                        return call
                    lane.calls[call] = now + seconds
            lane.not_before = min(lane.calls.values())
        return None

    def _look_again(self, _: None) -> None:
        """Forget what was foreseen, as a phase begins or ends."""
        for lane in self._lanes.values():
            lane.calls = dict.fromkeys(lane.calls, -math.inf)
            lane.not_before = -math.inf
        self.send_held()

    def _schedule(self, when: float) -> None:
        if when < self._wake_at:
            self._wake_at = when
            self._clock.at(when, self.send_held)


class Clairvoyant(Policy):
    """Knows the providers' slots, phases and quotas, and what chance has decided about each call.

    It does not know better than others which requests are worth a slot: it takes them in turns.
    """

    def __init__(self, clock: Clock, measure: Measure) -> None:
        super().__init__(clock, measure)
        self._lines: dict[str, _Foreseen] = {}
        self._waiting = 0
        self._sent = 0

    @property
    def waiting(self) -> int:
        """How many calls are held."""
        return self._waiting

    @property
    def held(self) -> int:
        """How many calls the providers have."""
        return self._sent

    def connect(self, callers: CallListener, providers: Providers) -> None:
        """Look into these providers."""
        super().connect(callers, providers)
        self._lines = {name: _Foreseen(each, self._clock, self._send) for name, each in providers.named.items()}

    def call(self, call: Call) -> None:
        """Hold a call until it will be answered; mostly that is now."""
        self._waiting += 1
        self._lines[call.request.group.provider].add(call)

    def cancel(self, call: Call) -> None:
        """Forget a call whose caller has gone, held or sent."""
        if not call.sent:
            self._waiting -= 1
            self._lines[call.request.group.provider].remove(call)
        super().cancel(call)

    def _send(self, call: Call) -> None:
        self._waiting -= 1
        self._sent += 1
        super()._send(call)

    def _release(self, call: Call) -> None:
        if call.sent and not call.released:
            self._sent -= 1
            # After the event that ends the call: its caller learns of it first.
            self._clock.at(self._clock.now, self._lines[call.request.group.provider].send_held)
        super()._release(call)
