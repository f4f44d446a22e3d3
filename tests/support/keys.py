"""A provider's keys, without a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aibridge_trio.config.provider_tables import KeyTable
from aibridge_trio.config.units import Secret
from aibridge_trio.core.breaker.policy import BreakerPolicy
from aibridge_trio.events import Publish, ignore
from aibridge_trio.gateway.buffering import BufferMemory
from aibridge_trio.gateway.key_pool import ProviderKeys
from aibridge_trio.providers import OPENAI, Provider


def tables(*secrets: str) -> tuple[KeyTable, ...]:
    """Return keys that are named after their places: `key-1` …"""
    return tuple(KeyTable(label=f"key-{number}", secret=Secret(each)) for number, each in enumerate(secrets, 1))


def keys_of(
    *secrets: str,
    provider: Provider = OPENAI,
    clock: Callable[[], float] = lambda: 0.0,
    publish: Publish = ignore,
    warn: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> ProviderKeys:
    """Return the keys of a provider; it gives no retry hints."""
    assert provider.credential
    return ProviderKeys(
        provider.name,
        options.pop("tables", None) or tables(*secrets),
        provider.credential,
        cooldown=BreakerPolicy(),
        read_hint=lambda _: None,
        read_quotas=options.pop("read_quotas", lambda _: []),
        memory=BufferMemory(1 << 20),
        clock=clock,
        publish=publish,
        warn=warn,
        **options,
    )
