"""A head that comes again when something else has changed: time, breakers, limits, keys, or the body behind it.

Each test sends the same head on the same connection before and after, so often that the first one is remembered.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.bridge import components
from aibridge_trio.config.provider_tables import KeyTable, ProviderTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.terms import Terms
from aibridge_trio.events import Finished
from aibridge_trio.gateway import key_files
from aibridge_trio.http.message import Request
from tests.support.handlers import CHAT, endless
from tests.support.known_callers import DEV, KNOWN, LIMITED, bearer
from tests.support.network import MemoryWire, Network
from tests.support.same_heads import (
    BODY,
    ROUTED,
    Facts,
    ask,
    counted_facts,
    recorded,
    routed,
    with_terms,
)


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    """How many heads were remembered, and how many were not."""
    return counted_facts(monkeypatch)


@pytest.fixture
async def seen(network: Network) -> list[Request]:
    """What providers got."""
    return await recorded(network)


async def test_a_certificate_is_its_connections(
    autojump_clock: MockClock,
    network: Network,
    seen: list[Request],
    facts: Facts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another connection with the same head has another caller, and a reload revokes one that is open."""
    async with network.bridge(known_callers=KNOWN) as running, network.client("bridge") as other:
        monkeypatch.setattr(MemoryWire, "certificate", ("laptop.example",))
        assert (await ask(running)).status_code == 200
        monkeypatch.setattr(MemoryWire, "certificate", ())
        assert (await other.post(CHAT, json=BODY)).status_code == 401
        assert (await ask(running)).status_code == 200
        assert facts[True] == 5
        *others, laptop = KNOWN.callers
        assert laptop.certificate
        await running.reload(known_callers=replace(KNOWN, callers=(*others,)))
        assert (await ask(running)).status_code == 401
        assert {event.caller.name for event in running.published(Finished)[:3]} == {"laptop"}


async def test_a_caller_that_expires_meanwhile(
    autojump_clock: MockClock,
    network: Network,
    seen: list[Request],
    facts: Facts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the end of its last day, to the second."""
    end = datetime(2026, 12, 2, tzinfo=UTC).timestamp()
    now = [end - 1]
    monkeypatch.setattr(components, "_WALL_CLOCK", lambda: now[0])
    known = with_terms(Terms(), expires=date(2026, 12, 1))
    async with network.bridge(known_callers=known) as running:
        assert (await ask(running, headers=bearer(DEV))).status_code == 200
        assert facts[True] == 2
        now[0] = end
        assert (await ask(running, headers=bearer(DEV), times=1)).status_code == 401
    assert len(seen) == 3


async def test_a_limit_that_is_reached_and_free_again(
    autojump_clock: MockClock, network: Network, seen: list[Request], facts: Facts
) -> None:
    """The slots that others hold count for each request."""
    await network.answer("anthropic", endless)
    async with network.bridge(max_concurrency=2) as running:
        assert (await ask(running)).status_code == 200
        await running.reload(max_concurrency=1)
        async with running.client.stream("POST", "/anthropic/v1/messages", json={"model": "c"}):
            assert (await ask(running)).status_code == 503
        await trio.sleep(1)
        assert (await ask(running)).status_code == 200
    assert facts[True]


async def test_a_breaker_that_opens_and_closes(
    autojump_clock: MockClock, network: Network, seen: list[Request], facts: Facts
) -> None:
    """It is asked for each request."""
    async with network.bridge(circuit_breaker=True) as running:
        assert (await ask(running)).status_code == 200
        for mode, status in (("open", 503), ("auto", 200), ("open", 503), ("close", 200)):
            (await running.admin.post("/breakers/openai", json={"mode": mode})).raise_for_status()
            if mode == "auto":
                await running.admin.post("/breakers/openai", json={"mode": "close"})
            assert (await ask(running)).status_code == status
    assert facts[True] == 2 + 4 * 3


@pytest.mark.parametrize(
    ("settings", "headers", "good", "bad", "status"),
    [
        ({"known_callers": KNOWN}, bearer(LIMITED), b'{"model": "gpt-5"}', b'{"model": "gpt-6"}', 403),
        (routed("a"), {}, b'{"model": "gpt-5"}', b'{"model": "xyz-5"}', 404),
        ({"max_body": 20}, {}, b'{"model": "gpt-5"}', b'{"model": "gpt-5-longer"}', 413),
    ],
    ids=["the models of a caller", "a route by model", "--max-body"],
)
async def test_the_body_decides(
    autojump_clock: MockClock,
    network: Network,
    seen: list[Request],
    facts: Facts,
    settings: dict[str, Any],
    headers: dict[str, str],
    good: bytes,
    bad: bytes,
    status: int,
) -> None:
    """Each one that comes behind the same head."""
    path = ROUTED if "routes" in settings else CHAT
    async with network.bridge(**settings) as running:
        for body, expected in ((good, 200), (bad, status), (good, 200), (bad, status)):
            assert (await ask(running, path, headers=headers, content=body)).status_code == expected
    assert facts[True] >= 9
    assert len(seen) == 6


async def test_a_body_that_names_stored_data(
    autojump_clock: MockClock, network: Network, seen: list[Request], facts: Facts
) -> None:
    """With a central key and without permission it is refused, behind whatever head."""
    path = "/openai/v1/responses"
    plain, naming = {"model": "m", "input": "x"}, {"model": "m", "previous_response_id": "resp_1"}
    async with network.bridge(openai_api_key=Secret("sk-central"), stored_references=False) as running:
        for body, status in ((plain, 200), (naming, 403), (plain, 200)):
            assert (await ask(running, path, json=body)).status_code == status
        await running.reload(stored_references=True)
        assert (await ask(running, path, json=naming)).status_code == 200
    assert facts[True]


async def test_a_key_that_is_written_anew(
    network: Network, seen: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a reload: the key is no part of what is remembered."""
    monkeypatch.setattr(key_files, "INTERVAL", 0.05)  # of real time: a thread looks
    file = tmp_path / "key"
    file.write_text("sk-old")
    keys = (KeyTable(label="key", secret=Secret("sk-old"), file=file),)
    table = ProviderTable(name="openai", dialect="openai", base_url="http://openai/v1", keys=keys)
    async with network.bridge(provider_tables=(table,), openai_base_url="") as running:
        await ask(running)
        assert seen[-1].header(b"authorization") == b"Bearer sk-old"
        file.write_text("sk-new")
        with trio.fail_after(30):
            while seen[-1].header(b"authorization") != b"Bearer sk-new":
                await trio.sleep(0.02)
                await ask(running, times=1)


async def test_a_stop_refuses_a_head_that_was_served(
    autojump_clock: MockClock, network: Network, seen: list[Request], facts: Facts
) -> None:
    """What is remembered serves none while the bridge drains."""
    await network.answer("anthropic", endless)
    async with network.bridge(graceful_timeout=60.0) as running:
        assert (await ask(running)).status_code == 200
        async with running.client.stream("POST", "/anthropic/v1/messages", json={"model": "c"}):
            await running.signals.send(15)
            await trio.sleep(1)
            with pytest.raises(httpx.TransportError):
                await ask(running)
    assert len(seen) == 3
