"""Routes of the file."""

from __future__ import annotations

import pytest

from aibridge_trio.config.provider_tables import ProviderTable, RouteTable
from aibridge_trio.config.tables.routes import routes
from tests.config.tables.support import document, error_of

PROVIDERS = (
    ProviderTable(name="openai", dialect="openai", base_url="https://a"),
    ProviderTable(name="vllm", dialect="openai", base_url="https://b"),
    ProviderTable(name="anthropic", dialect="anthropic", base_url="https://c"),
)


def read(text: str) -> tuple[RouteTable, ...]:
    """Return the routes of a text beside three providers, and `azure`, which is switched off."""
    return routes(document(text), PROVIDERS, {"azure"})


def test_a_provider_that_is_switched_off_is_left_out() -> None:
    """So that one line takes it out of all routes."""
    found = read('[[routes]]\nmodel = "qwen*"\nproviders = ["azure", "vllm", "openai"]')
    assert found == (RouteTable(model="qwen*", providers=("vllm", "openai")),)


@pytest.mark.parametrize(
    ("providers", "line"),
    [
        ('["vlm"]', '3:14: [[routes]] providers[0]: there is no provider "vlm"; did you mean vllm?'),
        (
            '["vllm", "xyzzy"]',
            '3:22: [[routes]] providers[1]: there is no provider "xyzzy"; add [providers.xyzzy]',
        ),
        ('["azure"]', "3:1: [[routes]] providers: all of them are switched off; remove the route"),
        (
            '["vllm", "anthropic"]',
            "3:1: [[routes]] providers: they speak anthropic and openai; name providers of one dialect",
        ),
    ],
)
def test_a_route_has_providers_of_one_dialect(providers: str, line: str) -> None:
    """That exist."""
    text = f'[[routes]]\nmodel = "qwen*"\nproviders = {providers}'
    assert error_of(lambda: read(text)) == f"a.toml:{line}"


def test_a_model_has_one_route() -> None:
    """The second would never be taken."""
    route = '[[routes]]\nmodel = "qwen*"\nproviders = ["vllm"]\n'
    assert error_of(lambda: read(route + route)) == (
        'a.toml:5:1: [[routes]] model: "qwen*" is given in line 2, too; name all its providers in one route'
    )
