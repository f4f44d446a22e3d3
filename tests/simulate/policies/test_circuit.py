"""A provider's breaker and key cooldowns in the simulator."""

from __future__ import annotations

from typing import Any

from aibridge_trio.core.breaker.breaker import State
from aibridge_trio.core.breaker.verdict import SUCCESS
from aibridge_trio.errors import CircuitOpen, CredentialCooldown
from aibridge_trio.simulate.policies.circuit import Circuit
from aibridge_trio.simulate.results.measure import Measure
from aibridge_trio.simulate.scenario.settings import default_settings, parse_settings
from aibridge_trio.simulate.world.call import Call
from aibridge_trio.simulate.world.engine import Engine
from tests.support.simulated import CALLERS, a_request, parsed

SCENARIO = parsed(CALLERS)


def circuit(engine: Engine, *, own_keys: bool = False, **told: Any) -> Circuit:
    """Return the circuit of a provider."""
    values = default_settings() | parse_settings(" ".join(f"{name}={value}" for name, value in told.items()))
    return Circuit("theirs", values, engine, Measure(SCENARIO), own_keys=own_keys, seed=1)


def a_call(caller: int = 0) -> Call:
    """Return a call of this caller."""
    return Call(a_request(SCENARIO, caller), 0)


def failed(one: Circuit, status: int = 503, caller: int = 0) -> None:
    """Let a call fail."""
    call = a_call(caller)
    assert one.admit(call) is None
    one.judge_error(call, status, [(b"retry-after", b"7")], exhausted=False)


def test_an_open_breaker_refuses_and_names_its_provider() -> None:
    """After the threshold; before a wait as well as after it. When the cooldown is over it is half-open."""
    engine = Engine()
    one = circuit(engine, circuit_breaker="true", circuit_breaker_failure_threshold=3)
    for caller in range(3):
        assert one.known_refusal(9) is None
        failed(one, caller=caller)
    states = [one.state]
    refused = one.admit(a_call())
    assert refused
    assert isinstance(refused[0], CircuitOpen)
    assert "theirs" in str(refused[0])
    assert refused[1:] == (one.guard, None)
    assert isinstance(one.known_refusal(9), CircuitOpen)
    engine.run()
    assert [*states, one.state] == [State.OPEN, State.HALF_OPEN]


def test_without_a_breaker_all_are_admitted() -> None:
    """However many fail."""
    one = circuit(Engine())
    for _ in range(50):
        failed(one)
    call = a_call()
    one.judge(call, SUCCESS)
    assert one.known_refusal(0) is None


def test_a_quota_rests_only_its_key() -> None:
    """With callers' own keys, and circuit_breaker_429=credential: for the time that the provider says."""
    one = circuit(Engine(), own_keys=True, circuit_breaker="true", circuit_breaker_429="credential")
    failed(one, 429, caller=1)
    refused = one.admit(a_call(1))
    assert refused
    assert isinstance(refused[0], CredentialCooldown)
    assert refused[1:] == (None, 7.0)
    assert one.admit(a_call(2)) is None
