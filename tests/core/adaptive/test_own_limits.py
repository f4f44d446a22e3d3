from __future__ import annotations

from aibridge_trio.core.adaptive.entry import Entry
from aibridge_trio.core.adaptive.own_limits import Unlimited


def test_unlimited_holds_nothing_back() -> None:
    """Whatever the request."""
    assert Unlimited().is_free()
    assert Unlimited().is_free_for(Entry("a"))
