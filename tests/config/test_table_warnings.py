"""Warnings about tables."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.provider_tables import ProviderTable
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.config.table_warnings import table_warnings
from aibridge_trio.core.terms import ClassTotals, Terms

TODAY = date(2027, 3, 31)
KEYS = {"openai_api_key": Secret("a"), "anthropic_api_key": Secret("b")}


def warnings(*callers: KnownCaller, known: dict[str, Any] | None = None, **options: Any) -> list[str]:
    """The warnings about these callers, beside central keys."""
    settings = Settings(known_callers=KnownCallers(callers=callers, **known or {}), **{**KEYS, **options})
    return list(table_warnings(settings, TODAY))


def caller(name: str = "dev", **values: Any) -> KnownCaller:
    """A caller with a token."""
    return KnownCaller(name=name, **{"token_sha256": ("a" * 64,), **values})


def test_a_sound_configuration_has_none() -> None:
    """With callers and without."""
    assert not list(table_warnings(Settings()))
    assert not warnings(caller(class_name="people", expires=TODAY), known={"classes": ("people",)})


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (warnings(known={"configured": True}), "callers: there are none; every request is rejected with 401"),
        (
            warnings(*(caller(f"c{number}", expires=date(2027, 3, 30)) for number in range(7))),
            "[[callers]] expires: c0, c1, c2, c3, c4 and 2 more expired; remove what is no longer needed",
        ),
        (
            warnings(caller(token_sha256=())),
            "[[callers]]: dev cannot come in: no token, no certificate; aibridge token new makes one",
        ),
        (warnings(caller(), known={"classes": ("ci",)}), "[classes.ci]: no caller is of this class"),
        (
            warnings(
                caller(class_name="ci"),
                known={"classes": ("ci",), "totals": {"ci": ClassTotals(max_concurrency=9)}},
                max_concurrency=8,
            ),
            "[classes.ci] total_max_concurrency: 9 are never reached; --max-concurrency is 8",
        ),
        (
            warnings(caller(terms=Terms(priority="low"))),
            "priority: low does nothing for dev; there is neither --queue-size nor --adaptive",
        ),
        (
            warnings(caller(terms=Terms(max_concurrency=9)), max_concurrency=8),
            "max_concurrency: that of dev is never reached; --max-concurrency is 8",
        ),
        (
            warnings(caller(), openai_api_key=None),
            (
                "[providers.openai]: it has no central key, so callers need a key of their own beside "
                "X-AIBridge-Token; add key_file, or switch it off (enabled = false)"
            ),
        ),
    ],
)
def test_an_oddity_has_its_line(found: list[str], line: str) -> None:
    """And only that one."""
    assert found == [line]


def test_low_priority_is_for_the_queue_and_the_adaptive_line() -> None:
    """With either it is worth something."""
    low = caller(terms=Terms(priority="low"))
    assert not warnings(low, queue_size=5)
    assert not warnings(low, adaptive=True)


def test_a_provider_that_needs_no_key_is_no_oddity() -> None:
    """Nor one that callers without a token may use, nor Copilot, whose keys are the callers' always."""
    vllm = ProviderTable(name="vllm", dialect="openai", base_url="http://127.0.0.1:8000/v1", keyless=True)
    assert not warnings(caller(), provider_tables=(vllm,))
    assert not warnings(caller(), openai_api_key=None, allow_anonymous=True)
