"""Providers of the operator's own: the API of a built-in one under another name and, perhaps, key header."""

from __future__ import annotations

from dataclasses import replace

from aibridge_trio.providers.anthropic import ANTHROPIC
from aibridge_trio.providers.copilot import COPILOT
from aibridge_trio.providers.openai import OPENAI
from aibridge_trio.providers.provider import Credential, Provider

_BUILT_IN = {provider.name: provider for provider in (OPENAI, ANTHROPIC, COPILOT)}
# The part of a prefix behind the name: OpenAI's base URLs end in it, Anthropic's routes begin with it.
_VERSIONS = {"openai": "/v1"}


def instance(name: str, api: str, key_header: str | None = None) -> Provider:
    """Return the provider `name` that speaks the API of a built-in one; its prefix is `/NAME/v1` or `/NAME`.

    `key_header` replaces the header of central keys: `authorization` has `Bearer KEY`, every other one the key
    alone, as Azure's `api-key` (https://learn.microsoft.com/azure/ai-foundry/openai/reference).
    """
    built_in = _BUILT_IN[api]
    if key_header is None and name == api:
        return built_in
    return replace(
        built_in,
        name=name,
        prefix=f"/{name}{_VERSIONS.get(api, '')}",
        credential=_credential(key_header) if key_header else built_in.credential or _credential("authorization"),
        # The options of the account are the built-in provider's; another one has headers of its own.
        account=built_in.account if name == api else (),
    )


def _credential(header: str) -> Credential:
    name, scheme = header.encode(), b"Bearer " if header == "authorization" else b""
    return lambda key: (name, scheme + key.encode())
