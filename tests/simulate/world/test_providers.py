"""Several providers in one scenario."""

from __future__ import annotations

from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.engine import Engine
from aibridge_trio.simulate.world.providers import Providers
from tests.support.simulated import RecordingListener, a_request, parsed, play

TWO = """
duration = "2m"
[[callers]]
count = 10
requests_per_minute = 12
patience = "40s"
[[callers]]
count = 10
requests_per_minute = 12
patience = "40s"
provider = "ill"
[provider]
first_token_spread = 0
[providers.ill]
slots = 40
first_token = "2s"
first_token_spread = 0
[[phases]]
from = "30s"
for = "20s"
fault = "503"
provider = "ill"
"""


def test_a_call_goes_to_the_provider_of_its_group() -> None:
    """With that provider's speed and phases; what both have in flight is added up."""
    scenario, engine = parsed(TWO), Engine()
    providers = Providers(scenario, engine)
    listener = RecordingListener(engine)
    providers.listen(listener)
    calls = [
        Call(a_request(scenario, number)._replace(group=group), 0) for number, group in enumerate(scenario.groups)
    ]
    for call in calls:
        engine.at(40.0, providers.call, call)
    engine.at(40.05, lambda _: seen.append(providers.in_flight))
    seen: list[int] = []
    engine.run()
    assert listener.events[:2] == [(40.1, 503, 1), (40.6, "first", 0)]
    assert seen == [2]
    assert providers.in_flight == 0


def test_a_call_is_cancelled_at_its_provider() -> None:
    """It then has nothing in flight, and the call has no more events."""
    scenario, engine = parsed(TWO), Engine()
    providers = Providers(scenario, engine)
    listener = RecordingListener(engine)
    providers.listen(listener)
    call = Call(a_request(scenario)._replace(group=scenario.groups[1]), 0)
    providers.call(call)
    providers.cancel(call)
    engine.run()
    assert listener.events == []
    assert providers.in_flight == 0


def test_each_provider_has_a_breaker_of_its_own() -> None:
    """The outage of one costs the callers of the other nothing; a bound holds for both."""
    with_breaker = play(TWO, circuit_breaker="true")
    assert with_breaker.trips > 0
    assert 0.5 < with_breaker.share < 1.0
    assert min(with_breaker.served, play(TWO, "none").served) > with_breaker.wanted / 2
    bound = play(TWO, "clairvoyant")
    assert (bound.share, bound.wasted) == (1.0, 0)
    well = TWO.replace('fault = "503"', 'fault = "none"')
    assert play(well, circuit_breaker="true").trips == 0
