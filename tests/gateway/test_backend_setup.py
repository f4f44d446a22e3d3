from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio

from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.events import ignore
from aibridge_trio.gateway.backend_setup import BackendBuilder
from aibridge_trio.gateway.router import Router
from aibridge_trio.gateway.routing import Backend
from aibridge_trio.providers import ALL


def sent_of(found: Backend) -> list[bytes]:
    """Return the values of the headers that carry a backend's keys."""
    assert found.key
    assert found.key.keys
    return [found.key.keys.sent(key).header[1] for key in found.key.keys.pool]


def router(proxies: list[str | None] | None = None, warnings: list[str] | None = None, **options: Any) -> Router:
    """Return the router of these settings; `proxies` gets each transport's."""

    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        if proxies is not None:
            proxies.append(proxy)
        return httpx.MockTransport(lambda _: httpx.Response(200))

    said = [] if warnings is None else warnings
    return BackendBuilder(
        Settings(**options), transport, trio.current_time, ignore, frozenset(), lambda: 0.0, said.append
    ).router()


def backend(name: str, **options: Any) -> Backend:
    found = router(**options).get(name)
    assert found is not None
    return found


async def test_every_provider_has_a_backend() -> None:
    """There is one backend for each provider, in their order, with its own base URL."""
    assert [each.provider for each in router()] == list(ALL)
    assert len({each.upstream._base for each in router()}) == len(ALL)


async def test_central_keys_and_their_headers() -> None:
    """A provider gets its own key and its account's headers; one that takes no central key gets none."""
    openai, anthropic, copilot = router(
        openai_api_key=Secret("sk-o"), anthropic_api_key=Secret("sk-a"), openai_project="p"
    )
    assert sent_of(openai) == [b"Bearer sk-o"]
    assert openai.key is not None
    assert openai.key.added == [(b"openai-project", b"p")]
    assert sent_of(anthropic) == [b"sk-a"]
    assert anthropic.key is not None
    assert anthropic.key.added == []
    assert copilot.key is None


async def test_the_breaker_is_off_unless_it_is_configured() -> None:
    """Without --circuit-breaker there is no policy; with it all providers have the configured one."""
    assert backend("openai").circuits.rules.policy is None
    rules = backend("copilot", circuit_breaker=True, circuit_breaker_429="credential").circuits.rules
    assert rules.policy == BreakerPolicy()
    assert rules.by_credential


@pytest.mark.parametrize("name", [provider.name for provider in ALL])
async def test_warnings_name_the_provider(name: str) -> None:
    """What is said of a header that is not sent begins with its provider's name."""
    warnings: list[str] = []
    found = router(warnings=warnings, openai_api_key=Secret("k"), anthropic_api_key=Secret("k")).get(name)
    assert found is not None
    if found.key:
        found.key.headers([(b"cookie", b"c")])
    assert [said.partition(":")[0] for said in warnings] == ([name] if found.key else [])


async def test_a_transport_has_its_providers_proxy() -> None:
    """The proxy is chosen by the base URL's scheme and host."""
    proxies: list[str | None] = []
    router(
        proxies,
        https_proxy=Secret("http://proxy:1"),
        no_proxy="api.anthropic.com",
        copilot_base_url="http://copilot.test",
    )
    assert proxies == ["http://proxy:1", None, None]
