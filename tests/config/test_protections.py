"""Protections: which are on, which are in shadow, and what would protect better."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from aibridge_trio.config.known_callers import KnownCaller, KnownCallers
from aibridge_trio.config.protections import PROTECTIONS, SWITCHES, active_in_shadow, described
from aibridge_trio.config.settings import Secret, Settings
from aibridge_trio.errors import REASONS

ALL_ON: dict[str, Any] = {
    "max_concurrency": 50,
    "max_concurrency_per_caller": 5,
    "max_concurrency_per_provider": 40,
    "rate_limit": 10,
    "circuit_breaker": True,
    "adaptive": True,
    "queue_size": 100,
}


def test_each_protection_has_a_reject_reason_and_a_switch() -> None:
    """Reasons are reject reasons, switches are settings, and both tables name the same protections."""
    assert set(PROTECTIONS.values()) <= set(REASONS)
    assert PROTECTIONS.keys() == SWITCHES.keys()
    assert set(SWITCHES.values()) <= {field.name for field in fields(Settings)}


@pytest.mark.parametrize("name", PROTECTIONS)
def test_a_protection_in_shadow_is_active_only_if_it_is_on(name: str) -> None:
    """A protection that is off counts nothing, in shadow or not."""
    switch = SWITCHES[name]
    assert active_in_shadow(Settings(shadow=(name,))) == []
    assert active_in_shadow(Settings(**{switch: ALL_ON[switch]})) == []
    assert active_in_shadow(Settings(shadow=(name,), **{switch: ALL_ON[switch]})) == [name]


def test_what_is_on_is_described_and_nothing_else() -> None:
    """Each protection that is on has its description, with its numbers; one in shadow says so."""
    assert list(described(Settings())) == []
    assert list(described(Settings(**ALL_ON, shadow=("rate", "credential")))) == [
        "at most 50 in flight",
        "5 in flight a caller",
        "40 in flight a provider",
        "a queue of 100",
        "10 requests/s a caller in shadow",
        "an adaptive limiter a provider",
        "circuit breakers (5 failures in 10 s)",
    ]


def test_a_breakers_failure_share_is_described() -> None:
    """A breaker that needs a share of failures says which."""
    options = Settings(circuit_breaker=True, circuit_breaker_failure_share=0.5)
    assert list(described(options)) == ["circuit breakers (5 failures in 10 s, 50% of the calls)"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "openai and anthropic"),
        ({"openai_api_key": Secret("k")}, "to anthropic:"),
        ({"anthropic_api_key": Secret("k")}, "to openai:"),
        (
            {"openai_api_key": Secret("k"), "anthropic_api_key": Secret("k"), "forward_caller_keys": True},
            "openai and anthropic",
        ),
        ({"openai_api_key": Secret("k"), "anthropic_api_key": Secret("k")}, None),
        ({"circuit_breaker_429": "credential"}, None),
        ({"circuit_breaker": False}, None),
    ],
)
def test_credential_cooldowns_are_suggested_where_callers_own_keys_are_forwarded(
    options: dict[str, Any], named: str | None
) -> None:
    """Then a 429 is about one caller's quota; without a breaker, or with central keys, nothing is suggested."""
    suggestions = Settings(**{"circuit_breaker": True, **options}).suggestions()
    assert len(suggestions) == (named is not None)
    assert all(named and named in said and "--circuit-breaker-429 credential" in said for said in suggestions)


def test_known_callers_are_described() -> None:
    """How many, and whether there are others."""
    known = KnownCallers(callers=(KnownCaller(name="a"),))
    assert list(described(Settings(known_callers=known))) == ["1 known caller"]
    assert list(described(Settings(known_callers=known, allow_anonymous=True))) == ["1 known caller beside others"]
    assert list(described(Settings(known_callers=KnownCallers(configured=True)))) == ["0 known callers"]
