"""An override with an end in a running bridge: what callers get, what is published, reloads."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.events import Event, Overridden, Transitioned
from aibridge_trio.gateway.provider_circuits import CircuitRules, ProviderCircuits
from aibridge_trio.providers import OPENAI
from tests.support.network import Network

CHAT = "/openai/v1/chat/completions"
INCIDENT = {"mode": "open", "for": "1m", "reason": "INC-12"}


async def test_an_override_ends_by_itself(
    autojump_clock: MockClock, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without traffic, at its time; the event, the log line and the status name the reason."""
    async with network.bridge(circuit_breaker=True) as bridge:
        breaker = (await bridge.admin.post("/breakers/openai", json=INCIDENT)).json()
        assert breaker["override"] == {
            "mode": "open",
            "reason": "INC-12",
            "by": "10.0.0.2",
            "since_s": 0.0,
            "left_s": 60.0,
        }
        await trio.sleep(59.9)
        assert (await bridge.client.post(CHAT)).headers["x-aibridge-reject"] == "circuit_open"
        await trio.sleep(0.2)
        breaker = (await bridge.status())["providers"][0]["breaker"]
        assert (breaker["state"], breaker["mode"], breaker["override"]) == ("half-open", "auto", None)
        assert [(e.mode, e.reason, e.seconds, e.ended) for e in bridge.published(Overridden)] == [
            ("open", "INC-12", 60.0, False),
            ("auto", "INC-12", None, True),
        ]
        events = [e for e in (await bridge.status())["events"] if e["provider"] == "openai"]
    assert [(e["kind"], e["to"], e["because"]) for e in events] == [
        ("breaker", "open", "operator: open"),
        ("override", "open", "operator: INC-12, for 1m"),
        ("breaker", "half-open", "the operator's override is over"),
        ("override", "auto", "override over: INC-12"),
    ]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    said = [
        (line["mode"], line["for_s"], line["reason"], line["ended"])
        for line in lines
        if line["event"] == "override"
    ]
    assert said == [("open", 60.0, "INC-12", False), ("auto", None, "INC-12", True)]


async def test_a_new_override_replaces_the_end(autojump_clock: MockClock, network: Network) -> None:
    """Without an end it stays; the earlier end is forgotten."""
    async with network.bridge(circuit_breaker=True) as bridge:
        await bridge.admin.post("/breakers/openai", json=INCIDENT)
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        await trio.sleep(70)
        breaker = (await bridge.status())["providers"][0]["breaker"]
    assert (breaker["mode"], breaker["override"]["left_s"], breaker["override"]["reason"]) == ("open", None, "")


async def test_a_mistake_changes_nothing(autojump_clock: MockClock, network: Network) -> None:
    """A misspelled end is refused, not taken for none."""
    async with network.bridge(circuit_breaker=True) as bridge:
        answer = await bridge.admin.post("/breakers/openai", json={"mode": "open", "fro": "1m"})
        assert answer.status_code == 400
        assert bridge.published(Overridden) == []


def test_an_override_survives_a_reload_and_holds_for_new_breakers() -> None:
    """Breakers by model that a reload adds are forced, too, and all are automatic again at its end."""
    now, events = [0.0], list[Event]()
    policy = BreakerPolicy()
    circuits = ProviderCircuits(OPENAI, CircuitRules(policy), lambda: now[0], events.append, lambda: now[0])
    circuits.override(Mode.OPEN, None, seconds=60.0, reason="INC-12")
    circuits.apply(OPENAI, CircuitRules(policy, "model", ("gpt-5",)))
    assert {circuit.statistics().mode for circuit in circuits} == {Mode.OPEN}
    now[0] = 59.0
    circuits.overriding.expire()
    assert {circuit.statistics().mode for circuit in circuits} == {Mode.OPEN}
    now[0] = 60.0
    circuits.overriding.expire()
    assert {circuit.statistics().mode for circuit in circuits} == {Mode.AUTO}
    assert circuits.overriding.present is None
    assert [event.ended for event in events if isinstance(event, Overridden)] == [False, True]
    assert {event.target for event in events if isinstance(event, Transitioned)} == {"open", "half-open"}
