"""Which providers there are."""

from __future__ import annotations

from pathlib import Path

from aibridge_trio.config.provider_tables import BUILT_IN, KeyTable, ProviderTable, base_url_label, effective
from aibridge_trio.config.settings import Secret, Settings

VLLM = ProviderTable(name="vllm", dialect="openai", base_url="http://127.0.0.1:8000/v1", keyless=True)


def test_the_built_in_ones_follow_from_the_options() -> None:
    """Their base URLs and central keys are options."""
    secret = Secret("sk", file=Path("/k"))
    tables = effective(Settings(openai_api_key=secret, copilot_base_url="http://c"))
    assert [table.name for table in tables] == [table.dialect for table in tables] == list(BUILT_IN)
    assert tables[0].keys == (KeyTable(label="OPENAI_API_KEY", secret=secret, file=Path("/k")),)
    assert not tables[1].keys
    assert tables[2].base_url == "http://c"


def test_a_table_replaces_a_built_in_one_in_its_place() -> None:
    """The others follow, in the order of the file; what is switched off is not there."""
    own = ProviderTable(name="anthropic", dialect="anthropic", base_url="https://gateway.test")
    settings = Settings(provider_tables=(VLLM, own), disabled_providers=frozenset({"copilot"}))
    assert [table.name for table in effective(settings)] == ["openai", "anthropic", "vllm"]
    assert effective(settings)[1] is own


def test_a_base_url_is_called_as_it_was_written() -> None:
    """An option's flag, or the table."""
    settings = Settings(provider_tables=(VLLM,))
    labels = [base_url_label(settings, table) for table in effective(settings)]
    assert labels == [*(f"--{name}-base-url" for name in BUILT_IN), "[providers.vllm] base_url"]


def test_a_provider_without_a_key_is_open_to_every_caller() -> None:
    """It needs the same consent as a central key."""
    assert not Settings().has_central_key
    assert Settings(provider_tables=(VLLM,)).shared_access == "vllm, which needs no key"
    assert Settings(openai_api_key=Secret("k"), provider_tables=(VLLM,)).shared_access == "the central key"
