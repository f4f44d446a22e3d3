"""Providers of the operator's own."""

from __future__ import annotations

import pytest

from aibridge_trio.providers import ALL, ANTHROPIC, COPILOT, OPENAI, instance


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.name)
def test_the_built_in_ones_are_instances_of_themselves(provider: object) -> None:
    """Without a key header of its own, a built-in provider is the built-in provider."""
    assert instance(provider.name, provider.api) is provider  # type: ignore[attr-defined]


def test_prefixes_follow_the_name() -> None:
    """An instance has the prefix, the routes and the errors of its API, under its own name."""
    for name, api, prefix in (
        ("azure", OPENAI, "/azure/v1"),
        ("bedrock", ANTHROPIC, "/bedrock"),
        ("gh", COPILOT, "/gh"),
    ):
        found = instance(name, api.name)
        assert (found.name, found.api, found.prefix) == (name, api.name, prefix)
        assert (found.routes, found.dialect, found.probes) == (api.routes, api.dialect, api.probes)
    assert instance("openai", "anthropic").prefix == "/openai"


@pytest.mark.parametrize(
    ("api", "key_header", "sent"),
    [
        ("openai", None, (b"authorization", b"Bearer k")),
        ("openai", "authorization", (b"authorization", b"Bearer k")),
        ("openai", "api-key", (b"api-key", b"k")),
        ("anthropic", None, (b"x-api-key", b"k")),
        ("anthropic", "authorization", (b"authorization", b"Bearer k")),
        ("copilot", None, (b"authorization", b"Bearer k")),
    ],
)
def test_the_key_has_the_header_of_the_api_or_its_own(
    api: str, key_header: str | None, sent: tuple[bytes, bytes]
) -> None:
    """Only `authorization` names a scheme."""
    found = instance("some", api, key_header)
    assert found.credential is not None
    assert found.credential("k") == sent


def test_the_account_is_the_built_in_provider_s() -> None:
    """--openai-organization is never sent to another provider."""
    assert instance("azure", "openai").account == ()
    assert instance("openai", "openai", "api-key").account == OPENAI.account
    assert instance("openai", "anthropic").account == ()
