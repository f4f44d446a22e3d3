"""A change of the store's condition, in words."""

from __future__ import annotations

import pytest

from aibridge_trio.sharing.change import StoreChanged


@pytest.mark.parametrize(
    ("replicas", "because", "words"),
    [(1, "", "1 replica"), (3, "", "3 replicas"), (3, "connection refused", "connection refused")],
)
def test_in_words(replicas: int, because: str, words: str) -> None:
    """Why it is away, else how many share it."""
    assert StoreChanged("shared", "degraded", replicas, because).words == words
