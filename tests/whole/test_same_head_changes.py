"""A head that comes again when something else has changed: settings, time, breakers, keys, or the body behind it.

Each test sends the same head on the same connection before and after, so often that the first one is remembered.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from aibridge_trio.bridge import components
from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.provider_tables import KeyTable, ProviderTable, RouteTable
from aibridge_trio.config.settings import Secret
from aibridge_trio.core.terms import Rate, Terms, TokenBudget
from aibridge_trio.events import Finished
from aibridge_trio.gateway import key_files
from aibridge_trio.gateway.head_facts import HeadFacts
from aibridge_trio.http.message import Request
from tests.support.handlers import CHAT, endless, recording
from tests.support.known_callers import DEV, KNOWN, LIMITED, bearer
from tests.support.network import Network, Running

ROUTED = "/v1/chat/completions"
PAGE = "https://page.example"
CENTRAL: dict[str, Any] = {"openai_api_key": Secret("sk-central"), "anthropic_api_key": Secret("sk-central")}
Facts = Counter[bool]


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    """How many heads were remembered, and how many were not."""
    seen = Facts()
    look = HeadFacts.of

    def of(*arguments: Any) -> HeadFacts:
        found = look(*arguments)
        seen[found.admitted] += 1
        return found

    monkeypatch.setattr(HeadFacts, "of", of)
    return seen


@pytest.fixture
async def seen(network: Network) -> list[Request]:
    """What providers got."""
    requests: list[Request] = []
    for host in ("openai", "anthropic", "a", "b"):
        await network.answer(host, recording(requests))
    return requests


async def ask(running: Running, path: str = CHAT, times: int = 3, **options: Any) -> httpx.Response:
    """Send requests with the same head; return the last answer."""
    options = {"json": {"model": "gpt-5", "messages": []}} | options
    for _ in range(times):
        answer = await running.client.post(path, **options)
    return answer


def with_terms(terms: Terms, expires: date | None = None) -> KnownCallers:
    """The known callers, of whom the first has these terms."""
    first, *others = KNOWN.callers
    return replace(KNOWN, callers=(replace(first, terms=terms, expires=expires), *others))


def provider(name: str) -> ProviderTable:
    return ProviderTable(name=name, dialect="openai", base_url=f"http://{name}/v1", keyless=True)


def routed(name: str) -> dict[str, Any]:
    """Settings with a route to one of two providers."""
    tables = (provider("a"), provider("b"))
    return {"provider_tables": tables, "routes": (RouteTable(model="gpt-*", providers=(name,)),)}


# Reloads: settings before and after, what is sent, and the status of the third answer before and after.
RELOADS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], int, int]] = {
    "a rate": ({}, {"rate_limit": 1}, {}, 200, 429),
    "no rate": ({"rate_limit": 1}, {"rate_limit": 0}, {}, 429, 200),
    "a rate in shadow": ({"rate_limit": 1}, {"shadow": ("rate",)}, {}, 429, 200),
    "a rate out of shadow": ({"rate_limit": 1, "shadow": ("rate",)}, {"shadow": ()}, {}, 200, 429),
    "a page": ({"allowed_origins": (PAGE,)}, {"allowed_origins": ()}, {"origin": PAGE}, 200, 403),
    "a page, now": ({}, {"allowed_origins": (PAGE,)}, {"origin": PAGE}, 403, 200),
    "known callers": (CENTRAL, {"known_callers": KNOWN}, bearer("sk-own"), 200, 401),
    "no anonymous ones": (
        {"known_callers": KNOWN, "allow_anonymous": True},
        {"allow_anonymous": False},
        bearer("sk-own"),
        200,
        401,
    ),
    "a token limit": (
        {"known_callers": KNOWN},
        {"known_callers": with_terms(Terms(token_rate=Rate(10, 60.0)))},
        bearer(DEV),
        200,
        429,
    ),
    "a budget": (
        {"known_callers": KNOWN},
        {"known_callers": with_terms(Terms(budget=TokenBudget(10, "day")))},
        bearer(DEV),
        200,
        403,
    ),
    "--max-body": ({}, {"max_body": 5}, {}, 200, 413),
}


# New limits, of which nothing is used yet.
ADMIT_ONE = {"a rate", "a token limit", "a budget"}


@pytest.mark.parametrize("what", RELOADS)
async def test_a_reload_is_obeyed(
    autojump_clock: MockClock, network: Network, seen: list[Request], facts: Facts, what: str
) -> None:
    """By the first request that comes after it, and by all others."""
    before, after, headers, status, then = RELOADS[what]
    async with network.bridge(**before) as running:
        assert (await ask(running, headers=headers)).status_code == status
        assert facts[True] == (0 if "page" in what else 2)
        await running.reload(**after)
        first = (await ask(running, times=1, headers=headers)).status_code
        assert first == (200 if what in ADMIT_ONE else then)
        assert (await ask(running, headers=headers)).status_code == then


async def test_an_answer_to_a_page_says_so_each_time(
    autojump_clock: MockClock, network: Network, seen: list[Request]
) -> None:
    """Its browser would not show it without these headers."""
    async with network.bridge(allowed_origins=(PAGE,)) as running:
        for _ in range(3):
            answer = await ask(running, times=1, headers={"origin": PAGE})
            assert answer.headers["access-control-allow-origin"] == PAGE


async def test_what_goes_up_is_by_the_settings_of_now(
    autojump_clock: MockClock, network: Network, seen: list[Request], facts: Facts
) -> None:
    """Whose key, and where to."""
    keys = {"openai_api_key": Secret("sk-central")}
    async with network.bridge(**keys, forward_caller_keys=True) as running:
        for more, host, key in (
            ({}, b"openai", b"Bearer sk-own"),
            ({"forward_caller_keys": False}, b"openai", b"Bearer sk-central"),
            ({"openai_base_url": "http://a/v1"}, b"a", b"Bearer sk-central"),
            ({"openai_api_key": None}, b"a", b"Bearer sk-own"),
        ):
            await running.reload(**more)
            assert (await ask(running, headers=bearer("sk-own"))).status_code == 200
            for request in seen[-3:]:
                assert (request.header(b"host"), request.header(b"authorization")) == (host, key)
    assert facts == {True: 8, False: 4}


async def test_a_route_that_leads_elsewhere(
    autojump_clock: MockClock, network: Network, seen: list[Request], facts: Facts
) -> None:
    """And a provider that is gone."""
    async with network.bridge(**routed("a")) as running:
        for name in ("a", "b", "a"):
            await running.reload(**routed(name))
            assert (await ask(running, ROUTED)).status_code == 200
            assert [request.header(b"host") for request in seen[-3:]] == [name.encode()] * 3
        path = "/b/v1/chat/completions"
        assert (await ask(running, path)).status_code == 200
        await running.reload(provider_tables=(provider("a"),), routes=())
        assert (await ask(running, path)).status_code == 404
    assert facts[True]


async def test_proxies_that_are_trusted_from_now_on(
    autojump_clock: MockClock, network: Network, seen: list[Request], facts: Facts
) -> None:
    """`X-Forwarded-For` names the caller, or does not; another one names another."""
    async with network.bridge() as running:
        forwarded = {"x-forwarded-for": "203.0.113.7"}
        await ask(running, headers=forwarded)
        await running.reload(trusted_proxies=(ip_network("10.0.0.0/8"),))
        await ask(running, headers=forwarded)
        await ask(running, headers={"x-forwarded-for": "203.0.113.8"}, times=1)
        await ask(running, headers=forwarded, times=1)
        await running.reload(trusted_proxies=())
        await ask(running, headers=forwarded, times=1)
        shown = [event.caller.hint for event in running.published(Finished)]
    assert shown == ["10.0.0.2"] * 3 + ["203.0.113.7"] * 3 + ["203.0.113.8", "203.0.113.7", "10.0.0.2"]
    assert facts[True] == 4


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
