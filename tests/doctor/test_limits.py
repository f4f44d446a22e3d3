"""Limits that contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from aibridge_trio.config.settings import Settings
from aibridge_trio.doctor.limits import examine

KIB = 1024


@pytest.mark.parametrize(
    ("options", "where", "text"),
    [
        ({"max_concurrency": 5, "max_concurrency_per_caller": 5}, "--max-concurrency-per-caller", "every slot"),
        ({"queue_size": 5, "queue_timeout": 600.0}, "--queue-timeout", "SDKs give up after 10m"),
        ({"queue_size": 5, "queue_timeout": 30.0}, "--queue-timeout", "a stop ends waits after 30s"),
        ({"max_duration": 31.0}, "--max-duration", "a stop ends requests after 30s"),
        ({"max_body": 6 * KIB, "max_buffered": 10 * KIB}, "--max-body", "does not fit"),
    ],
)
def test_a_contradiction_is_a_warning(options: dict[str, Any], where: str, text: str) -> None:
    """It names the option, and what to do."""
    [found] = examine(Settings(**options))
    assert (found.level, found.where) == ("warning", where)
    assert text in found.text
    assert found.remedy


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_concurrency": 5, "max_concurrency_per_caller": 4},
        {"queue_size": 5, "queue_timeout": 29.0},
        {"queue_timeout": 600.0},
        {"max_duration": 30.0},
        {"max_body": 5 * KIB, "max_buffered": 10 * KIB},
    ],
)
def test_what_agrees_is_well(options: dict[str, Any]) -> None:
    """There is one finding that says so."""
    [found] = examine(Settings(**options))
    assert found.level == "ok"
