"""An override with an end in a running bridge: what callers get, what is published, reloads."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.core.breaker.breaker import Mode
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.core.sharing.needs import Message
from aibridge_trio.events import Event, Overridden, Transitioned
from aibridge_trio.gateway.provider_circuits import CircuitRules, ProviderCircuits
from aibridge_trio.gateway.provider_override import ProviderOverride
from aibridge_trio.gateway.shared_breakers import SharedBreakers
from aibridge_trio.gateway.shared_notes import Noticeboard
from aibridge_trio.providers import OPENAI
from aibridge_trio.sharing.link import Link
from aibridge_trio.sharing.store import OwnStore
from tests.support.memory_store import MemoryBackend, MemoryStore
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
        reject = (await bridge.client.post(CHAT)).headers
        assert (reject["x-aibridge-reject"], reject["retry-after"]) == ("circuit_open", "1")
        assert 100 <= int(reject["retry-after-ms"]) <= 120
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


async def test_without_an_end_there_is_no_time_to_come_back(network: Network) -> None:
    """Another override with an end, of the same mode, has one at once."""
    async with network.bridge(circuit_breaker=True) as bridge:
        await bridge.admin.post("/breakers/openai", json={"mode": "open"})
        assert "retry-after" not in (await bridge.client.post(CHAT)).headers
        await bridge.admin.post("/breakers/openai", json=INCIDENT)
        assert int((await bridge.client.post(CHAT)).headers["retry-after"]) >= 59


# Over replicas


@asynccontextmanager
async def replicas(
    store: MemoryStore, events: list[list[Event]]
) -> AsyncIterator[list[tuple[ProviderCircuits, trio.CancelScope]]]:
    """Run two replicas' breakers of a provider, each of which can be killed by its scope."""

    async def run(number: int, task_status: trio.TaskStatus[tuple[ProviderCircuits, trio.CancelScope]]) -> None:
        link = Link(MemoryBackend(store, delay=0.002, seed=number), replica_id=f"r{number}")
        shared = SharedBreakers(link, trio.current_time)
        heard: list[Event] = []
        events.append(heard)
        circuits = ProviderCircuits(
            OPENAI, CircuitRules(BreakerPolicy()), trio.current_time, heard.append, lambda: 0.0, shared=shared
        )
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(link.run)
                nursery.start_soon(circuits.run)
                task_status.started((circuits, scope))

    async with trio.open_nursery() as nursery:
        yield [await nursery.start(run, number) for number in range(2)]
        nursery.cancel_scope.cancel()


def overrides(heard: list[Event]) -> list[tuple[str, str, bool]]:
    return [(event.mode, event.reason, event.ended) for event in heard if isinstance(event, Overridden)]


async def test_an_override_is_known_to_all_with_its_reason_and_end(autojump_clock: MockClock) -> None:
    """It ends in the other replica too when the one that the operator asked has gone meanwhile."""
    events: list[list[Event]] = []
    async with replicas(MemoryStore(), events) as ((one, killed), (other, _)):
        one.override(Mode.OPEN, "10.0.0.9", seconds=60.0, reason="INC-12")
        await trio.sleep(0.1)
        assert other.statistics().mode is Mode.OPEN
        present = other.overriding.present
        assert present is not None
        assert (present.reason, present.by) == ("INC-12", "10.0.0.9")
        assert abs(present.until - trio.current_time() - 59.9) < 0.1
        killed.cancel()
        await trio.sleep(60)
        assert other.statistics().mode is Mode.AUTO
        assert other.overriding.present is None
        assert overrides(events[1]) == [("open", "INC-12", False), ("auto", "INC-12", True)]


async def test_the_operator_ends_it_at_any_replica(autojump_clock: MockClock) -> None:
    """And what was set last holds everywhere."""
    events: list[list[Event]] = []
    async with replicas(MemoryStore(), events) as ((one, _), (other, _)):
        one.override(Mode.OPEN, reason="INC-12")
        await trio.sleep(0.1)
        other.override(Mode.AUTO)
        await trio.sleep(0.1)
        assert one.overriding.present is other.overriding.present is None
        assert one.statistics().mode is other.statistics().mode is Mode.AUTO
        other.override(Mode.CLOSE, seconds=5.0, reason="test")
        one.override(Mode.OPEN, seconds=9.0, reason="again")
        await trio.sleep(0.2)
        found = [each.overriding.present for each in (one, other)]
        assert all(found)
        assert len({(each.mode, each.reason) for each in found if each}) == 1
        assert one.statistics().mode is other.statistics().mode


@pytest.mark.parametrize(
    "note",
    [
        {},
        {"mode": "no"},
        {"mode": "open", "left": -1},
        {"mode": "open", "left": "soon"},
        {"mode": "open", "left": math.inf},
        {"mode": "auto", "left": 10**400},
        {"mode": "auto"},
        {"mode": "open", "left": 0.5, "reason": "late"},
    ],
    ids=range(8),
)
async def test_what_is_no_override_changes_nothing(note: dict[str, Any]) -> None:
    """The store may say anything; an override that is over is none."""
    board = Noticeboard(OwnStore(), "override")
    heard: list[Event] = []
    override = ProviderOverride("openai", lambda: (), trio.current_time, heard.append)
    override.share(board)
    for age in (1.0, 10**400):
        board._heard(Message("override", "openai|", 1, note, age, "r"))
    assert override.present is None
    assert heard == []


async def test_texts_of_other_replicas_are_bounded() -> None:
    """They go to logs and screens."""
    board = Noticeboard(OwnStore(), "override")
    override = ProviderOverride("openai", lambda: (), trio.current_time, lambda _: None)
    override.share(board)
    note = {"mode": "open", "reason": "a\x1b[2J" + "b" * 1000, "by": ["no text"]}
    board._heard(Message("override", "openai|", 1, note, 0.0, "r"))
    present = override.present
    assert present is not None
    assert (present.reason[:6], len(present.reason) <= 200, present.by) == ("a[2Jbb", True, None)
