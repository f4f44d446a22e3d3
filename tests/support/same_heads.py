"""Heads that come again on a connection: the same request, sent several times, and what was remembered of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest

from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.provider_tables import ProviderTable, RouteTable
from aibridge_trio.core.terms import Terms
from aibridge_trio.gateway.head_facts import HeadFacts
from aibridge_trio.http.message import Request
from tests.support.handlers import CHAT, recording
from tests.support.known_callers import KNOWN
from tests.support.network import Network, Running

ROUTED = "/v1/chat/completions"
BODY: dict[str, object] = {"model": "gpt-5", "messages": []}
Facts = Counter[bool]


def counted_facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    """Return how many heads were remembered, and how many were not, from now on."""
    seen = Facts()
    look = HeadFacts.of

    def of(*arguments: Any) -> HeadFacts:
        found = look(*arguments)
        seen[found.admitted] += 1
        return found

    monkeypatch.setattr(HeadFacts, "of", of)
    return seen


async def recorded(network: Network) -> list[Request]:
    """Let providers answer; return what they get."""
    requests: list[Request] = []
    for host in ("openai", "anthropic", "a", "b"):
        await network.answer(host, recording(requests))
    return requests


async def ask(running: Running, path: str = CHAT, times: int = 3, **options: Any) -> httpx.Response:
    """Send requests with the same head; return the last answer."""
    options = {"json": BODY} | options
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
