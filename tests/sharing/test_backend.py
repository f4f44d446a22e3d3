"""The way to a store."""

from __future__ import annotations

from aibridge_trio.sharing.backend import StoreError


def test_an_error_has_a_text_for_the_log() -> None:
    """It is what the link reports."""
    assert str(StoreError("the store does not answer")) == "the store does not answer"
