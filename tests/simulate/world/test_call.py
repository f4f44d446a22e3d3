"""One attempt of a request."""

from __future__ import annotations

import pytest

from aibridge_trio.simulate.policies.passthrough import Policy
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.world.call import OUTSIDE, Call
from aibridge_trio.simulate.world.engine import Engine
from aibridge_trio.simulate.world.provider import Provider
from tests.support.simulated import CALLERS, a_request, parsed


def test_a_call_holds_nothing_at_first() -> None:
    """It is at no provider, has no lease and no permit, and nothing of it was given back or judged."""
    call = Call(a_request(parsed(CALLERS), caller=3), 2)
    assert (call.stage, call.lease, call.permit) == (OUTSIDE, None, None)
    assert not any((call.sent, call.begun, call.released, call.judged))
    assert repr(call) == "<Call 2 of a request of caller 3, stage 0>"


def test_a_call_has_no_other_fields() -> None:
    """Millions of them are made: they have slots, no dictionary."""
    call = Call(a_request(parsed(CALLERS)), 0)
    with pytest.raises(AttributeError):
        call.other = 1  # type: ignore[attr-defined]


def test_each_part_keeps_its_own_state_of_a_call() -> None:
    """A policy marks what it sent and released, and the provider where the call is."""
    scenario, engine = parsed(CALLERS), Engine()
    policy, provider = Policy(engine, Measure(scenario)), Provider(scenario, engine)
    policy.provider, call = provider, Call(a_request(scenario), 0)
    policy.call(call)
    assert call.sent
    assert call.stage != OUTSIDE
    policy.cancel(call)
    assert call.released
    assert provider.in_flight == 0
