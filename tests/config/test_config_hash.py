"""A number that is the same for replicas that are configured alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aibridge_trio.config.addresses import Address
from aibridge_trio.config.config_hash import config_hash
from aibridge_trio.config.known_callers import KnownCallers
from aibridge_trio.config.provider_tables import ProviderTable
from aibridge_trio.config.settings import Settings
from aibridge_trio.config.units import Secret


def test_it_is_the_same_in_every_process() -> None:
    """It depends on no order and no seed, and a float holds it."""
    assert config_hash(Settings()) == config_hash(Settings())
    assert float(config_hash(Settings())) == config_hash(Settings()) < 1 << 53


@pytest.mark.parametrize(
    "changed",
    [
        {"max_concurrency": 7},
        {"circuit_breaker": True},
        {"shadow": ("rate",)},
        {"provider_tables": (ProviderTable(name="vllm", dialect="openai", base_url="http://vllm"),)},
        {"known_callers": KnownCallers(classes=("gold",), configured=True)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_limits_and_tables_change_it(changed: dict[str, Any]) -> None:
    """What replicas should have in common."""
    assert config_hash(replace(Settings(), **changed)) != config_hash(Settings())


@pytest.mark.parametrize(
    "own",
    [
        {"bind": (Address("10.0.0.7", 80),)},
        {"admin_bind": Address("10.0.0.7", 81)},
        {"workers": 4},
        {"log_level": "debug"},
        {"openai_api_key": Secret("sk-of-this-replica")},
    ],
    ids=lambda own: next(iter(own)),
)
def test_what_is_a_replicas_own_does_not(own: dict[str, Any]) -> None:
    """Addresses, processes and logs; of a secret only whether there is one."""
    known = replace(Settings(), openai_api_key=Secret("sk-of-another")) if "openai_api_key" in own else Settings()
    assert config_hash(replace(known, **own)) == config_hash(known)
