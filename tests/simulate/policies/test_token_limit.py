"""Each caller's limit on tokens."""

from __future__ import annotations

from aibridge_trio.simulate.policies.token_limit import TokenLimit, tokens_of
from aibridge_trio.simulate.results.promises import FleetMeasure
from aibridge_trio.simulate.world.call import Call
from tests.support.simulated import CALLERS, a_request, parsed, play

GIVEN = parsed(CALLERS)


def a_call(caller: int = 0, tokens: int = 100) -> Call:
    """Return a call that was sent."""
    call = Call(a_request(GIVEN, caller, tokens=tokens), 0)
    call.sent = True
    return call


def test_a_call_is_charged_until_it_ends_and_then_for_a_minute() -> None:
    """What has no answer costs nothing."""
    measure = FleetMeasure(GIVEN, 1)
    limit = TokenLimit(2 * tokens_of(a_call()), measure)
    first, second = a_call(), a_call()
    assert limit.charge(first, 0.0) is None
    assert limit.charge(second, 1.0) is None
    assert limit.charge(a_call(caller=1), 1.0) is None
    assert (refused := limit.charge(a_call(), 2.0))
    assert refused.reason == "token_limit"
    limit.settle(second, 3.0)  # its answer never began
    third = a_call()
    assert limit.charge(third, 3.0) is None
    first.begun = third.begun = True
    limit.settle(first, 10.0)
    limit.settle(third, 10.0)
    limit.settle(third, 11.0)
    assert limit.charge(a_call(), 69.9)
    assert limit.charge(a_call(), 70.0) is None
    assert measure.peaks().tokens == 2 * tokens_of(first)


def test_the_bridge_keeps_a_limit_on_tokens() -> None:
    """A caller gets so many answers in a minute as its tokens allow."""
    text = 'duration = "2m"\n[[callers]]\ncount = 1\nrequests_per_minute = 60\nclient = "none"\n[provider]\n'
    text += "prompt_tokens = 900\nanswer_tokens = 100\nanswer_tokens_spread = 0\n"
    assert play(text, token_limit=5000).served in range(10, 16)
    assert play(text).served > 100
