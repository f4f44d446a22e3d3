"""All providers of a scenario: each call goes to that of its group."""

from __future__ import annotations

from aibridge_trio.simulate.scenario.scenario import Scenario
from aibridge_trio.simulate.world.call import Call, CallListener
from aibridge_trio.simulate.world.engine import Clock
from aibridge_trio.simulate.world.provider import Provider


class Providers:
    """Takes all calls; `named` has each provider by its name."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.named = {name: Provider(scenario, clock, name) for name in scenario.models}

    def listen(self, listener: CallListener) -> None:
        """Let all events go to this listener."""
        for provider in self.named.values():
            provider.listener = listener

    @property
    def in_flight(self) -> int:
        """How many calls they have, in whatever state."""
        return sum(provider.in_flight for provider in self.named.values())

    def call(self, call: Call) -> None:
        """Begin to answer."""
        self.named[call.request.group.provider].call(call)

    def cancel(self, call: Call) -> None:
        """Stop working for a call whose caller has gone."""
        self.named[call.request.group.provider].cancel(call)
