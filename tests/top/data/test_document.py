"""A status document, read: whatever answers becomes a bounded Document without control codes, or Unreadable."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.top.data.document import (
    Breaker,
    Caller,
    Document,
    Event,
    Provider,
    Queue,
    Resting,
    Scope,
)
from aibridge_trio.top.data.parse import read
from tests.support.pictures import (
    FORCED_CLOSED,
    FORCED_OPEN,
    HALF_OPEN,
    OFF,
    OPEN,
    a_document,
    breaking,
)
from tests.support.pictures import a_scope as said_of_a_scope


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "closed"),
        (OPEN, "open"),
        (HALF_OPEN, "half-open"),
        (FORCED_OPEN, "forced open"),
        (FORCED_CLOSED, "forced closed"),
        (OFF, "off"),
        ({"share": 0.4}, "ramp 40%"),
        ({"share": 0.999}, "ramp 99%"),
        ({"share": 0.004}, "ramp <1%"),
        ({"share": 0.0}, "ramp <1%"),
        ({"share": 0.4, **OPEN}, "open"),
        ({"share": 0.4, **HALF_OPEN}, "half-open"),
        ({"share": 0.4, **FORCED_CLOSED}, "forced closed"),
        ({"share": 0.4, **OFF}, "off"),
    ],
)
def test_a_breaker_has_a_word(changes: dict[str, Any], word: str) -> None:
    """State and mode are one word or two; without a breaker there is neither."""
    assert read(a_document(3.0, breaking("openai", **changes))).providers[0].breaker.word == word


def test_without_a_breaker_there_are_no_numbers_of_it() -> None:
    """Null thresholds are read as 0."""
    breaker = read(a_document(3.0, breaking("openai", **OFF))).providers[0].breaker
    assert (breaker.threshold, breaker.max_probes) == (0, 0)


@pytest.mark.parametrize(
    ("scope", "word"),
    [
        (said_of_a_scope("m"), "closed"),
        (said_of_a_scope("m", "open", share=0.4), "open"),
        (said_of_a_scope("m", "half-open"), "half-open"),
        (said_of_a_scope("m", share=0.4), "ramp 40%"),
    ],
)
def test_a_scope_has_a_word(scope: dict[str, Any], word: str) -> None:
    """A scope's state is a word, or a ramp with what it admits."""
    breaker = read(a_document(3.0, breaking("openai", scopes=[scope]))).providers[0].breaker
    assert [each.word for each in breaker.scopes] == [word]
    assert breaker.deciding == breaker.scopes


@pytest.mark.parametrize("changes", [FORCED_OPEN, FORCED_CLOSED, OFF])
def test_no_scope_decides_under_an_override(changes: dict[str, Any]) -> None:
    """Forced or without a breaker, what single scopes say has no effect."""
    breaker = (
        read(a_document(3.0, breaking("openai", scopes=[said_of_a_scope("m")], **changes))).providers[0].breaker
    )
    assert breaker.deciding == ()
    assert len(breaker.scopes) == 1


def test_nothing_read_can_be_changed() -> None:
    """A record is frozen, so that what was read yesterday still is so."""
    for record in (Document, Provider, Breaker, Caller, Event, Queue, Resting, Scope):
        assert vars(record)["__dataclass_params__"].frozen
