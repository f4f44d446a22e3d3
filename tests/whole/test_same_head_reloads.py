"""A head that comes again behind a reload: it is judged, and goes up, by the settings of now.

Each test sends the same head on the same connection before and after, so often that the first one is remembered.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from trio.testing import MockClock

from aibridge_trio.config.settings import Secret
from aibridge_trio.core.terms import Rate, Terms, TokenBudget
from aibridge_trio.events import Finished
from aibridge_trio.http.message import Request
from tests.support.known_callers import DEV, KNOWN, bearer
from tests.support.network import MemoryWire, Network
from tests.support.same_heads import (
    ROUTED,
    Facts,
    ask,
    counted_facts,
    provider,
    recorded,
    routed,
    with_terms,
)

PAGE = "https://page.example"
CENTRAL: dict[str, Any] = {"openai_api_key": Secret("sk-central"), "anthropic_api_key": Secret("sk-central")}


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    """How many heads were remembered, and how many were not."""
    return counted_facts(monkeypatch)


@pytest.fixture
async def seen(network: Network) -> list[Request]:
    """What providers got."""
    return await recorded(network)


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


async def test_a_name_of_the_listener_that_is_taken_away(
    autojump_clock: MockClock,
    network: Network,
    seen: list[Request],
    facts: Facts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On loopback another Host may be a page's, by DNS rebinding."""
    monkeypatch.setattr(MemoryWire, "on_loopback", True)
    async with network.bridge(allowed_hosts=("bridge",)) as running:
        assert (await ask(running)).status_code == 200
        assert facts[True] == 2
        await running.reload(allowed_hosts=())
        assert (await ask(running, times=1)).status_code == 403


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
    """The key of another caller, and another base URL."""
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
