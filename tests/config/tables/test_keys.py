"""Every key of every table."""

from __future__ import annotations

from dataclasses import fields

from aibridge_trio.config.tables import keys
from aibridge_trio.core.terms import ClassTotals, Terms


def test_every_term_has_its_key() -> None:
    """What the limits know can be configured, for a class and for a caller."""
    names = {"rate": "rate_limit", "token_rate": "token_rate_limit"}
    terms = {names.get(field.name, field.name) for field in fields(Terms)}
    totals = {f"total_{names.get(field.name, field.name)}" for field in fields(ClassTotals)}
    assert {key.name for key in keys.TERMS} == terms
    assert {key.name for key in keys.CLASS.keys} == terms | totals
    assert {key.name for key in keys.CALLER.keys} > terms


def test_every_key_says_what_it_is() -> None:
    """In one sentence."""
    for shape in (keys.CLASS, keys.CALLER, keys.PROVIDER, keys.ROUTE):
        assert len({key.name for key in shape.keys}) == len(shape.keys)
        for key in shape.keys:
            assert key.help.endswith("."), key.name


def test_built_in_providers_need_neither_dialect_nor_base_url() -> None:
    """All else is the same."""
    assert [key.name for key in keys.BUILT_IN_PROVIDER.keys] == [key.name for key in keys.PROVIDER.keys]
    assert {key.name for key in keys.PROVIDER.keys if key.required} == {"dialect", "base_url"}
    assert not any(key.required for key in keys.BUILT_IN_PROVIDER.keys)
