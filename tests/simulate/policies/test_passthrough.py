"""The policy without protection."""

from __future__ import annotations

import dataclasses

from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.clients import Headers
from aibridge_trio.simulate.world.engine import Engine
from aibridge_trio.simulate.world.provider import Provider
from tests.support.simulated import CALLERS, RecordingListener, a_request, parsed, play


def test_without_protection_an_outage_wastes_every_call() -> None:
    """All that goes up while it lasts fails; and retries make it more than was wanted."""
    given_ = parsed(CALLERS.replace("4m", "1m") + '[[phases]]\nfrom = "0s"\nfor = "1m"\nfault = "503"\n')
    outcome = play(given_, "none")
    # Only requests that were refused near the end are served after it.
    assert outcome.wasted > 2.5 * outcome.wanted
    assert outcome.served < 0.05 * outcome.wanted


def test_an_answer_that_does_not_begin_in_time_is_rejected() -> None:
    """The call is cancelled at the provider and its caller gets 504, as from the bridge."""
    scenario, engine = parsed(CALLERS + '[[phases]]\nfrom = "0s"\nfor = "1m"\nfault = "hang"\n'), Engine()
    policy, provider = Policy(engine, Measure(scenario), first_byte_timeout=2.0), Provider(scenario, engine)
    listener = RecordingListener(engine)
    policy.callers, policy.provider, provider.listener = listener, provider, policy
    engine.at(1.0, policy.call, Call(a_request(scenario, born=1.0), 0))
    engine.run()
    assert listener.kinds == [504]
    assert listener.events[0][0] == 3.0
    assert provider.in_flight == 0


def test_the_timeout_is_for_one_send_of_a_call() -> None:
    """A policy may send a call that was refused once more: it then has the whole time again."""

    class Twice(Policy):
        def answered(self, call: Call, status: int, headers: Headers, *, exhausted: bool = False) -> None:
            del status, headers, exhausted
            self._clock.at(self._clock.now + 1.5, self._send, call)

    scenario, engine = parsed(CALLERS + '[[phases]]\nfrom = "0s"\nfor = "2s"\nfault = "503"\n'), Engine()
    scenario = dataclasses.replace(scenario, model=dataclasses.replace(scenario.model, first_token=1.5))
    policy, provider = Twice(engine, Measure(scenario), first_byte_timeout=2.5), Provider(scenario, engine)
    listener = RecordingListener(engine)
    policy.callers, policy.provider, provider.listener = listener, provider, policy
    engine.at(1.0, policy.call, Call(a_request(scenario, born=1.0, seed=3), 0))
    engine.run()
    assert listener.kinds == ["first", "ended"]
    assert listener.events[0][0] > 3.5
