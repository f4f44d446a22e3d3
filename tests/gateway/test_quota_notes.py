"""What is written of quotas, and read again; see also test_shared_governor.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aibridge_trio.core.adaptive.quotas import Quotas
from aibridge_trio.core.quota import Left
from aibridge_trio.gateway import quota_notes


def test_what_is_written_is_read() -> None:
    """With what was sent since, and the time that has gone by; what is known later is kept."""
    one, other = Quotas(), Quotas()
    one.told([Left("requests", 60, 3, 1.0), Left("output-tokens", 60, 3, 1.0)], 100.0)
    one.sent(0.0)
    written = json.loads(json.dumps(quota_notes.written(one, 101.0)))
    assert written == [["requests", 60, 2, 1.0]]
    assert quota_notes.take(written, other, 50.0, 0.5)
    assert other.words(50.0) == [(Left("requests", 60, 2, 0.0), 48.5)]
    other.told([Left("requests", 60, 9, 1.0)], 49.0)
    assert quota_notes.take(written, other, 50.0, 0.5)
    assert other.words(50.0) == [(Left("requests", 60, 9, 1.0), 49.0)]
    assert not quota_notes.take(written, other, 50.0, 59.5)
    assert not quota_notes.written(one, 161.0)


@pytest.mark.parametrize("limit", [10**30, 10**300])
def test_numbers_are_bounded(limit: int) -> None:
    """Whatever a provider's headers say, what is written is short, and is read."""
    quotas = Quotas()
    quotas.told([Left(name, limit, limit, 1.0) for name in ("requests", "tokens", "input-tokens")], 0.0)
    written = json.dumps(quota_notes.written(quotas, 0.0))
    assert len(written) < 180
    assert quota_notes.take(json.loads(written), Quotas(), 0.0, 0.0)


@pytest.mark.parametrize(
    "found",
    [
        None,
        {},
        [1],
        [["requests", 1, 1]],
        [[1, 1, 1, 1]],
        [["requests", 1, 1, "1"]],
        [["requests", True, 1, 1]],
        [["requests", 0, 1, 1]],
        [["requests", 1, 1, -1]],
        [["requests", 1, 1e300, 1]],
        [["requests", 1, float("nan"), 1]],
        [["requests", 1, 1, 1]] * 5,
    ],
)
def test_what_is_no_quota_is_refused(found: Any) -> None:
    """Whatever a store says, it is read as a whole or not at all."""
    quotas = Quotas()
    with pytest.raises(ValueError, match="no quota"):
        quota_notes.take(found, quotas, 0.0, 0.0)
    assert not quotas.words(0.0)
