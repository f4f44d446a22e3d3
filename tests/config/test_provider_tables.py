"""Providers as configured."""

from __future__ import annotations

from aibridge_trio.config.provider_tables import KeyTable, ProviderTable
from aibridge_trio.config.units import Secret


def test_a_table_shows_no_key() -> None:
    """A table in a traceback or a log must not give its key away."""
    table = ProviderTable(
        name="azure",
        dialect="openai",
        base_url="https://x.example/v1",
        keys=(KeyTable(label="azure", secret=Secret("sk-canary")),),
    )
    assert "canary" not in repr(table)
